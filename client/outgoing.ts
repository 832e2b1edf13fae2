import type { Address } from '@relay/protocol';
import type { ClientError } from './errors.js';

/** What became of a message that was sent. `peer` is whom it was sent to. */
export interface Receipt {
  readonly kind: 'queued' | 'delivered' | 'read' | 'expired';
  readonly messageId: string;
  readonly peer: Address;
  /** The relay's, ms since 1970; `null` where it says none. */
  readonly timestamp: number | null;
  /** Set where it waited in the mailbox. */
  readonly id: string | null;
}

/** How far a message is. `expired` ends it as `read` does. */
const RANKS = { queued: 1, delivered: 2, expired: 3, read: 3 } as const;
/** Of messages whose fate somebody may still wait for, or that may be told again. */
const MAX_TRACKED = 4096;

/** A message on its way. Its promises never reject unheard: who does not look at them need not catch. */
export class OutgoingMessage {
  /** The relay has it: `queued` or `delivered`. Rejects where it was refused for good. */
  readonly accepted: Promise<Receipt>;
  /** A device of the recipient has it. Rejects with `expired`, or as `accepted` does. */
  readonly delivered: Promise<Receipt>;
  readonly read: Promise<Receipt>;
  private readonly steps: readonly { readonly rank: number; readonly deferred: Deferred }[];
  private rank = 0;

  constructor(
    readonly messageId: string,
    readonly to: Address,
  ) {
    this.steps = [RANKS.queued, RANKS.delivered, RANKS.read].map((rank) => ({ rank, deferred: new Deferred() }));
    [this.accepted, this.delivered, this.read] = this.steps.map(({ deferred }) => deferred.promise) as [
      Promise<Receipt>,
      Promise<Receipt>,
      Promise<Receipt>,
    ];
  }

  /** False where that, or more, was known already. */
  advance(receipt: Receipt): boolean {
    const rank = RANKS[receipt.kind];
    if (rank <= this.rank) return false;
    this.rank = rank;
    for (const step of this.steps) if (step.rank <= rank) step.deferred.resolve(receipt);
    return true;
  }

  /** What was not reached yet never will be. */
  fail(error: ClientError): void {
    this.rank = RANKS.read;
    for (const { deferred } of this.steps) deferred.reject(error);
  }

  get isDone(): boolean {
    return this.rank === RANKS.read;
  }
}

class Deferred {
  resolve!: (receipt: Receipt) => void;
  reject!: (error: ClientError) => void;
  readonly promise = new Promise<Receipt>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor() {
    this.promise.catch(() => undefined);
  }
}

/** Who waits for what, by messageId; beyond a bound the oldest are no longer told. */
export class Tracked {
  private readonly messages = new Map<string, OutgoingMessage>();

  get(messageId: string): OutgoingMessage | undefined {
    return this.messages.get(messageId);
  }

  add(message: OutgoingMessage): OutgoingMessage {
    this.messages.set(message.messageId, message);
    if (this.messages.size > MAX_TRACKED) this.messages.delete(this.messages.keys().next().value!);
    return message;
  }

  /** False for one that says no more than is known. One of a message from before this process is always news. */
  advance(receipt: Receipt, expired: () => ClientError): boolean {
    const message = this.messages.get(receipt.messageId);
    // Ids are the sender's own choice, so another recipient may have one of the same.
    if (message?.to !== receipt.peer) return true;
    const isExpired = receipt.kind === 'expired' && !message.isDone;
    const isNews = isExpired || message.advance(receipt);
    if (isExpired) message.fail(expired());
    return isNews;
  }

  fail(messageId: string, error: ClientError): void {
    this.messages.get(messageId)?.fail(error);
    this.messages.delete(messageId);
  }

  failAll(error: ClientError): void {
    for (const messageId of [...this.messages.keys()]) this.fail(messageId, error);
  }
}
