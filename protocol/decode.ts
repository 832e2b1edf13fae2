import { type Address, parseAddress } from './address.js';
import type { ErrorCode } from './errors.js';
import type { ClientFrame } from './frames.js';
import { isScheme, isSignature } from './identity.js';
import { LIMITS } from './limits.js';

/** Why a frame was refused. `messageId` is set where the frame carried a usable one, so the sender can match it. */
export class Rejection {
  constructor(
    readonly code: ErrorCode,
    readonly messageId?: string,
    readonly message?: string,
  ) {}
}

type Fields = Record<string, unknown>;
type Decoder = (fields: Fields) => ClientFrame | Rejection | ErrorCode;

const DEVICE_ID = /^[A-Za-z0-9_-]{1,64}$/;
/** What all connections of the first protocol share. */
const CLASSIC = 'classic';
const ENTRY_ID = /^\d{1,15}-\d{1,15}$/;
const TOKEN = /^[\x21-\x7e]{1,512}$/;
const MESSAGE_ID = /^[\x20-\x7e]{1,128}$/;

/** A name that a client may give its device; the one that connections of the first protocol share is nobody's own. */
export function isDeviceId(value: unknown): value is string {
  return typeof value === 'string' && DEVICE_ID.test(value) && value !== CLASSIC;
}

/**
 * Checks one text frame. Only the named fields are looked at, never walked, so depth and size of the rest cost
 * nothing after `JSON.parse`, which takes any depth.
 */
export function decodeClientFrame(text: string): ClientFrame | Rejection {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    return new Rejection('bad_message');
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return new Rejection('bad_message');
  return decodeFields(fields as Fields);
}

function decodeFields(fields: Fields): ClientFrame | Rejection {
  const result = typeof fields.type === 'string' ? decodeAs(fields.type, fields) : 'bad_message';
  if (typeof result === 'object' && !(result instanceof Rejection)) return result;
  const messageId = isMessageId(fields.messageId) ? fields.messageId : undefined;
  return result instanceof Rejection
    ? new Rejection(result.code, messageId, result.message)
    : new Rejection(result, messageId);
}

function decodeAs(type: string, fields: Fields): ClientFrame | Rejection | ErrorCode {
  const decoder = DECODERS.get(type);
  return decoder === undefined ? 'unsupported' : decoder(fields);
}

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['message', decodeMessage],
  ['auth', decodeAuth],
  ['hello', decodeHello],
  ['ack', decodeAck],
  ['history', decodeHistory],
  ['typing', decodeTyping],
  ['read_receipt', decodeReadReceipt],
  ['signal', decodeSignal],
  ['subscribe_presence', (fields) => decodeAddresses('subscribe_presence', fields)],
  ['unsubscribe_presence', (fields) => decodeAddresses('unsubscribe_presence', fields)],
  ['set_presence', decodeSetPresence],
  ['ping', () => ({ type: 'ping' })],
]);

/** The types a client may send, for documents and tests that must not forget one. */
export const CLIENT_FRAME_TYPES: readonly string[] = [...DECODERS.keys()];

function decodeMessage(fields: Fields): ClientFrame | ErrorCode {
  const { content, messageId, timestamp, ttlSeconds, ephemeral } = fields;
  const to = parseAddress(fields.to);
  if (to === null || typeof content !== 'string' || content === '' || !isMessageId(messageId)) return 'bad_message';
  if (timestamp !== undefined && !isCount(timestamp)) return 'bad_message';
  if (ttlSeconds !== undefined && (!isCount(ttlSeconds) || ttlSeconds === 0)) return 'bad_message';
  if (ephemeral !== undefined && typeof ephemeral !== 'boolean') return 'bad_message';
  return {
    type: 'message',
    to,
    content,
    messageId,
    timestamp: timestamp ?? null,
    ttlSeconds: ttlSeconds ?? null,
    ephemeral: ephemeral ?? false,
  };
}

/** A signature that is none in form is refused here, before any arithmetic. */
function decodeAuth({ address, scheme, signature }: Fields): ClientFrame | ErrorCode {
  const parsed = parseAddress(address);
  if (parsed === null) return 'auth_failed';
  if (scheme === undefined && signature === undefined) return { type: 'auth', address: parsed, proof: null };
  if (!isScheme(scheme) || !isSignature(signature)) return 'auth_failed';
  return { type: 'auth', address: parsed, proof: { scheme, signature } };
}

/** Wrong in any part, it is no opening: the client is told why, and closed. */
function decodeHello({ v, address, deviceId, token, challenge, window }: Fields): ClientFrame | Rejection {
  const parsed = parseAddress(address);
  const failed = (why: string): Rejection => new Rejection('auth_failed', undefined, why);
  if (parsed === null) return failed('address must be an address');
  if (v !== 2) return failed('v must be 2');
  if (!isDeviceId(deviceId)) {
    return failed(`deviceId must be 1 to 64 of A-Z a-z 0-9 _ -, and not "${CLASSIC}"`);
  }
  if (token !== undefined && (typeof token !== 'string' || !TOKEN.test(token))) return failed('token must be a token');
  if (challenge !== undefined && typeof challenge !== 'boolean') return failed('challenge must be true or false');
  if (window !== undefined && (!isCount(window) || window < 1 || window > LIMITS.maxWindowEntries)) {
    return failed(`window must be a whole number from 1 to ${LIMITS.maxWindowEntries}`);
  }
  return {
    type: 'hello',
    address: parsed,
    deviceId,
    token: token ?? null,
    challenge: challenge ?? false,
    window: window ?? null,
  };
}

function decodeAck({ upTo }: Fields): ClientFrame | ErrorCode {
  return isEntryId(upTo) ? { type: 'ack', upTo } : 'bad_message';
}

function decodeHistory({ before, limit }: Fields): ClientFrame | ErrorCode {
  if (before !== undefined && before !== null && !isEntryId(before)) return 'bad_message';
  if (limit !== undefined && (!isCount(limit) || limit < 1 || limit > LIMITS.pageSize)) return 'bad_message';
  return { type: 'history', before: before ?? null, limit: limit ?? null };
}

function decodeTyping(fields: Fields): ClientFrame | ErrorCode {
  const to = parseAddress(fields.to);
  if (to === null || typeof fields.isTyping !== 'boolean') return 'bad_message';
  return { type: 'typing', to, isTyping: fields.isTyping };
}

function decodeReadReceipt(fields: Fields): ClientFrame | ErrorCode {
  const to = parseAddress(fields.to);
  if (to === null || !isMessageId(fields.messageId)) return 'bad_message';
  return { type: 'read_receipt', to, messageId: fields.messageId };
}

function decodeSignal(fields: Fields): ClientFrame | ErrorCode {
  const to = parseAddress(fields.to);
  if (to === null || typeof fields.data !== 'string') return 'bad_message';
  if (utf8Length(fields.data) > LIMITS.signalBytes) return 'too_large';
  return { type: 'signal', to, data: fields.data };
}

function decodeAddresses(type: 'subscribe_presence' | 'unsubscribe_presence', fields: Fields): ClientFrame | ErrorCode {
  if (!Array.isArray(fields.addresses)) return 'bad_message';
  if (fields.addresses.length > LIMITS.addressesPerRequest) return 'too_large';
  const addresses: Address[] = [];
  for (const value of fields.addresses) {
    const address = parseAddress(value);
    if (address === null) return 'bad_message';
    addresses.push(address);
  }
  return { type, addresses };
}

function decodeSetPresence(fields: Fields): ClientFrame | ErrorCode {
  return typeof fields.visible === 'boolean' ? { type: 'set_presence', visible: fields.visible } : 'bad_message';
}

/** Printable ASCII only: other code points can collide once stored (lone surrogates become one and the same). */
function isMessageId(value: unknown): value is string {
  return typeof value === 'string' && MESSAGE_ID.test(value);
}

function isEntryId(value: unknown): value is string {
  return typeof value === 'string' && ENTRY_ID.test(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function utf8Length(text: string): number {
  // Three bytes a code unit is the most; only strings that could exceed the bound are counted.
  return text.length * 3 <= LIMITS.signalBytes ? text.length : new TextEncoder().encode(text).length;
}
