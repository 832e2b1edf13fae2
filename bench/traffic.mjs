// @ts-check
/**
 * The messages of one run: how they are built without serialising, and recognised without parsing.
 *
 * A `messageId` is 21 characters: 8 of the run, 4 of the pair, 9 of the sequence number. The content begins with the same
 * 21 characters and goes on with a part of a random text known to both ends, so a message is checked byte by byte, and a message
 * that carries another one's content is found. Which part follows from the message, for no two ciphertexts look alike. What the
 * quick look does not recognise is parsed as JSON: the order of the members, blanks or escapes can cost the generator time, never a
 * wrong verdict.
 */
import { randomBytes } from 'node:crypto';
import { packetIdOf } from './mqtt.mjs';

export const OTHER = 0;
export const MESSAGE = 1;
export const QUEUED = 2;
export const DELIVERED = 3;
export const ERROR = 4;

const RUN_LENGTH = 8;
const PAIR_LENGTH = 4;
const SEQUENCE_LENGTH = 9;
const ID_LENGTH = RUN_LENGTH + PAIR_LENGTH + SEQUENCE_LENGTH;
/** So many parts of the text, each a character further on; a prime, so that the messages of a pair take all of them in turn. */
const PARTS = 16_381;
const STEP = 61;
const QUOTE = 0x22;
const TYPE = Buffer.from('{"type":"');

/** @type {Record<string, number>} */
const KINDS = { message: MESSAGE, queued: QUEUED, delivered: DELIVERED, error: ERROR };

/** @type {(chunk: Buffer, at: number, expected: Uint8Array) => boolean} */
function matches(chunk, at, expected) {
  for (let i = 0; i < expected.length; i++) if (chunk[at + i] !== expected[i]) return false;
  return true;
}

/** @type {(chunk: Buffer, at: number, length: number) => number} the decimal number there, or NaN */
function digits(chunk, at, length) {
  let value = 0;
  for (let i = at; i < at + length; i++) {
    const digit = (chunk[i] ?? 0) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** A string member of a frame. Frames of one type look alike, so it is looked for where it was the last time. */
class Member {
  #offset = 0;

  /** @param {string} name */
  constructor(name) {
    this.key = Buffer.from(`"${name}":"`);
  }

  /** @type {(chunk: Buffer, start: number, end: number) => number} where its value begins, or -1 */
  find(chunk, start, end) {
    let at = start + this.#offset;
    if (!matches(chunk, at, this.key)) {
      at = chunk.indexOf(this.key, start);
      if (at < 0 || at >= end) return -1;
      this.#offset = at - start;
    }
    return at + this.key.length;
  }
}

export class Traffic {
  // What the last call of `read` found, as members because a result object per message is too dear.
  pair = -1;
  sequence = -1;
  intact = true;
  detail = '';

  #run = randomBytes(RUN_LENGTH / 2).toString('hex');
  #runBytes = Buffer.from(this.#run);
  #text;
  #fillerLength;
  /** @type {Buffer[]} of each pair, the sender's address and the closing quote */
  #senders = [];
  /** By kind, because each kind has it at a place of its own. */
  #ids = [OTHER, MESSAGE, QUEUED, DELIVERED].map(() => new Member('messageId'));
  #from = new Member('from');
  #content = new Member('content');

  #wire;
  #isFanIn;

  /** @param {{ pairs: number, size: number, wire: import('./wire.mjs').Wire, fanIn?: boolean }} options  `size`: characters of content; `fanIn`: all to one */
  constructor({ pairs, size, wire, fanIn = false }) {
    this.#wire = wire;
    this.#isFanIn = fanIn;
    if (size < ID_LENGTH) throw new RangeError(`a content needs at least ${ID_LENGTH} characters`);
    if (pairs > 10 ** PAIR_LENGTH) throw new RangeError(`at most ${10 ** PAIR_LENGTH} pairs`);
    this.#fillerLength = size - ID_LENGTH;
    this.#text = Buffer.from(randomBytes(this.#fillerLength + PARTS).toString('base64'));
    for (let i = 0; i < pairs; i++) this.#senders.push(Buffer.from(`${this.sender(i)}"`));
  }

  /** @param {number} pair */
  sender(pair) {
    return `0x${'5'.repeat(24)}${this.#run}${String(pair).padStart(8, '0')}`;
  }

  /** @param {number} pair */
  recipient(pair) {
    return `0x${'a'.repeat(24)}${this.#run}${String(this.#isFanIn ? 0 : pair).padStart(8, '0')}`;
  }

  /**
   * `count` frames of one pair in a row, to be numbered with `number` and written as one.
   * @param {number} pair @param {number} count
   */
  block(pair, count) {
    const messageId = this.#run + String(pair).padStart(PAIR_LENGTH, '0') + '0'.repeat(SEQUENCE_LENGTH);
    const content = messageId + this.#filler(pair, 0);
    const message = { from: this.sender(pair), to: this.recipient(pair), content, messageId };
    const { bytes: one, json, packetId, mask } = this.#wire.envelope(message);
    const sequences = [json.indexOf(messageId), json.lastIndexOf(messageId)].map((id) => id + RUN_LENGTH + PAIR_LENGTH);
    const filler = json.indexOf(content) + ID_LENGTH;
    const bytes = Buffer.concat(Array.from({ length: count }, () => one));
    const headerLength = one.length - json.length;
    const isMasked = mask.some((byte) => byte !== 0);
    return { pair, bytes, frameLength: one.length, headerLength, sequences, filler, packetId, mask, isMasked };
  }

  /** @type {(block: ReturnType<Traffic['block']>, index: number, sequence: number) => void} */
  number(block, index, sequence) {
    const { pair, bytes, frameLength, headerLength, sequences, filler, packetId, mask, isMasked } = block;
    const payload = index * frameLength + headerLength;
    for (const at of sequences) {
      for (let i = at + SEQUENCE_LENGTH - 1, rest = sequence; i >= at; i--) {
        const next = (rest / 10) | 0;
        bytes[payload + i] = (0x30 + rest - next * 10) ^ (mask[i & 3] ?? 0);
        rest = next;
      }
    }
    const part = partOf(pair, sequence);
    this.#text.copy(bytes, payload + filler, part, part + this.#fillerLength);
    if (isMasked) {
      for (let i = filler; i < filler + this.#fillerLength; i++) {
        bytes[payload + i] = (bytes[payload + i] ?? 0) ^ (mask[i & 3] ?? 0);
      }
    }
    if (packetId >= 0) bytes.writeUInt16BE(packetIdOf(sequence), index * frameLength + packetId);
  }

  /**
   * What a frame is; `pair`, `sequence`, `intact` (of a message) and `detail` (of an error) tell the rest.
   * A frame about a message of nobody here has pair -1.
   * @type {(chunk: Buffer, start: number, end: number) => number}
   */
  read(chunk, start, end) {
    const kind = this.#kind(chunk, start);
    const at = kind === OTHER ? -1 : (this.#ids[kind]?.find(chunk, start, end) ?? -1);
    if (at < 0 || !this.#identify(chunk, at)) return this.#parse(chunk, start, end);
    this.intact = true;
    return kind !== MESSAGE || this.#looksIntact(chunk, start, end, at) ? kind : this.#parse(chunk, start, end);
  }

  /** @type {(chunk: Buffer, start: number, end: number, id: number) => boolean} */
  #looksIntact(chunk, start, end, id) {
    const sender = this.#senders[this.pair];
    const from = this.#from.find(chunk, start, end);
    const content = this.#content.find(chunk, start, end);
    if (sender === undefined || from < 0 || content < 0) return false;
    const filler = content + ID_LENGTH;
    const fillerEnd = filler + this.#fillerLength;
    const part = partOf(this.pair, this.sequence);
    return (
      fillerEnd < end &&
      // So that a longer content is not taken for ours.
      chunk[fillerEnd] === QUOTE &&
      matches(chunk, from, sender) &&
      chunk.compare(chunk, id, id + ID_LENGTH, content, filler) === 0 &&
      chunk.compare(this.#text, part, part + this.#fillerLength, filler, fillerEnd) === 0
    );
  }

  /**
   * The kind by its first letter and length: enough, because `#parse` decides on everything that then looks odd.
   * @type {(chunk: Buffer, start: number) => number}
   */
  #kind(chunk, start) {
    if (!matches(chunk, start, TYPE)) return OTHER;
    const name = start + TYPE.length;
    if (chunk[name] === 0x6d) return chunk[name + 7] === QUOTE ? MESSAGE : OTHER;
    if (chunk[name] === 0x64) return chunk[name + 9] === QUOTE ? DELIVERED : OTHER;
    return chunk[name] === 0x71 && chunk[name + 6] === QUOTE ? QUEUED : OTHER;
  }

  /** @type {(chunk: Buffer, at: number) => boolean} */
  #identify(chunk, at) {
    const pair = digits(chunk, at + RUN_LENGTH, PAIR_LENGTH);
    const sequence = digits(chunk, at + RUN_LENGTH + PAIR_LENGTH, SEQUENCE_LENGTH);
    const ours = pair < this.#senders.length && sequence >= 0 && chunk[at + ID_LENGTH] === QUOTE;
    if (!ours || !matches(chunk, at, this.#runBytes)) return false;
    this.pair = pair;
    this.sequence = sequence;
    return true;
  }

  /** @type {(chunk: Buffer, start: number, end: number) => number} */
  #parse(chunk, start, end) {
    this.detail = chunk.toString('utf8', start, end);
    /** @type {unknown} */
    const json = JSON.parse(this.detail);
    const frame = /** @type {Record<'type' | 'messageId' | 'content' | 'from', string>} */ (json);
    const id = Buffer.from(`${frame.messageId}"`);
    if (!this.#identify(id, 0)) this.pair = this.sequence = -1;
    this.intact =
      frame.content === frame.messageId + this.#filler(this.pair, this.sequence) &&
      this.#senders[this.pair]?.equals(Buffer.from(`${frame.from}"`)) === true;
    return KINDS[frame.type] ?? OTHER;
  }

  /** @type {(pair: number, sequence: number) => string} */
  #filler(pair, sequence) {
    const part = partOf(pair, sequence);
    return this.#text.toString('latin1', part, part + this.#fillerLength);
  }
}

/** Where it begins; of a message that is none of ours (-1, -1) it is any. @type {(pair: number, sequence: number) => number} */
function partOf(pair, sequence) {
  return Math.abs(sequence * STEP + pair) % PARTS;
}
