// @ts-check
/** What a frame is, told once more in other words than the relay's own; and what the relay may say. */
import { Buffer } from 'node:buffer';
import { CLOSE_CODES, ERRORS, LIMITS } from '@relay/protocol';

/** @typedef {Record<string, unknown>} Fields */

const DIGITS = '0123456789abcdefABCDEF';

/** @param {unknown} value */
export const isAddress = (value) =>
  typeof value === 'string' &&
  value.length === 42 &&
  value.startsWith('0x') &&
  [...value.slice(2)].every((digit) => DIGITS.includes(digit)) &&
  [...value.slice(2)].some((digit) => digit !== '0');
/** @param {unknown} value @returns {value is string} */
export const isMessageId = (value) =>
  typeof value === 'string' && value.length > 0 && value.length <= 128 && [...value].every((c) => c >= ' ' && c <= '~');
/** @param {unknown} value */
const isCount = (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
/** @param {unknown} value */
const isEntryId = (value) => typeof value === 'string' && /^\d{1,15}-\d{1,15}$/.test(value);
/** @param {unknown} value */
const isText = (value) => typeof value === 'string';
/** @param {unknown} value */
const isFlag = (value) => typeof value === 'boolean';
/** @type {(value: unknown, low: number, high: number) => boolean} */
const isBetween = (value, low, high) => isCount(value) && Number(value) >= low && Number(value) <= high;

/** @param {string} text @returns {Fields | null} */
export function fieldsOf(text) {
  try {
    /** @type {unknown} */
    const value = JSON.parse(text);
    return typeof value === 'object' && !Array.isArray(value) ? /** @type {Fields | null} */ (value) : null;
  } catch {
    return null;
  }
}

/** @typedef {{ version: 1 | 2, keepsHistory: boolean }} Situation */

/** @type {Readonly<Record<string, (fields: Fields, situation: Situation) => boolean | string>>} */
const CHECKS = {
  // Signed in already.
  auth: () => false,
  hello: () => false,
  message: ({ to, content, messageId, timestamp = 0, ttlSeconds = 1, ephemeral = false }) =>
    isAddress(to) &&
    isCount(timestamp) &&
    isCount(ttlSeconds) &&
    ttlSeconds !== 0 &&
    isText(content) &&
    content !== '' &&
    isMessageId(messageId) &&
    isFlag(ephemeral),
  typing: ({ to, isTyping }) => isAddress(to) && isFlag(isTyping),
  read_receipt: ({ to, messageId }) => isAddress(to) && isMessageId(messageId),
  signal: ({ to, data }) =>
    isAddress(to) && isText(data) && (Buffer.byteLength(String(data)) <= LIMITS.signalBytes || 'too_large'),
  subscribe_presence: ({ addresses }) => areAddresses(addresses),
  unsubscribe_presence: ({ addresses }) => areAddresses(addresses),
  set_presence: ({ visible }) => isFlag(visible),
  ping: () => true,
  ack: ({ upTo }, { version }) => isEntryId(upTo) && (version === 2 || 'unsupported'),
  history: ({ before = null, limit = 1 }, { keepsHistory }) =>
    isBetween(limit, 1, LIMITS.pageSize) && (before === null || isEntryId(before)) && (keepsHistory || 'unsupported'),
};

/** @param {unknown} list */
function areAddresses(list) {
  if (!Array.isArray(list)) return false;
  return list.length <= LIMITS.addressesPerRequest ? list.every(isAddress) : 'too_large';
}

/**
 * The frame's type where it is right, else the code of the error that answers it at once.
 * @type {(text: string, situation: Situation) => string}
 */
export function expectedOf(text, situation) {
  const fields = fieldsOf(text);
  if (fields === null || typeof fields.type !== 'string') return 'bad_message';
  if (!Object.hasOwn(CHECKS, fields.type)) return 'unsupported';
  const verdict = CHECKS[fields.type]?.(fields, situation);
  if (typeof verdict === 'string') return verdict;
  return verdict === true ? fields.type : 'bad_message';
}

/** @type {readonly unknown[]} */
export const AT_ONCE = ['bad_message', 'unsupported', 'too_large'];

/** Whether an unproven relay believes this opening. @param {Fields | null} fields */
export function isOpening(fields) {
  if (!isAddress(fields?.address)) return false;
  if (fields?.type === 'auth') return fields.scheme === undefined && fields.signature === undefined;
  const { v, deviceId, token = 't', challenge = false, window = 1 } = fields ?? {};
  const isDevice = typeof deviceId === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(deviceId) && deviceId !== 'classic';
  const isToken = typeof token === 'string' && /^[\x21-\x7e]{1,512}$/.test(token);
  return fields?.type === 'hello' && v === 2 && isDevice && isToken && isFlag(challenge) && isBetween(window, 1, 1024);
}

/** Every frame the relay sends is one of these, with these members and no others. @type {Readonly<Record<string, Readonly<Record<string, (value: unknown) => boolean>>>>} */
const SHAPES = {
  auth_success: {
    address: isAddress,
    timestamp: isCount,
    'v?': (value) => value === 2,
    'deviceId?': isText,
    'sessionId?': isText,
    'token?': isText,
    'tokenExpiresAt?': isCount,
    'limits?': (value) => typeof value === 'object',
    'pending?': isCount,
  },
  challenge: { nonce: isText, expiresAt: isCount },
  key_changed: { address: isAddress, updatedAt: isCount, 'version?': isCount },
  session_opened: { address: isAddress, deviceId: isText, openedAt: isCount },
  sync_complete: { upTo: (value) => value === null || isEntryId(value) },
  history: { entries: Array.isArray, next: (value) => value === null || isEntryId(value) },
  error: {
    code: (value) => Object.hasOwn(ERRORS, String(value)) && value !== 'internal',
    message: (value) => typeof value === 'string' && value.length > 0,
    retryable: isFlag,
    'messageId?': isMessageId,
    'outcome?': (value) => value === 'refused' || value === 'unknown',
    'retryAfterMs?': isCount,
  },
  queued: { messageId: isMessageId, to: isAddress, timestamp: isCount },
  delivered: { messageId: isMessageId, to: isAddress, timestamp: isCount, 'id?': isEntryId },
  message: {
    from: isAddress,
    content: (value) => typeof value === 'string' && value.length > 0,
    messageId: isMessageId,
    timestamp: isCount,
    'queued?': (value) => value === true,
    'id?': isEntryId,
  },
  typing: { from: isAddress, isTyping: isFlag },
  signal: { from: isAddress, data: isText },
  read: { from: isAddress, messageId: isMessageId, timestamp: isCount, 'id?': isEntryId },
  expired: { messageId: isMessageId, to: isAddress, 'id?': isEntryId },
  gap: { reason: (value) => value === 'expired' || value === 'dropped', count: isCount },
  presence: { address: isAddress, status: (value) => value === 'online' || value === 'offline', 'lastSeen?': isCount },
  pong: { timestamp: isCount },
};

/** What is wrong with a text that the relay sent, or `null`. @param {string} text */
export function faultOf(text) {
  const { type, ...members } = fieldsOf(text) ?? {};
  const shape = SHAPES[String(type)];
  if (shape === undefined) return `a frame that no client knows: ${text.slice(0, 200)}`;
  const wrong = Object.entries(members).filter(([name, value]) => !(shape[name] ?? shape[`${name}?`])?.(value));
  const missing = Object.keys(shape).filter((name) => !name.endsWith('?') && !(name in members));
  if (wrong.length + missing.length === 0) return null;
  return `${text.slice(0, 200)}: wrong are ${wrong.map(([name]) => name).join()}, missing ${missing.join()}`;
}

/** 1011 would be a bug of ours. @param {number} code */
export const isReason = (code) => code !== 1011 && (code === 1005 || Object.hasOwn(CLOSE_CODES, code));
