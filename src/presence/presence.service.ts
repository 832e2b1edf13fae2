import { type Address, LIMITS, RelayError } from '@relay/protocol';
import type { Backplane } from '../backplane/backplane.js';
import type { ContactRepository } from '../contacts/contact.repository.js';
import type { OnlinePage, PresenceRepository, PresenceStatus } from './presence.repository.js';

/** Somebody who is told when an address they watch comes or goes. */
export interface PresenceWatcher {
  /** Who watches: those who block that address look offline to it. `null` before it is known. */
  readonly address: Address | null;
  presenceChanged(address: Address, status: PresenceStatus): void;
}

/** An address that somebody on this node watches. */
interface Watched {
  readonly watchers: Set<PresenceWatcher>;
  /** What they were told last, and by which look. */
  told: PresenceStatus | null;
  toldBy: number;
  /** To whom it looks offline whatever it is. */
  blocked: ReadonlySet<Address>;
  /** Whether other nodes are heard. */
  isJoined: boolean;
}

const SLICE = 500;
const NOBODY: ReadonlySet<Address> = new Set();
const NO_WATCHERS: readonly PresenceWatcher[] = [];
const UNSEEN: PresenceStatus = { online: false, lastSeen: null };

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
    private readonly contacts: Pick<ContactRepository, 'blockedBy'>,
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

  /** As they look to `viewer`; to nobody in particular where that is `null`. */
  async statuses(addresses: readonly Address[], viewer: Address | null): Promise<readonly PresenceStatus[]> {
    if (viewer === null) return this.repository.statuses(addresses);
    const [statuses, blocked] = await Promise.all([
      this.repository.statuses(addresses),
      this.contacts.blockedBy(addresses),
    ]);
    return statuses.map((status, i) => (blocked[i]!.has(viewer) ? UNSEEN : status));
  }

  /** That address looks different to somebody. */
  blocksChanged(address: Address): Promise<void> {
    return this.announce([address]);
  }

  /** Whose presence somebody here watches. */
  watchedAddresses(): Iterable<Address> {
    return this.watched.keys();
  }

  /** These may look different to somebody here. Never rejects. */
  lookAt(addresses: Iterable<Address>): Promise<void> {
    return this.lookAgain(addresses);
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
    const watched = { watchers: new Set([watcher]), told: null, toldBy: 0, blocked: NOBODY, isJoined: false };
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
    const [statuses, blocked] = await Promise.all([
      this.repository.statuses(addresses),
      this.contacts.blockedBy(addresses),
    ]);
    addresses.forEach((address, i) => {
      const watched = this.watched.get(address);
      if (watched === undefined) return;
      const told = this.learn(address, watched, { status: statuses[i]!, blocked: blocked[i]!, look });
      if (newcomer === undefined || told.includes(newcomer) || !watched.watchers.has(newcomer)) return;
      newcomer.presenceChanged(address, seenBy(newcomer, watched, watched.told ?? statuses[i]!));
    });
  }

  /** Returns to whom it was news, and who was told. Looks may end in another order than they began; an older one knows nothing new. */
  private learn(
    address: Address,
    watched: Watched,
    { status, blocked, look }: { status: PresenceStatus; blocked: ReadonlySet<Address>; look: number },
  ): readonly PresenceWatcher[] {
    if (look < watched.toldBy) return NO_WATCHERS;
    const before = { told: watched.told, blocked: watched.blocked };
    watched.toldBy = look;
    watched.told = status;
    watched.blocked = blocked;
    if (before.told !== null && isSame(before.told, status) && isSameSet(before.blocked, blocked)) return NO_WATCHERS;
    const told: PresenceWatcher[] = [];
    for (const watcher of watched.watchers) {
      const seen = seenBy(watcher, watched, status);
      // What somebody who is blocked sees never changes, until that is over.
      if (before.told !== null && isSame(seenBy(watcher, before, before.told), seen)) continue;
      watcher.presenceChanged(address, seen);
      told.push(watcher);
    }
    return told;
  }
}

function seenBy(
  { address }: PresenceWatcher,
  { blocked }: Pick<Watched, 'blocked'>,
  status: PresenceStatus,
): PresenceStatus {
  return address !== null && blocked.has(address) ? UNSEEN : status;
}

function isSameSet(a: ReadonlySet<Address>, b: ReadonlySet<Address>): boolean {
  return a.size === b.size && [...a].every((address) => b.has(address));
}

function isSame(a: PresenceStatus, b: PresenceStatus): boolean {
  return a.online === b.online && a.lastSeen === b.lastSeen;
}
