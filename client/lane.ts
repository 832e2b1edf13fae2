import type { Address } from '@relay/protocol';

/** A message as it waits in the store, and goes over the wire with `type`. */
export interface StoredMessage {
  readonly to: Address;
  readonly content: string;
  readonly messageId: string;
  /** ms since 1970 */
  readonly timestamp: number;
  readonly ttlSeconds?: number;
}

export interface Item {
  readonly sequence: number;
  readonly message: StoredMessage;
  /** Calls off what waits for its verdict; `null` while it is not on its way. */
  stopWaiting: (() => void) | null;
}

/** What waits for one recipient, in order. Those on their way are always the first ones. */
export class Lane {
  readonly items: Item[] = [];
  underWay = 0;
  /** Until when nothing is sent; called, it ends the pause. */
  endPause: (() => void) | null = null;

  constructor(readonly to: Address) {}

  /** Undefined where nothing is left to send, or may be sent now. */
  next(maxUnderWay: number): Item | undefined {
    return this.endPause === null && this.underWay < maxUnderWay ? this.items[this.underWay] : undefined;
  }

  remove(item: Item): void {
    const index = this.items.indexOf(item);
    if (index >= 0) this.items.splice(index, 1);
    this.recall(item);
  }

  recall(item: Item): void {
    if (item.stopWaiting === null) return;
    item.stopWaiting();
    item.stopWaiting = null;
    this.underWay--;
  }

  /** From the first one on again: what the relay has meanwhile it knows by its messageId. */
  recallAll(): void {
    for (const item of this.items.slice(0, this.underWay)) this.recall(item);
  }
}
