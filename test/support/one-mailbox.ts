import type { Address } from '@relay/protocol';
import type { MailboxLimits, MessageEntry, NewMessage, QueueRepository } from '../../src/queue/queue.repository.js';
import { addressOf } from './classic-client.js';

export const HOUR_MS = 60 * 60 * 1000;
export const RULES = { retentionMs: HOUR_MS, historyMs: 0, maxReceipts: 1000, maxDevices: 10 };
export const ROOMY: MailboxLimits = { maxMessages: 1000, maxBytes: 10_000_000, senderShare: 1, overflow: 'reject' };
export const BOX = addressOf(1) as Address;
export const ALICE = addressOf(2) as Address;
export const BOB = addressOf(3) as Address;

export const message = (messageId: string, more: Partial<NewMessage> = {}): NewMessage => ({
  from: ALICE,
  messageId,
  content: `content of ${messageId}`,
  timestamp: 5,
  ttlMs: HOUR_MS,
  ...more,
});

/** Appends to `BOX` and insists that it was stored. */
export async function storeIn(
  queue: QueueRepository,
  messageId: string,
  more: Partial<NewMessage> = {},
  limits = ROOMY,
): Promise<MessageEntry> {
  const appended = await queue.append(BOX, message(messageId, more), limits);
  if (appended.kind !== 'stored') throw new Error(JSON.stringify(appended));
  return appended.entry;
}
