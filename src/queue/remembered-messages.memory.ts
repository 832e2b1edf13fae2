import { type Address, LIMITS } from '@relay/protocol';
import type { EntryId } from './entry-id.js';

/** What is kept of a message for as long as it may be repeated or read. */
export interface RememberedMessage {
  readonly sequence: number;
  readonly id: EntryId;
  readonly fingerprint: number;
  read: boolean;
  /** It expired or was dropped, so no cursor that passes it acknowledges it. */
  lost: boolean;
}

const PRUNE_SLACK = 256;

/** One mailbox's messages by (sender, messageId): those that wait, and at least the last 512. */
export class RememberedMessages {
  /** Made when first needed: most mailboxes of connected users never got a message. */
  private messages: Map<string, RememberedMessage> | null = null;

  find(from: Address, messageId: string): RememberedMessage | undefined {
    return this.messages?.get(from + messageId);
  }

  /** `furthest`: messages after that sequence wait. */
  add(from: Address, messageId: string, message: RememberedMessage, furthest: number): void {
    const messages = (this.messages ??= new Map<string, RememberedMessage>());
    messages.set(from + messageId, message);
    if (messages.size >= LIMITS.rememberedMessages + PRUNE_SLACK) forgetOldest(messages, furthest);
  }
}

/** Insertion order is sequence order, so the first that must stay ends the search. */
function forgetOldest(messages: Map<string, RememberedMessage>, furthest: number): void {
  for (const [key, { sequence, lost }] of messages) {
    const waits = sequence > furthest && !lost;
    if (waits || messages.size <= LIMITS.rememberedMessages + 1) return;
    messages.delete(key);
  }
}
