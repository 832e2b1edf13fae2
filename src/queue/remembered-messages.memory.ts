import { type Address, LIMITS } from '@relay/protocol';
import type { EntryId } from './entry-id.js';
import type { Tally } from './pending-load.memory.js';

/** What is kept of a message for as long as it may be repeated or read. */
export interface RememberedMessage {
  readonly from: Address;
  readonly messageId: string;
  readonly sequence: number;
  readonly id: EntryId;
  readonly fingerprint: number;
  read: boolean;
  /** It expired or was dropped, so no cursor that passes it acknowledges it. */
  lost: boolean;
  /** A device took it while its sender was blocked, who must not find out. */
  hidden: boolean;
}

const PRUNE_SLACK = 256;
const NONE: RememberedMessage[] = [];
/** With its key and its place in the map, about. */
export const RECORD_COST_BYTES = 300;

/** One mailbox's messages by (sender, messageId): those that wait, and at least the last 512. */
export class RememberedMessages {
  /**
   * By sender, then by messageId: a key of both would be put together and hashed for each message. Made when first needed:
   * most mailboxes of connected users never got a message.
   */
  private senders: Map<Address, Map<string, RememberedMessage>> | null = null;
  /** All of them, in the order of their sequences. */
  private all: RememberedMessage[] = NONE;
  private pruneAt = LIMITS.rememberedMessages + PRUNE_SLACK;

  constructor(private readonly tally: Tally) {}

  find(from: Address, messageId: string): RememberedMessage | undefined {
    return this.senders?.get(from)?.get(messageId);
  }

  /** One that `find` does not find. `furthest`: messages after that sequence wait. */
  add(message: RememberedMessage, furthest: number): void {
    if (this.senders === null) {
      this.senders = new Map();
      this.all = [];
    }
    const messages = this.senders.get(message.from);
    if (messages === undefined) this.senders.set(message.from, new Map([[message.messageId, message]]));
    else messages.set(message.messageId, message);
    this.tally.bytes += RECORD_COST_BYTES;
    if (this.all.push(message) < this.pruneAt) return;
    this.forgetOldest(furthest);
    // Not with each message, where most of them wait.
    this.pruneAt = Math.max(this.all.length, LIMITS.rememberedMessages) + PRUNE_SLACK;
  }

  /** The mailbox goes. */
  forgetAll(): void {
    this.tally.bytes -= this.all.length * RECORD_COST_BYTES;
    this.senders = null;
    this.all = NONE;
  }

  /** Those that wait stay wherever they stand, and end nothing: what expired after them goes. */
  private forgetOldest(furthest: number): void {
    const older = this.all.length - (LIMITS.rememberedMessages + 1);
    const kept: RememberedMessage[] = [];
    for (let i = 0; i < older; i++) {
      const message = this.all[i]!;
      if (message.sequence > furthest && !message.lost) kept.push(message);
      else this.forget(message);
    }
    this.all = kept.concat(this.all.slice(older));
  }

  private forget({ from, messageId }: RememberedMessage): void {
    const messages = this.senders?.get(from);
    messages?.delete(messageId);
    if (messages?.size === 0) this.senders?.delete(from);
    this.tally.bytes -= RECORD_COST_BYTES;
  }
}
