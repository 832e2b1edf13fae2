import type { Address } from '@relay/protocol';
import type { EntryId } from './entry-id.js';
import { msOf, sequenceOf } from './entry-id.js';
import type { Entry, MessageEntry } from './queue.repository.js';

/** An entry as the log holds it, and until when anybody gets it, ms. Format: mailbox.lua. */
export interface Unpacked {
  readonly entry: Entry;
  readonly expiresAt: number;
}

const HEADER = /^([mjdrx])\d+ \d+ \d+ (\d+) (\d+) (0x[0-9a-f]{40}) ([\x20-\x7e]{1,128})\n/;
const RECEIPTS = { d: 'delivered', r: 'read', x: 'expired' } as const;
export const RECEIPT_LETTERS = { delivered: 'd', read: 'r', expired: 'x' } as const;

/** `null` for what no relay wrote. */
export function unpackEntry(id: string, packed: string): Unpacked | null {
  const header = HEADER.exec(packed);
  if (header === null) return null;
  const [{ length }, letter, expires, sent, peer, messageId] = header as unknown as [string, ...string[]];
  // Members one by one: a spread would be a sixth of the whole.
  const entryId = id as EntryId;
  const sequence = sequenceOf(entryId);
  const timestamp = Number(sent);
  const expiresAt = Number(expires);
  if (letter !== 'm' && letter !== 'j') {
    const kind = RECEIPTS[letter as keyof typeof RECEIPTS];
    return {
      entry: { kind, id: entryId, sequence, peer: peer as Address, messageId: messageId!, timestamp },
      expiresAt,
    };
  }
  const content = letter === 'm' ? packed.slice(length) : parseContent(packed.slice(length));
  if (content === null) return null;
  const message: MessageEntry = {
    kind: 'message',
    id: entryId,
    sequence,
    from: peer as Address,
    messageId: messageId!,
    content,
    timestamp,
    queuedAt: msOf(entryId),
  };
  return { entry: message, expiresAt };
}

/** UTF-8 has no lone surrogates; where a content has some it is stored as a JSON string, which can name them. */
export function packContent(content: string): { readonly letter: 'm' | 'j'; readonly text: string } {
  return isWellFormed(content) ? { letter: 'm', text: content } : { letter: 'j', text: JSON.stringify(content) };
}

function parseContent(json: string): string | null {
  try {
    const content: unknown = JSON.parse(json);
    return typeof content === 'string' ? content : null;
  } catch {
    return null;
  }
}

function isWellFormed(text: string): boolean {
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed();
}
