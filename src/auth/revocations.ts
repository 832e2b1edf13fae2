import type { Address } from '@relay/protocol';
import type { Backplane } from '../backplane/backplane.js';
import type { Logger } from '../common/logger.js';
import { Rerun } from '../common/rerun.js';
import { MAX_REVOCATIONS, type SessionName, type SessionRepository, UNPROVEN } from './session.repository.js';

/** With the time that a look takes, a revocation is felt well within 5 s. */
export const LOOK_EVERY_MS = 2_000;

export interface RevocationEvents {
  /** Whatever uses that session must end; also said of sessions that nobody here uses. */
  revoked(session: SessionName): void;
  /** Some may have been missed: whatever uses any session is to be looked at. */
  missed(): void;
}

/** What was revoked, as this node knows it. */
export class Revocations {
  private mark: string | null = null;
  /** The latest of them, by session: a token that was looked up just before its end must not be taken just after. */
  private readonly known = new Set<string>();
  private events: RevocationEvents | null = null;
  private readonly looks = new Rerun(() => this.read());

  constructor(
    private readonly sessions: SessionRepository,
    private readonly backplane: Backplane,
    private readonly logger: Logger,
  ) {}

  observe(events: RevocationEvents): void {
    this.events = events;
  }

  has(session: SessionName): boolean {
    return this.known.has(keyOf(session));
  }

  /** Sessions of that address ended: nodes that hold connections of it ask at once which. A hint; all ask every 2 s. */
  announce(address: Address): void {
    this.look();
    this.backplane.send('mailbox', address, 's', '').catch(() => undefined);
  }

  /** Asks the store in the next moment. Never fails: the schedule asks again. */
  look(): void {
    this.check().catch((error: unknown) => this.logger.error('revocations not read', error));
  }

  /** Resolves when what the store knew at the call has been told. */
  check(): Promise<void> {
    return this.looks.run();
  }

  private async read(): Promise<void> {
    const isFirst = this.mark === null;
    const { mark, revoked, missed } = await this.sessions.revokedSince(this.mark);
    this.mark = mark;
    for (const session of revoked) {
      this.remember(keyOf(session));
      this.events?.revoked(session);
    }
    // Before the first look, sessions may have been taken and revoked.
    if (missed || isFirst) this.events?.missed();
  }

  private remember(key: string): void {
    this.known.add(key);
    if (this.known.size <= MAX_REVOCATIONS) return;
    const [oldest] = this.known;
    if (oldest !== undefined) this.known.delete(oldest);
  }
}

function keyOf({ id, address }: SessionName): string {
  return id === UNPROVEN ? address : id;
}
