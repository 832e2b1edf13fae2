import type { Address } from '@relay/protocol';
import type { Owed, OwedReceipts, Receipt } from './queue.repository.js';

/** What mailbox.lua's `owe` wrote. */
export interface OwedItem {
  readonly owed: Owed;
  readonly mailbox: Address;
  readonly kind: Receipt['kind'];
  /** When it happened, ms. */
  readonly at: number;
  /** Only what comes after this sequence was acknowledged for the first time. */
  readonly before: number;
  readonly silent: readonly (readonly [from: number, to: number])[];
  readonly messages: readonly (readonly [sequence: number, sender: Address, messageId: string])[];
}

/** `reply`: name, JSON, name, JSON… What cannot be read is left out. */
export function parseOwed(bucket: number, reply: readonly string[]): OwedItem[] {
  const items: OwedItem[] = [];
  for (let i = 0; i < reply.length; i += 2) {
    try {
      const { silent = '', before = 0, ...rest } = JSON.parse(reply[i + 1]!) as OwedItem & { silent?: string };
      const ranges = silent.split(' ').map((range) => range.split('-', 2).map(Number) as [number, number]);
      if (!isWellFormed(rest)) throw new TypeError('not what mailbox.lua writes');
      items.push({ ...rest, before, silent: ranges, owed: `${bucket}/${reply[i]!}` });
    } catch {
      // Written by somebody else: there is nothing to pass on.
    }
  }
  return items;
}

function isWellFormed({ mailbox, messages, kind, at }: Partial<OwedItem>): boolean {
  const isMessage = (one: unknown): boolean => Array.isArray(one) && one.length === 3;
  const isKind = kind === 'delivered' || kind === 'read' || kind === 'expired';
  return (
    isKind &&
    typeof mailbox === 'string' &&
    typeof at === 'number' &&
    Array.isArray(messages) &&
    messages.every(isMessage)
  );
}

export function receiptsOf({ kind, mailbox, at, before, silent, messages }: OwedItem): OwedReceipts['receipts'] {
  const isOwed = (sequence: number): boolean =>
    sequence > before && !silent.some(([from, to]) => from <= sequence && sequence <= to);
  return messages
    .filter(([sequence]) => isOwed(sequence))
    .map(([, to, messageId]) => ({ to, receipt: { kind, peer: mailbox, messageId, timestamp: at } }));
}
