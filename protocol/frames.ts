import type { Address } from './address.js';
import { ERRORS, type ErrorCode } from './errors.js';
import type { Proof } from './identity.js';

/** What a client may send, after `decodeClientFrame` has checked it. `timestamp`s are integer milliseconds since 1970. */
export type ClientFrame =
  | AuthFrame
  | HelloFrame
  | MessageFrame
  | { readonly type: 'ack'; readonly upTo: string }
  | HistoryFrame
  | { readonly type: 'typing'; readonly to: Address; readonly isTyping: boolean }
  | { readonly type: 'read_receipt'; readonly to: Address; readonly messageId: string }
  | { readonly type: 'signal'; readonly to: Address; readonly data: string }
  | { readonly type: 'subscribe_presence'; readonly addresses: readonly Address[] }
  | { readonly type: 'unsubscribe_presence'; readonly addresses: readonly Address[] }
  | { readonly type: 'set_presence'; readonly visible: boolean }
  | { readonly type: 'ping' };

/** Opens a connection of the first protocol, where policy believes it; with a proof it answers a challenge. */
export interface AuthFrame {
  readonly type: 'auth';
  readonly address: Address;
  readonly proof: Proof | null;
}

/** Opens a connection of version 2: a device with a place of its own in the mailbox. */
export interface HelloFrame {
  readonly type: 'hello';
  readonly address: Address;
  readonly deviceId: string;
  /** Of an earlier sign-in of this device; a stale one is answered with a challenge. */
  readonly token: string | null;
  /** Wants a challenge also where the relay would believe the address. */
  readonly challenge: boolean;
  /** Entries that may be unacknowledged at a time. */
  readonly window: number | null;
}

export interface HistoryFrame {
  readonly type: 'history';
  readonly before: string | null;
  readonly limit: number | null;
}

export interface MessageFrame {
  readonly type: 'message';
  readonly to: Address;
  readonly content: string;
  readonly messageId: string;
  readonly timestamp: number | null;
  readonly ttlSeconds: number | null;
  readonly ephemeral: boolean;
}

export type Verdict = 'queued' | 'delivered';
/** Whether a failed send was surely not stored, or must be asked again (with the same messageId: safe). */
export type Outcome = 'refused' | 'unknown';
export type GapReason = 'expired' | 'dropped';

/** What the relay sends, except the two frames of the hot path, which are assembled below. */
export type ServerFrame =
  | { readonly type: 'auth_success'; readonly address: Address; readonly timestamp: number }
  | WelcomeFrame
  /** `nonce` is to be signed before `expiresAt`, integer ms since 1970, and only if it names the relay that is meant. */
  | { readonly type: 'challenge'; readonly nonce: string; readonly expiresAt: number }
  /** The public key of the connection's own address was replaced or deleted, whoever did it. */
  | { readonly type: 'key_changed'; readonly address: Address; readonly updatedAt: number; readonly version?: number }
  /** A link that a wallet confirmed has given a browser a session of the connection's own address. */
  | { readonly type: 'session_opened'; readonly address: Address; readonly deviceId: string; readonly openedAt: number }
  | { readonly type: 'sync_complete'; readonly upTo: string | null }
  | {
      readonly type: 'history';
      readonly entries: readonly (OutgoingMessage & { readonly type: 'message' })[];
      /** Pass as `before` for older ones; `null` at the end. */
      readonly next: string | null;
    }
  | { readonly type: 'typing'; readonly from: Address; readonly isTyping: boolean }
  | {
      readonly type: 'read';
      readonly from: Address;
      readonly messageId: string;
      readonly timestamp: number;
      readonly id?: string;
    }
  | { readonly type: 'signal'; readonly from: Address; readonly data: string }
  | {
      readonly type: 'presence';
      readonly address: Address;
      readonly status: 'online' | 'offline';
      readonly lastSeen?: number;
    }
  | { readonly type: 'expired'; readonly messageId: string; readonly to: Address; readonly id?: string }
  | { readonly type: 'gap'; readonly reason: GapReason; readonly count: number }
  | { readonly type: 'pong'; readonly timestamp: number }
  | { readonly type: 'going_away'; readonly reconnectAfterMs: number }
  | ErrorFrame;

/** `auth_success` as version 2 has it. */
export interface WelcomeFrame {
  readonly type: 'auth_success';
  readonly address: Address;
  readonly timestamp: number;
  readonly v: 2;
  readonly deviceId: string;
  readonly sessionId: string;
  /** After a proof only: opens the device again without one, until `tokenExpiresAt`, ms since 1970, which every use moves on. */
  readonly token?: string;
  readonly tokenExpiresAt?: number;
  readonly limits: {
    readonly maxFrameBytes: number;
    readonly window: number;
    readonly maxOfflineMessages: number;
    readonly retentionHours: number;
  };
  /** Entries between this device's cursor and the newest, as far as the relay knows. */
  readonly pending: number;
}

export interface ErrorFrame {
  readonly type: 'error';
  readonly code: ErrorCode;
  readonly message: string;
  readonly messageId?: string;
  readonly outcome?: Outcome;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

export const encodeFrame = (frame: ServerFrame): string => JSON.stringify(frame);

export interface ErrorDetails {
  readonly message?: string | undefined;
  readonly messageId?: string | undefined;
  readonly outcome?: Outcome | undefined;
  readonly retryAfterMs?: number | undefined;
}

export function errorFrame(code: ErrorCode, details: ErrorDetails = {}): string {
  const { message = ERRORS[code].text, ...rest } = details;
  // JSON leaves out members that are undefined.
  return JSON.stringify({ type: 'error', code, message, ...rest, retryable: ERRORS[code].retryable });
}

/** What JSON writes otherwise than it is; surrogates are, where they stand alone. */
const NOT_PLAIN = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;
/** Shorter than this, ids for example, the expression is faster. */
const WORTH_ENCODING = 64;
const ENCODED_AT_ONCE = 16_384;
const SPACE = 0x20;
const encoder = new TextEncoder();
/** One for all: filled and read within one call; behind the text is room for the rest of its last word. */
const encoded = new Uint8Array(ENCODED_AT_ONCE + 4);
const words = new Int32Array(encoded.buffer);

/** As JSON.stringify, in a fraction of the time where there is nothing to escape: there never is in ciphertext, and hardly in ids. */
export function quoted(text: string): string {
  return isPlain(text) ? `"${text}"` : JSON.stringify(text);
}

function isPlain(text: string): boolean {
  const { length } = text;
  if (length < WORTH_ENCODING) return !NOT_PLAIN.test(text);
  for (let start = 0; start < length; start += ENCODED_AT_ONCE) {
    const part = length <= ENCODED_AT_ONCE ? text : text.slice(start, start + ENCODED_AT_ONCE);
    const { read, written } = encoder.encodeInto(part, encoded);
    const isAscii = read === part.length && written === part.length;
    if (!isAscii) return !NOT_PLAIN.test(text);
    if (hasEscapes(written)) return false;
  }
  return true;
}

/** Whether one of so many ASCII characters is a control character, a quote or a backslash, four at a time: such a byte sets the top bit of its place. */
function hasEscapes(length: number): boolean {
  encoded.fill(SPACE, length, length + 3);
  let found = 0;
  for (let i = 0; i << 2 < length; i++) {
    const word = words[i]!;
    const quotes = word ^ 0x22222222;
    const backslashes = word ^ 0x5c5c5c5c;
    found |= (word - 0x20202020) & ~word;
    found |= (quotes - 0x01010101) & ~quotes;
    found |= (backslashes - 0x01010101) & ~backslashes;
  }
  return (found & 0x80808080) !== 0;
}

/** Assembled by hand: JSON.stringify of the whole object costs twice as much, and this runs once per message. */
export function statusFrame(verdict: Verdict, messageId: string, to: Address, timestamp: number): string {
  return `{"type":"${verdict}","messageId":${quoted(messageId)},"to":"${to}","timestamp":${timestamp}}`;
}

export interface OutgoingMessage {
  readonly id: string;
  readonly from: Address;
  readonly content: string;
  readonly messageId: string;
  readonly timestamp: number;
}

/** `queued`: the entry waited in the mailbox before this connection could get it. */
export function messageFrame(message: OutgoingMessage, queued: boolean): string {
  const { from, content, messageId, timestamp, id } = message;
  return (
    `{"type":"message","from":"${from}","content":${quoted(content)},"messageId":${quoted(messageId)}` +
    `,"timestamp":${timestamp}${queued ? ',"queued":true' : ''},"id":"${id}"}`
  );
}

/** The delivery receipt as it waits in a mailbox: a status with the entry's id. */
export function deliveredReceiptFrame(id: string, messageId: string, to: Address, timestamp: number): string {
  return JSON.stringify({ type: 'delivered', messageId, to, timestamp, id });
}
