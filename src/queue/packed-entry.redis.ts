import type { Address } from '@relay/protocol';
import type { EntryId } from './entry-id.js';
import { msOf, sequenceOf } from './entry-id.js';
import type { Entry, Receipt } from './queue.repository.js';

/** An entry as the log holds it, and until when anybody gets it, ms. Format: mailbox.lua. */
export interface Unpacked {
  readonly entry: Entry;
  readonly expiresAt: number;
}

const RECEIPTS: Readonly<Record<string, Receipt['kind']>> = { d: 'delivered', r: 'read', x: 'expired' };
export const RECEIPT_LETTERS = { delivered: 'd', read: 'r', expired: 'x' } as const;

const LINE_FEED = 0x0a;
const SPACE = 0x20;
const LAST_PRINTABLE = 0x7e;
const ZERO = 0x30;
const NINE = 0x39;
const PEER = /0x[0-9a-f]{40} /y;
const PEER_LENGTH = 42;
const LONGEST_MESSAGE_ID = 128;
const NOWHERE = -1;

/**
 * `null` for what no relay wrote. It is read number by number: one regular expression for all of it, and a text for each of its
 * parts, took as long as everything else that a message costs on its way out of a mailbox.
 */
export function unpackEntry(id: string, packed: string): Unpacked | null {
  const letter = packed[0] ?? '';
  const isMessage = letter === 'm' || letter === 'j';
  if (!isMessage && RECEIPTS[letter] === undefined) return null;
  // Messages and bytes up to it, and its own.
  const expiresFrom = numberEnd(packed, numberEnd(packed, numberEnd(packed, 1)));
  const sentFrom = numberEnd(packed, expiresFrom);
  const peerFrom = numberEnd(packed, sentFrom);
  if (peerFrom === NOWHERE) return null;
  PEER.lastIndex = peerFrom;
  if (!PEER.test(packed)) return null;
  const messageIdFrom = peerFrom + PEER_LENGTH + 1;
  const messageIdEnd = printableEnd(packed, messageIdFrom);
  if (messageIdEnd === NOWHERE) return null;
  const expiresAt = numberIn(packed, expiresFrom);
  const timestamp = numberIn(packed, sentFrom);
  const from = packed.slice(peerFrom, peerFrom + PEER_LENGTH) as Address;
  const messageId = packed.slice(messageIdFrom, messageIdEnd);
  const entryId = id as EntryId;
  const sequence = sequenceOf(entryId);
  if (!isMessage) {
    const kind = RECEIPTS[letter]!;
    return { entry: { kind, id: entryId, sequence, peer: from, messageId, timestamp }, expiresAt };
  }
  const text = packed.slice(messageIdEnd + 1);
  const content = letter === 'm' ? text : parseContent(text);
  if (content === null) return null;
  const queuedAt = msOf(entryId);
  return {
    entry: { kind: 'message', id: entryId, sequence, from, messageId, content, timestamp, queuedAt },
    expiresAt,
  };
}

/** Behind the digits at `at` and their space. */
function numberEnd(packed: string, at: number): number {
  if (at === NOWHERE) return NOWHERE;
  let end = at;
  let code = packed.charCodeAt(end);
  while (code >= ZERO && code <= NINE) code = packed.charCodeAt(++end);
  return end > at && code === SPACE ? end + 1 : NOWHERE;
}

function numberIn(packed: string, at: number): number {
  let number = 0;
  for (let code = packed.charCodeAt(at); code !== SPACE; code = packed.charCodeAt(++at))
    number = number * 10 + (code - ZERO);
  return number;
}

/** Where the line ends that has a messageId in it. */
function printableEnd(packed: string, at: number): number {
  let end = at;
  let code = packed.charCodeAt(end);
  while (code >= SPACE && code <= LAST_PRINTABLE) code = packed.charCodeAt(++end);
  const length = end - at;
  return code === LINE_FEED && length >= 1 && length <= LONGEST_MESSAGE_ID ? end : NOWHERE;
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
