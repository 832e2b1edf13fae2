import type { Address } from '@relay/protocol';
import type { Backplane } from '../backplane/backplane.js';
import type { Logger } from '../common/logger.js';
import type { MessageEntry, Owed } from '../queue/queue.repository.js';
import type { Flushable, Turn } from './turn.js';

/** That somebody acknowledged messages of one mailbox; whoever passes it on settles what is owed. */
export interface Letter {
  readonly mailbox: Address;
  readonly messages: readonly Pick<MessageEntry, 'from' | 'messageId'>[];
  readonly owed: Owed | null;
}

export interface Addressee {
  /** Another node says so, of messages that were sent here. */
  received(letter: Letter): void;
  /** The node was not there, or does not know of letters. */
  returned(letter: Letter): void;
}

/**
 * Takes word of acknowledgements to the nodes whose connections wait for it, what one turn has for a node in one message
 * (docs/decisions/0042-receipts-between-nodes.md). One that gets lost is owed still, and passed on when that is due.
 */
export class ReceiptPost implements Flushable {
  /** By node. */
  private outgoing = new Map<string, Letter[]>();
  private addressee: Addressee | undefined;

  constructor(
    private readonly backplane: Backplane,
    private readonly turn: Turn,
    private readonly logger: Logger,
  ) {
    backplane.listen('r', (_, payload) => {
      for (const letter of JSON.parse(payload) as Letter[]) this.addressee?.received(letter);
    });
  }

  observe(addressee: Addressee): void {
    this.addressee = addressee;
  }

  send(node: string, letter: Letter): void {
    if (this.outgoing.size === 0) this.turn.schedule(this);
    const letters = this.outgoing.get(node);
    if (letters === undefined) this.outgoing.set(node, [letter]);
    else letters.push(letter);
  }

  flush(): void {
    const { outgoing } = this;
    this.outgoing = new Map();
    for (const [node, letters] of outgoing) this.post(node, letters);
  }

  private post(node: string, letters: readonly Letter[]): void {
    this.backplane.tell(node, 'r', JSON.stringify(letters)).then(
      (isHeard) => {
        if (!isHeard) for (const letter of letters) this.addressee?.returned(letter);
      },
      // Whether it was heard nobody knows: what is owed tells.
      (error: unknown) => this.logger.warn('receipts not sent to their node', { node, reason: String(error) }),
    );
  }
}
