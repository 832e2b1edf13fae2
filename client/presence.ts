import { type Address, LIMITS } from '@relay/protocol';

/** Whose presence is watched, so that a new connection asks for the same. */
export class Presence {
  private readonly watched = new Set<Address>();

  constructor(private readonly transmit: (frame: object) => void) {}

  watch(addresses: readonly Address[]): void {
    const added = addresses.filter((address) => !this.watched.has(address));
    if (this.watched.size + added.length > LIMITS.presenceSubscriptions) {
      throw new RangeError(`the presence of at most ${LIMITS.presenceSubscriptions} addresses can be watched`);
    }
    for (const address of added) this.watched.add(address);
    this.subscribe(added);
  }

  unwatch(addresses: readonly Address[]): void {
    const removed = addresses.filter((address) => this.watched.delete(address));
    if (removed.length > 0) this.transmit({ type: 'unsubscribe_presence', addresses: removed });
  }

  /** Subscriptions end with their connection. */
  start(): void {
    this.subscribe([...this.watched]);
  }

  private subscribe(addresses: readonly Address[]): void {
    if (addresses.length > 0) this.transmit({ type: 'subscribe_presence', addresses });
  }
}
