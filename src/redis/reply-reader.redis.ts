import type { EventEmitter } from 'node:events';

/** What this needs of a connection of ioredis 6: who waits for which answer, in their order. */
export interface AnsweredConnection {
  readonly status: string;
  readonly condition: { readonly subscriber?: unknown } | null;
  readonly commandQueue: {
    readonly length: number;
    peekFront(): { readonly command: AnsweredCommand } | undefined;
    shift(): unknown;
  };
}

export interface AnsweredCommand {
  /** `utf8`: whoever sent it wants texts; ioredis turns its buffers into them. */
  replyEncoding?: string | null;
  resolve(reply: unknown): void;
}

export type HeardPublished = (channel: string, payload: string) => void;

type Reply = string | number | null | Reply[];

const CR = 0x0d;
const MINUS = 0x2d;
const ZERO = 0x30;
const ARRAY = 0x2a;
const BULK = 0x24;
const NUMBER = 0x3a;
const NULL = 0x5f;
/** `+-#,(`: what ends with its line. */
const LINES: ReadonlySet<number> = new Set([0x2b, 0x2d, 0x23, 0x2c, 0x28]);
/** `=!`: as many bytes as the line says. */
const OTHER_BULKS: ReadonlySet<number> = new Set([0x3d, 0x21]);
/** `~>%|`: as many values as the line says; of pairs twice as many, and what is an attribute comes before its value. */
const SET = 0x7e;
const PUSH = 0x3e;
const MAP = 0x25;
const ATTRIBUTE = 0x7c;

/** How what was published to a shard's channel begins; the channel and the payload follow. */
const PUBLISHED = Buffer.from('>3\r\n$8\r\nsmessage\r\n');

const FIRST_BYTES = 64 * 1024;
const KEPT_BYTES = 1024 * 1024;
const NONE = Buffer.alloc(0);

/**
 * Reads the answers of Redis that are texts, whole numbers, nothing, and arrays of these, straight into them, which are nearly all
 * that come: ioredis makes a buffer of each text, through a dozen look-ups of its own, and then a text of the buffer
 * (docs/decisions/0040-replies-read-into-texts.md). Likewise what is published to shards' channels, where somebody listens to it here.
 * Everything else goes to ioredis, byte for byte: errors, maps, what else comes by itself, and what somebody wants as bytes.
 */
export class ReplyReader {
  /** The beginning of an answer whose end has not come, in the first `kept` bytes; one buffer for all of a connection's. */
  private scratch = NONE;
  private kept = 0;
  /** What of the answer was looked at, from its start, and how many values of it are still to come. */
  private looked = 0;
  private missing = 1;
  private isPlain = true;
  /** Something came that is no answer: ioredis decides. */
  private isLost = false;
  private at = 0;

  private constructor(
    private readonly connection: AnsweredConnection,
    private readonly toLibrary: (chunk: Buffer) => void,
    private readonly heard: HeardPublished | null,
  ) {}

  /** On its `connect`, before anything came. Should ioredis be another inside one day, it reads everything: a test says so. */
  static attach(connection: AnsweredConnection, stream: EventEmitter, heard: HeardPublished | null = null): void {
    const [library, ...others] = stream.listeners('data') as ((chunk: Buffer) => void)[];
    if (library === undefined || others.length > 0 || !isAsKnown(connection)) return;
    const reader = new ReplyReader(connection, library, heard);
    stream.prependListener('data', (chunk: Buffer) => reader.read(chunk));
    stream.off('data', library);
  }

  static before(
    connection: AnsweredConnection,
    toLibrary: (chunk: Buffer) => void,
    heard: HeardPublished | null = null,
  ): (chunk: Buffer) => void {
    const reader = new ReplyReader(connection, toLibrary, heard);
    return (chunk) => reader.read(chunk);
  }

  private read(chunk: Buffer): void {
    if (this.isLost) return this.toLibrary(chunk);
    if (this.kept === 0) {
      const used = this.take(chunk, chunk.length);
      if (used < chunk.length && !this.isLost) this.keep(chunk, used);
      return;
    }
    this.keep(chunk, 0);
    const used = this.take(this.scratch, this.kept);
    if (this.isLost) return;
    this.kept -= used;
    if (this.kept === 0 && this.scratch.length > KEPT_BYTES) this.scratch = NONE;
    else if (used > 0) this.scratch.copyWithin(0, used, used + this.kept);
  }

  private keep(chunk: Buffer, from: number): void {
    const length = this.kept + chunk.length - from;
    if (length > this.scratch.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.scratch.length, FIRST_BYTES));
      this.scratch.copy(larger, 0, 0, this.kept);
      this.scratch = larger;
    }
    chunk.copy(this.scratch, this.kept, from);
    this.kept = length;
  }

  /** Answers as far as they are there; returns where the first begins that is not. */
  private take(bytes: Buffer, length: number): number {
    let start = 0;
    while (start < length && this.isWhole(bytes, start, length)) {
      const end = start + this.looked;
      const isPlain = this.isPlain;
      this.looked = 0;
      this.missing = 1;
      this.isPlain = true;
      this.answer(bytes, start, end, isPlain);
      start = end;
    }
    if (this.isLost) this.toLibrary(Buffer.from(bytes.subarray(start, length)));
    return start;
  }

  /** Goes on looking at the answer that begins at `start`. */
  private isWhole(bytes: Buffer, start: number, length: number): boolean {
    let at = start + this.looked;
    while (this.missing > 0) {
      const type = bytes[at]!;
      let count = 0;
      let end = at + 1;
      if (isLine(type)) while (end < length && bytes[end] !== CR) end++;
      else while (end < length && bytes[end] !== CR) count = count * 10 + (bytes[end++]! - ZERO);
      // Behind the line feed.
      end += 2;
      if (end > length) break;
      const isNothing = bytes[at + 1] === MINUS;
      let values = 0;
      if (type === BULK) {
        if (!isNothing) end += count + 2;
      } else if (type === ARRAY) {
        if (!isNothing) values = count;
      } else if (type !== NUMBER && type !== NULL) {
        this.isPlain = false;
        if (OTHER_BULKS.has(type)) end += count + 2;
        else if (type === SET || type === PUSH) values = count;
        else if (type === MAP) values = 2 * count;
        else if (type === ATTRIBUTE) values = 2 * count + 1;
        else if (!LINES.has(type)) this.isLost = true;
      }
      if (end > length || this.isLost) break;
      this.missing += values - 1;
      at = end;
    }
    this.looked = at - start;
    return this.missing === 0;
  }

  private answer(bytes: Buffer, start: number, end: number, isPlain: boolean): void {
    const { connection, heard } = this;
    if (heard !== null && isPublished(bytes, start, end)) {
      this.at = start + PUBLISHED.length;
      return heard(this.value(bytes) as string, this.value(bytes) as string);
    }
    const command = isPlain && connection.status === 'ready' ? connection.commandQueue.peekFront()?.command : undefined;
    if (command?.replyEncoding !== 'utf8' || Boolean(connection.condition?.subscriber)) {
      // A copy where the buffer is used again: somebody may keep what was asked for as bytes.
      const answer = bytes.subarray(start, end);
      return this.toLibrary(bytes === this.scratch ? Buffer.from(answer) : answer);
    }
    connection.commandQueue.shift();
    // There are no buffers in it that would have to become texts.
    command.replyEncoding = null;
    this.at = start;
    command.resolve(this.value(bytes));
  }

  private value(bytes: Buffer): Reply {
    const type = bytes[this.at]!;
    if (type === NUMBER) return this.number(bytes);
    const isNothing = type === NULL || bytes[this.at + 1] === MINUS;
    let at = this.at + 1;
    let count = 0;
    for (let byte = bytes[at]!; byte !== CR; byte = bytes[++at]!) count = count * 10 + (byte - ZERO);
    at += 2;
    this.at = at;
    if (isNothing) return null;
    if (type === BULK) {
      this.at = at + count + 2;
      return bytes.toString('utf8', at, at + count);
    }
    const values = new Array<Reply>(count);
    for (let i = 0; i < count; i++) values[i] = this.value(bytes);
    return values;
  }

  /** Apart from the others: where a number may be a time in ms, lengths would be reckoned in fractions as well. */
  private number(bytes: Buffer): number {
    const isNegative = bytes[this.at + 1] === MINUS;
    let at = this.at + (isNegative ? 2 : 1);
    let number = 0;
    for (let byte = bytes[at]!; byte !== CR; byte = bytes[++at]!) number = number * 10 + (byte - ZERO);
    this.at = at + 2;
    return isNegative ? -number : number;
  }
}

function isPublished(bytes: Buffer, start: number, end: number): boolean {
  const from = start + PUBLISHED.length;
  return bytes[start] === PUSH && from < end && PUBLISHED.compare(bytes, start, from) === 0;
}

/** Whether it is all in its first line, and that says no length. */
function isLine(type: number): boolean {
  return type !== BULK && type !== ARRAY && (type === NUMBER || type === NULL || LINES.has(type));
}

function isAsKnown({ commandQueue, condition }: AnsweredConnection): boolean {
  const { length, peekFront, shift } = commandQueue as Partial<AnsweredConnection['commandQueue']>;
  return (
    Number.isInteger(length) && typeof peekFront === 'function' && typeof shift === 'function' && condition !== null
  );
}
