import { type Address, RelayError } from '@relay/protocol';
import type { Backplane } from '../backplane/backplane.js';
import type { Logger } from '../common/logger.js';
import { Rerun } from '../common/rerun.js';
import type { Ban, BanRepository } from './ban.repository.js';

/** With the time that a look takes, a ban is felt by all nodes well within 5 s. */
export const LOOK_EVERY_MS = 2_000;

/** Whom the operator keeps out, as this node knows it: asked at every sign-in, so without a call to the store. */
export class Bans {
  private mark: string | null = null;
  private known: ReadonlyMap<Address, Ban> = new Map();
  private banned: (address: Address) => void = () => undefined;
  private readonly looks = new Rerun(() => this.read());

  constructor(
    private readonly repository: BanRepository,
    private readonly backplane: Backplane,
    private readonly logger: Logger,
  ) {
    backplane.listen('o', () => this.look());
  }

  /** One listener: hears of each address that is banned from now on, also of those that are not here. */
  onBanned(banned: (address: Address) => void): void {
    this.banned = banned;
  }

  /** Longest banned first. */
  get all(): ReadonlyMap<Address, Ban> {
    return this.known;
  }

  has(address: Address): boolean {
    return this.known.has(address);
  }

  /** Throws `forbidden` for who is banned, in words that nobody else hears. */
  refuse(address: Address): void {
    if (this.known.has(address)) throw new RelayError('forbidden', 'This relay refuses this address');
  }

  /** True if that is news. In force here when it resolves, and on all nodes within 5 s. Rejects as the repository does. */
  async put(address: Address, note: string): Promise<boolean> {
    const isNews = await this.repository.put(address, note);
    await this.changed(address);
    return isNews;
  }

  /** False where it was not banned. */
  async remove(address: Address): Promise<boolean> {
    const wasThere = await this.repository.remove(address);
    await this.changed(address);
    return wasThere;
  }

  /** Resolves when what the store knew at the call is in force here. Rejects where the store does not answer. */
  check(): Promise<void> {
    return this.looks.run();
  }

  private async changed(address: Address): Promise<void> {
    // Nodes with connections of the address need not wait for their next look.
    this.backplane.send('mailbox', address, 'o', '').catch(() => undefined);
    await this.check();
  }

  private look(): void {
    this.check().catch((error: unknown) => this.logger.error('bans not read', error));
  }

  private async read(): Promise<void> {
    const list = await this.repository.since(this.mark);
    if (list === null) return;
    const before = this.known;
    this.mark = list.mark;
    this.known = list.bans;
    for (const address of list.bans.keys()) if (!before.has(address)) this.banned(address);
  }
}
