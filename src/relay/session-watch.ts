import type { SessionRepository } from '../auth/session.repository.js';
import type { Logger } from '../common/logger.js';
import type { Connection } from './connection.js';
import type { Connections } from './connections.js';

/** Asked in one turn. */
const SLICE = 200;

/**
 * Looks at what live connections came in by: a connection is a use of its session, whose end moves on with it, and what no
 * revocation told of, because it expired or because a store lost something, is found here.
 */
export class SessionWatch {
  private mustLook = false;

  constructor(
    private readonly connections: Connections,
    private readonly sessions: SessionRepository,
    private readonly logger: Logger,
  ) {}

  /** Revocations may have been missed: the next `lookWhereDoubted` looks at everybody. */
  doubtAll(): void {
    this.mustLook = true;
  }

  async lookWhereDoubted(): Promise<void> {
    if (!this.mustLook) return;
    this.mustLook = false;
    await this.look().catch((error: unknown) => {
      this.mustLook = true;
      throw error;
    });
  }

  /** Rejects where the store does not answer; those that were not looked at stay as they are. */
  async look(): Promise<void> {
    const open = [...this.connections.values()].filter(({ isOpen }) => isOpen);
    for (let i = 0; i < open.length; i += SLICE) {
      const slice = open.slice(i, i + SLICE);
      const kept = await Promise.all(slice.map((connection) => this.isStillIn(connection)));
      slice.filter((connection, j) => !kept[j] && connection.isOpen).forEach((connection) => connection.revoked());
    }
    this.logger.debug('sessions looked at', { count: open.length });
  }

  private async isStillIn({ session, address }: Connection): Promise<boolean> {
    if (session !== null) return (await this.sessions.keep(session)) !== null;
    return address === null || !(await this.sessions.hasSignedIn(address));
  }
}
