// @ts-check
/** What may stand where something else is expected. */
import fc from 'fast-check';

/** A case's own people, whose addresses are new in every run; and two who have nothing to do with it. */
export const NAMES = /** @type {const} */ (['self', 'other', 'third', 'alice', 'bob']);

/** @param {number} n */
export const addressOf = (n) => `0x${n.toString(16).padStart(40, '0')}`;

export const OFFLINE = Array.from({ length: 20 }, (_, i) => addressOf(0x500 + i));

const TEXTS = ['', ' ', '\0', '\n', '\r\n', '\u001b[31m', '\ud800', '\udfff\ud800', '\ufeff', '\u202e', '\u2028', '😀'];
const WORDS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'then',
  'toJSON',
  '{tag}',
  '*',
  '$',
  '..',
  '%00',
  '0-0',
];
const ADDRESSES = [
  `0x${'0'.repeat(40)}`,
  `0X${'a'.repeat(40)}`,
  `0x${'a'.repeat(39)}`,
  `0x${'a'.repeat(41)}`,
  `0x${'１'.repeat(40)}`,
  `${addressOf(7)}\n`,
];
/** Around the bounds of the protocol, and far beyond them. */
const LENGTHS = [64, 65, 128, 129, 512, 513, 4096, 4097, 16_384, 16_385, 131_072];

export const oddText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom(...TEXTS),
  fc.constantFrom(...WORDS),
  fc.constantFrom(...ADDRESSES),
  fc.tuple(fc.constantFrom('x', '€', '\0'), fc.constantFrom(...LENGTHS)).map(([one, count]) => one.repeat(count)),
);

/** As JSON has them, or nearly. */
const NUMBERS = ['-1', '-0', '0', '0.5', '1e400', '-1e400', '9007199254740991', '9007199254740992', '1e-400', '1E2'];
const NOT_NUMBERS = ['00', '0x1', 'NaN', '+1', '.5', '1.', 'Infinity', '1n'];
const NESTED = [
  '['.repeat(5000) + ']'.repeat(5000),
  `${'{"a":'.repeat(3000)}0${'}'.repeat(3000)}`,
  '{"a":'.repeat(500),
];
const STRUCTURES = ['null', 'true', 'false', '[]', '{}', '', ',', '{"toString":"x"}', '{"length":1}', '[[[]]]'];
const PROTOTYPES = ['{"__proto__":{"type":"ping"}}', '{"constructor":{"prototype":{"x":1}}}', '{"__proto__":null}'];

/** A piece of JSON text that need not be any. */
export const oddValue = fc.oneof(
  oddText.map((text) => JSON.stringify(text)),
  fc.constantFrom(...NUMBERS, ...NOT_NUMBERS),
  fc.jsonValue().map((value) => JSON.stringify(value)),
  fc.constantFrom(...STRUCTURES, ...PROTOTYPES),
  fc.constantFrom(...NESTED),
);
