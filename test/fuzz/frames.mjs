// @ts-check
/** The grammar of what clients send. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { CLIENT_FRAME_TYPES, LIMITS } from '@relay/protocol';
import { membersOf, mutated } from './mutations.mjs';
import { addressOf, NAMES, OFFLINE } from './values.mjs';

/** @typedef {fc.Arbitrary<Record<string, unknown>>} Fields */

const address = fc.oneof(fc.constantFrom(...NAMES), fc.constantFrom(...OFFLINE));
const messageId = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: LIMITS.messageIdLength }),
  // Repeats, and repeats with other content.
  fc.constantFrom('a', 'b', 'c'),
);
const entryId = fc.tuple(fc.nat(), fc.nat(5)).map(([ms, sequence]) => `${ms}-${sequence}`);
const count = fc.nat(Number.MAX_SAFE_INTEGER);
const addresses = fc.oneof(fc.array(address, { maxLength: 20 }), fc.constant(Array(501).fill(addressOf(9))));
const deviceId = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const hex = (/** @type {number} */ digits) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits });
const proof = {
  scheme: fc.constantFrom('idena', 'idena-prefix', 'eip191'),
  signature: fc.oneof(
    hex(130).map((digits) => `0x${digits}`),
    // The points where arithmetic may end: zeros, the group's order and its half.
    fc.constantFrom('00', 'ff', '7f').map((byte) => `0x${byte.repeat(65)}`),
  ),
};

/** Right frames of every type. @type {Readonly<Record<string, Fields>>} */
const VALID = {
  auth: fc.oneof(fc.record({ address }), fc.record({ address, ...proof })),
  message: fc.record(
    {
      to: address,
      content: fc.string({ unit: 'binary', minLength: 1 }),
      messageId,
      timestamp: count,
      ttlSeconds: count.map((n) => n + 1),
      ephemeral: fc.boolean(),
    },
    { requiredKeys: ['to', 'content', 'messageId'] },
  ),
  typing: fc.record({ to: address, isTyping: fc.boolean() }),
  read_receipt: fc.record({ to: address, messageId }),
  signal: fc.record({ to: address, data: fc.string({ unit: 'binary' }) }),
  subscribe_presence: fc.record({ addresses }),
  unsubscribe_presence: fc.record({ addresses }),
  set_presence: fc.record({ visible: fc.boolean() }),
  ping: fc.constant({}),
  hello: fc.record(
    {
      v: fc.constant(2),
      address,
      deviceId,
      token: fc.stringMatching(/^[!-~]{1,80}$/),
      challenge: fc.boolean(),
      window: fc.integer({ min: 1, max: LIMITS.maxWindowEntries }),
    },
    { requiredKeys: ['v', 'address', 'deviceId'] },
  ),
  ack: fc.record({ upTo: entryId }),
  history: fc.record(
    { before: fc.oneof(entryId, fc.constant(null)), limit: fc.integer({ min: 1, max: LIMITS.pageSize }) },
    { requiredKeys: [] },
  ),
};

const forgotten = CLIENT_FRAME_TYPES.filter((type) => !(type in VALID));
if (forgotten.length > 0) throw new Error(`the grammar has no ${forgotten.join(', ')}`);

/** Frames that move something come more often than openings, which come too late in a session. @type {(type: string) => number} */
const weightOf = (type) => (type === 'message' ? 4 : type === 'auth' || type === 'hello' ? 1 : 2);

/** Any frame, right or mutated, with names where the addresses of a case's people belong. */
export const frameText = fc.oneof(
  ...Object.entries(VALID).map(([type, fields]) => ({
    weight: weightOf(type),
    arbitrary: mutated(fields.map((frame) => membersOf({ type, ...frame }))),
  })),
);

/** A right opening of a classic connection, or of a device. */
export const opening = fc.oneof(
  fc.constant({ type: 'auth', address: 'self' }),
  fc
    .record({ deviceId: fc.constantFrom('phone', 'desk'), window: fc.constantFrom(1, 2, 64) })
    .map((fields) => ({ type: 'hello', v: 2, address: 'self', ...fields })),
);

/** Puts the addresses of a case's people where their names stand. @type {(text: string, people: Readonly<Record<string, string>>) => string} */
export function named(text, people) {
  const pattern = new RegExp(`"(${Object.keys(people).join('|')})"`, 'g');
  // As it arrives: a lone surrogate does not survive UTF-8.
  return Buffer.from(text.replace(pattern, (_, name) => JSON.stringify(people[String(name)]))).toString();
}
