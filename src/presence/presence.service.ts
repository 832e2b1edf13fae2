import { type Address, LIMITS, RelayError } from '@relay/protocol';
import type { OnlinePage, PresenceRepository, PresenceStatus } from './presence.repository.js';

/** Somebody who is told when an address they watch comes or goes. */
export interface PresenceWatcher {
  presenceChanged(address: Address, status: PresenceStatus): void;
}

/** Presence and who is told of it. Subscriptions live as long as their connection, on its node. */
export class PresenceService {
  private readonly watchers = new Map<Address, Set<PresenceWatcher>>();
  private readonly watched = new Map<PresenceWatcher, Set<Address>>();

  constructor(private readonly repository: PresenceRepository) {}

  async connected(address: Address, connection: string): Promise<void> {
    if (await this.repository.connected(address, connection)) await this.announce(address);
  }

  async disconnected(address: Address, connection: string): Promise<void> {
    if (await this.repository.disconnected(address, connection)) await this.announce(address);
  }

  async setVisible(address: Address, visible: boolean): Promise<void> {
    if (await this.repository.setVisible(address, visible)) await this.announce(address);
  }

  statuses(addresses: readonly Address[]): Promise<readonly PresenceStatus[]> {
    return this.repository.statuses(addresses);
  }

  online(after: Address | null, limit: number): Promise<OnlinePage> {
    return this.repository.online(after, limit);
  }

  forgetSeenBefore(ms: number): Promise<number> {
    return this.repository.forgetSeenBefore(ms);
  }

  /** Tells the watcher the present status of each, and every change from now on. */
  async watch(watcher: PresenceWatcher, addresses: readonly Address[]): Promise<void> {
    const watched = this.watched.get(watcher) ?? new Set<Address>();
    const added = addresses.filter((address) => !watched.has(address));
    if (watched.size + new Set(added).size > LIMITS.presenceSubscriptions) {
      throw new RelayError('too_large', `At most ${LIMITS.presenceSubscriptions} presence subscriptions`);
    }
    this.watched.set(watcher, watched);
    for (const address of added) {
      watched.add(address);
      const watchers = this.watchers.get(address);
      if (watchers === undefined) this.watchers.set(address, new Set([watcher]));
      else watchers.add(watcher);
    }
    const statuses = await this.repository.statuses(addresses);
    statuses.forEach((status, i) => watcher.presenceChanged(addresses[i]!, status));
  }

  unwatch(watcher: PresenceWatcher, addresses: readonly Address[]): void {
    const watched = this.watched.get(watcher);
    if (watched === undefined) return;
    for (const address of addresses) {
      if (!watched.delete(address)) continue;
      const watchers = this.watchers.get(address);
      watchers?.delete(watcher);
      if (watchers?.size === 0) this.watchers.delete(address);
    }
    if (watched.size === 0) this.watched.delete(watcher);
  }

  unwatchAll(watcher: PresenceWatcher): void {
    const watched = this.watched.get(watcher);
    if (watched !== undefined) this.unwatch(watcher, [...watched]);
  }

  private async announce(address: Address): Promise<void> {
    if (!this.watchers.has(address)) return;
    const [status] = await this.repository.statuses([address]);
    if (status === undefined) return;
    for (const watcher of this.watchers.get(address) ?? []) watcher.presenceChanged(address, status);
  }
}
