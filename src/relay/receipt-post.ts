import type { Address } from '@relay/protocol';
import type { Backplane } from '../backplane/backplane.js';
import type { Clock } from '../common/clock.js';
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

/** What one turn has for one node. */
interface Bag {
  readonly letters: Letter[];
  /** Of all of them. */
  readonly posted: Promise<void>;
  readonly resolve: () => void;
}

/**
 * Takes word of acknowledgements to the nodes whose connections wait for it, what one turn has for a node in one message
 * (docs/decisions/0042-receipts-between-nodes.md). One that gets lost is owed still, and passed on when that is due.
 */
export class ReceiptPost implements Flushable {
  /** By node. */
  private outgoing = new Map<string, Bag>();
  private addressee: Addressee | undefined;
  private lastSentAt = -Infinity;

  constructor(
    private readonly backplane: Backplane,
    private readonly turn: Turn,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    backplane.listen('r', (_, payload) => this.receive(payload));
  }

  observe(addressee: Addressee): void {
    this.addressee = addressee;
  }

  /** Resolves when it was taken, returned, or is lost: what this node says to anybody from then on comes after it. */
  send(node: string, letter: Letter): Promise<void> {
    this.lastSentAt = this.clock.monotonic();
    if (this.outgoing.size === 0) this.turn.schedule(this);
    let bag = this.outgoing.get(node);
    if (bag === undefined) this.outgoing.set(node, (bag = emptyBag()));
    bag.letters.push(letter);
    return bag.posted;
  }

  /** Whether something was sent in the last so many ms. */
  hasSentWithin(ms: number): boolean {
    return this.clock.monotonic() - this.lastSentAt < ms;
  }

  flush(): void {
    const { outgoing } = this;
    this.outgoing = new Map();
    for (const [node, bag] of outgoing) void this.post(node, bag);
  }

  private async post(node: string, { letters, resolve }: Bag): Promise<void> {
    try {
      const isHeard = await this.backplane.tell(node, 'r', JSON.stringify(letters));
      if (!isHeard) for (const letter of letters) this.addressee?.returned(letter);
    } catch (error) {
      // Whether it was heard nobody knows: what is owed tells.
      this.logger.warn('receipts not sent to their node', { node, reason: String(error) });
    } finally {
      resolve();
    }
  }

  private receive(payload: string): void {
    const letters = JSON.parse(payload) as unknown;
    if (!Array.isArray(letters)) return;
    for (const letter of letters as unknown[]) if (isLetter(letter)) this.addressee?.received(letter);
  }
}

function emptyBag(): Bag {
  let resolve = (): void => undefined;
  const posted = new Promise<void>((done) => (resolve = done));
  return { letters: [], posted, resolve };
}

/** Of a version that says more or less, as far as it is understood: everything else stays owed. */
function isLetter(value: unknown): value is Letter {
  const { mailbox, messages, owed } = (value ?? {}) as Partial<Record<keyof Letter, unknown>>;
  if (typeof mailbox !== 'string' || !Array.isArray(messages) || (owed !== null && typeof owed !== 'string'))
    return false;
  return (messages as unknown[]).every((message) => {
    const { from, messageId } = (message ?? {}) as Partial<Record<'from' | 'messageId', unknown>>;
    return typeof from === 'string' && typeof messageId === 'string';
  });
}
