import { type Address, LIMITS } from '@relay/protocol';
import type { EntryId } from './entry-id.js';
import type { Tally } from './pending-load.memory.js';

/** What is kept of a message for as long as it may be repeated or read. */
export interface RememberedMessage {
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
/** With its key and its place in the map, about. */
export const RECORD_COST_BYTES = 300;

/** One mailbox's messages by (sender, messageId): those that wait, and at least the last 512. */
export class RememberedMessages {
  /** Made when first needed: most mailboxes of connected users never got a message. */
  private messages: Map<string, RememberedMessage> | null = null;
  private pruneAt = LIMITS.rememberedMessages + PRUNE_SLACK;

  constructor(private readonly tally: Tally) {}

  find(from: Address, messageId: string): RememberedMessage | undefined {
    return this.messages?.get(from + messageId);
  }

  /** `furthest`: messages after that sequence wait. */
  add(from: Address, messageId: string, message: RememberedMessage, furthest: number): void {
    const messages = (this.messages ??= new Map<string, RememberedMessage>());
    messages.set(from + messageId, message);
    this.tally.bytes += RECORD_COST_BYTES;
    if (messages.size < this.pruneAt) return;
    this.forgetOldest(messages, furthest);
    // Not with each message, where most of them wait.
    this.pruneAt = Math.max(messages.size, LIMITS.rememberedMessages) + PRUNE_SLACK;
  }

  /** The mailbox goes. */
  forgetAll(): void {
    this.tally.bytes -= (this.messages?.size ?? 0) * RECORD_COST_BYTES;
    this.messages = null;
  }

  /** Insertion order is sequence order. Those that wait stay wherever they stand, and end nothing: what expired after them goes. */
  private forgetOldest(messages: Map<string, RememberedMessage>, furthest: number): void {
    let older = messages.size - (LIMITS.rememberedMessages + 1);
    for (const [key, { sequence, lost }] of messages) {
      if (older-- <= 0) return;
      if (sequence > furthest && !lost) continue;
      messages.delete(key);
      this.tally.bytes -= RECORD_COST_BYTES;
    }
  }
}
