import type { Address } from '@relay/protocol';

/** `mailbox`: whoever holds connections of that address; `presence`: whoever holds connections that watch it. */
export type Topic = 'mailbox' | 'presence';

/** What a payload is; one letter, since it leads every payload on the wire between nodes. */
export type Kind =
  /** An entry that was appended to the mailbox. */
  | 'e'
  /** A frame for every connection of the address. */
  | 'f'
  /** Acknowledgements of what was sent on that node, and what is owed for them. */
  | 'r'
  /** A device was opened anew: `<claim> <device>`. */
  | 'd'
  /** The address came, went, hid or showed itself. */
  | 'p'
  /** Whom the address blocks has changed. */
  | 'b'
  /** An ephemeral message for the connections of the address, and its answer. */
  | 'u'
  | 'a'
  /** Which devices of the address are connected, and the answer: `<name of the question> <device> …`. */
  | 'q'
  | 'w'
  /** A device of the address was ended by its owner. */
  | 'x'
  /** Sessions of the address were ended: the store says which. */
  | 's'
  /** The operator banned the address, or let it in again: the store says which. */
  | 'o';

/** `node`: who says it. `address`: whom it is about; the name of this node where only it was told. */
export type Heard = (address: Address, payload: string, node: string) => void;

/**
 * Between the nodes of one relay. Everything sent here is a hint: it may be lost, and whoever needs certainty reads the
 * store. A node never hears itself.
 */
export abstract class Backplane {
  private readonly listeners = new Map<Kind, Heard>();
  private readonly resumedListeners: (() => void)[] = [];

  /** Names this node among all, and anew after each start. `[A-Za-z0-9_-]{8}`. */
  abstract readonly node: string;

  /** What other nodes send to this topic of this address is heard from now on; count each join, leave as often. */
  abstract join(topic: Topic, address: Address): Promise<void>;

  abstract leave(topic: Topic, address: Address): void;

  /**
   * 0 where what others send to the topic may go unheard now, as far as this node knows, else a number that was never
   * there before it was heard again. While it stays the same, nothing has been missed.
   */
  abstract hearing(topic: Topic, address: Address): number;

  /** Resolves with how many other nodes heard it. */
  abstract send(topic: Topic, address: Address, kind: Kind, payload: string): Promise<number>;

  /** To that node alone. Resolves with whether it was heard there: not by one that ended, nor by one too old to listen. */
  abstract tell(node: string, kind: Kind, payload: string): Promise<boolean>;

  /** Nobody tells this node alone anything any more: whoever tries learns that it was not heard. */
  abstract endHearing(): void;

  /** One listener for each kind. */
  listen(kind: Kind, heard: Heard): void {
    this.listeners.set(kind, heard);
  }

  /** Called whenever something may have been missed: the connection was lost and is back. */
  onResumed(resumed: () => void): void {
    this.resumedListeners.push(resumed);
  }

  protected heard(kind: string, address: Address, payload: string, node: string): void {
    this.listeners.get(kind as Kind)?.(address, payload, node);
  }

  protected resumed(): void {
    for (const listener of this.resumedListeners) listener();
  }
}
