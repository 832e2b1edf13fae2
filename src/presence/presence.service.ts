import { type Address, LIMITS, RelayError } from '@relay/protocol';
import type { Backplane } from '../backplane/backplane.js';
import type { OnlinePage, PresenceRepository, PresenceStatus } from './presence.repository.js';

/** Somebody who is told when an address they watch comes or goes. */
export interface PresenceWatcher {
  presenceChanged(address: Address, status: PresenceStatus): void;
}

/** An address that somebody on this node watches. */
interface Watched {
  readonly watchers: Set<PresenceWatcher>;
  /** What they were told last, and by which look. */
  told: PresenceStatus | null;
  toldBy: number;
  /** Whether other nodes are heard. */
  isJoined: boolean;
}

const SLICE = 500;

/**
 * Presence and who is told of it. Subscriptions live as long as their connection, on its node. That something may have
 * changed travels as a hint; what is told is what the store says then, and only where it is news.
 */
export class PresenceService {
  private readonly watched = new Map<Address, Watched>();
  private readonly subscriptions = new Map<PresenceWatcher, Set<Address>>();
  /** Watched addresses to be looked at again. */
  private readonly due = new Set<Address>();
  private isLooking = false;
  private looks = 0;

  constructor(
    private readonly repository: PresenceRepository,
    private readonly backplane: Backplane,
  ) {
    backplane.listen('p', (address) => void this.lookAgain([address]));
    backplane.onResumed(() => void this.lookAgain(this.watched.keys()));
  }

  async connected(address: Address, connection: string): Promise<void> {
    if (await this.repository.connected(address, connection)) await this.announce([address]);
  }

  async disconnected(address: Address, connection: string): Promise<void> {
    if (await this.repository.disconnected(address, connection)) await this.announce([address]);
  }

  async setVisible(address: Address, visible: boolean): Promise<void> {
    if (await this.repository.setVisible(address, visible)) await this.announce([address]);
  }

  statuses(addresses: readonly Address[]): Promise<readonly PresenceStatus[]> {
    return this.repository.statuses(addresses);
  }

  online(after: Address | null, limit: number): Promise<OnlinePage> {
    return this.repository.online(after, limit);
  }

  /** To be called every `SWEEP_EVERY_MS`: what the store's sweep found is told, and what failed since the last one is done. */
  async sweep(): Promise<void> {
    try {
      await this.announce(await this.repository.sweep());
    } finally {
      await this.joinAgain();
      await this.lookAgain([]);
    }
  }

  /** This node's connections are gone, and the other nodes told. */
  async stop(): Promise<void> {
    await this.announce(await this.repository.stop());
  }

  /**
   * Tells the watcher the present status of each, and every change from now on. Where it rejects with `store_unavailable`
   * they are watched all the same.
   */
  async watch(watcher: PresenceWatcher, addresses: readonly Address[]): Promise<void> {
    const asked = [...new Set(addresses)];
    const subscribed = this.subscriptions.get(watcher) ?? new Set<Address>();
    const added = asked.filter((address) => !subscribed.has(address));
    if (subscribed.size + added.length > LIMITS.presenceSubscriptions) {
      throw new RelayError('too_large', `At most ${LIMITS.presenceSubscriptions} presence subscriptions`);
    }
    this.subscriptions.set(watcher, subscribed);
    for (const address of added) subscribed.add(address);
    // First heard, then looked at: no change falls in between.
    await Promise.all(added.map((address) => this.subscribe(watcher, address)));
    try {
      await this.look(asked, watcher);
    } catch (error) {
      for (const address of asked) this.due.add(address);
      throw error;
    }
  }

  unwatch(watcher: PresenceWatcher, addresses: readonly Address[]): void {
    const subscribed = this.subscriptions.get(watcher);
    if (subscribed === undefined) return;
    for (const address of addresses) {
      if (!subscribed.delete(address)) continue;
      const watched = this.watched.get(address);
      watched?.watchers.delete(watcher);
      if (watched?.watchers.size !== 0) continue;
      this.watched.delete(address);
      this.backplane.leave('presence', address);
    }
    if (subscribed.size === 0) this.subscriptions.delete(watcher);
  }

  unwatchAll(watcher: PresenceWatcher): void {
    const subscribed = this.subscriptions.get(watcher);
    if (subscribed !== undefined) this.unwatch(watcher, [...subscribed]);
  }

  private async subscribe(watcher: PresenceWatcher, address: Address): Promise<void> {
    const known = this.watched.get(address);
    known?.watchers.add(watcher);
    if (known !== undefined) return;
    const watched = { watchers: new Set([watcher]), told: null, toldBy: 0, isJoined: false };
    this.watched.set(address, watched);
    await this.join(address, watched);
  }

  /** What was not confirmed stays wanted: the backplane goes on trying. `sweep` finds out when it works. */
  private async join(address: Address, watched: Watched): Promise<void> {
    try {
      await this.backplane.join('presence', address);
      watched.isJoined = true;
    } catch {
      watched.isJoined = false;
    }
  }

  private async joinAgain(): Promise<void> {
    const unheard = [...this.watched].filter(([, { isJoined }]) => !isJoined).slice(0, SLICE);
    await Promise.all(
      unheard.map(async ([address, watched]) => {
        await this.join(address, watched);
        // It counts each.
        this.backplane.leave('presence', address);
        if (watched.isJoined) this.due.add(address);
      }),
    );
  }

  /** Tells watchers everywhere. Never rejects. */
  private async announce(addresses: readonly Address[]): Promise<void> {
    for (let i = 0; i < addresses.length; i += SLICE) {
      const slice = addresses.slice(i, i + SLICE);
      const sent = slice.map((address) => this.backplane.send('presence', address, 'p', ''));
      await Promise.allSettled([this.lookAgain(slice), ...sent]);
    }
  }

  /** Never rejects: what cannot be read now is due until the next sweep or return of the store. */
  private async lookAgain(addresses: Iterable<Address>): Promise<void> {
    for (const address of addresses) {
      if (this.watched.has(address)) this.due.add(address);
    }
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      while (this.due.size > 0) await this.lookAtDue();
    } catch {
      // They are due still.
    } finally {
      this.isLooking = false;
    }
  }

  private async lookAtDue(): Promise<void> {
    const slice = [...this.due].slice(0, SLICE);
    for (const address of slice) this.due.delete(address);
    try {
      await this.look(slice);
    } catch (error) {
      for (const address of slice) this.due.add(address);
      throw error;
    }
  }

  /** Tells the newcomer in any case, everybody else what is news. */
  private async look(addresses: readonly Address[], newcomer?: PresenceWatcher): Promise<void> {
    const look = ++this.looks;
    const statuses = await this.repository.statuses(addresses);
    addresses.forEach((address, i) => {
      const watched = this.watched.get(address);
      if (watched === undefined) return;
      const isTold = this.learn(address, watched, { status: statuses[i]!, look });
      if (isTold || newcomer === undefined || !watched.watchers.has(newcomer)) return;
      newcomer.presenceChanged(address, watched.told ?? statuses[i]!);
    });
  }

  /** True if it was news. Looks may end in another order than they began; an older one knows nothing new. */
  private learn(
    address: Address,
    watched: Watched,
    { status, look }: { status: PresenceStatus; look: number },
  ): boolean {
    if (look < watched.toldBy) return false;
    const { told } = watched;
    watched.toldBy = look;
    watched.told = status;
    if (told?.online === status.online && told.lastSeen === status.lastSeen) return false;
    for (const watcher of watched.watchers) watcher.presenceChanged(address, status);
    return true;
  }
}
