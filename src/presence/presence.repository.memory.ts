import type { Address } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import { type OnlinePage, PresenceRepository, type PresenceStatus } from './presence.repository.js';

/** Whoever claims addresses one after the other leaves a trace of each; the oldest give way. */
const MAX_LAST_SEEN = 100_000;

const NEVER_SEEN: PresenceStatus = { online: false, lastSeen: null };

export class MemoryPresenceRepository extends PresenceRepository {
  /** Mostly one each, and so without a list of them. */
  private readonly connections = new Map<Address, string | readonly string[]>();
  private readonly hidden = new Set<Address>();
  private readonly lastSeen = new Map<Address, number>();

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly lastSeenMs = 7 * 24 * 3_600_000,
  ) {
    super();
  }

  override connected(address: Address, connection: string): Promise<boolean> {
    const before = this.looksOnline(address);
    const others = this.connectionsOf(address).filter((known) => known !== connection);
    this.connections.set(address, others.length === 0 ? connection : [...others, connection]);
    this.lastSeen.delete(address);
    return Promise.resolve(this.looksOnline(address) !== before);
  }

  override disconnected(address: Address, connection: string): Promise<boolean> {
    const known = this.connectionsOf(address);
    const others = known.filter((other) => other !== connection);
    if (others.length > 0) this.connections.set(address, others);
    if (others.length > 0 || known.length === 0) return Promise.resolve(false);
    const before = this.looksOnline(address);
    this.connections.delete(address);
    this.lastSeen.set(address, this.clock.now());
    if (this.lastSeen.size > MAX_LAST_SEEN) this.forgetLongestGone();
    return Promise.resolve(before);
  }

  override setVisible(address: Address, visible: boolean): Promise<boolean> {
    const before = this.looksOnline(address);
    if (visible) this.hidden.delete(address);
    else this.hidden.add(address);
    return Promise.resolve(this.looksOnline(address) !== before);
  }

  override statuses(addresses: readonly Address[]): Promise<readonly PresenceStatus[]> {
    return Promise.resolve(addresses.map((address) => this.status(address)));
  }

  override online(after: Address | null, limit: number): Promise<OnlinePage> {
    const all = [...this.connections.keys()].filter(
      (address) => this.looksOnline(address) && (after === null || address > after),
    );
    const addresses = all.sort().slice(0, limit);
    return Promise.resolve({ addresses, next: all.length > limit ? (addresses.at(-1) ?? null) : null });
  }

  override sweep(): Promise<readonly Address[]> {
    for (const [address, seenAt] of this.lastSeen) {
      if (this.isForgotten(seenAt)) this.lastSeen.delete(address);
    }
    // Everybody who looked could see already that they were forgotten, and nobody is told of that.
    return Promise.resolve([]);
  }

  override stop(): Promise<readonly Address[]> {
    return Promise.resolve([]);
  }

  private connectionsOf(address: Address): readonly string[] {
    const known = this.connections.get(address);
    return typeof known === 'object' ? known : known === undefined ? [] : [known];
  }

  private forgetLongestGone(): void {
    // Insertion order: `connected` takes an address out, so the first went first.
    for (const address of this.lastSeen.keys()) {
      this.lastSeen.delete(address);
      return;
    }
  }

  private status(address: Address): PresenceStatus {
    if (this.hidden.has(address)) return NEVER_SEEN;
    if (this.connections.has(address)) return { online: true, lastSeen: null };
    const seenAt = this.lastSeen.get(address);
    return { online: false, lastSeen: seenAt === undefined || this.isForgotten(seenAt) ? null : seenAt };
  }

  private isForgotten(seenAt: number): boolean {
    return seenAt < this.clock.now() - this.lastSeenMs;
  }

  private looksOnline(address: Address): boolean {
    return this.connections.has(address) && !this.hidden.has(address);
  }
}
