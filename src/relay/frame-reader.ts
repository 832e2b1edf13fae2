import { Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import { unmask } from './unmask.js';

/** What this needs of the receiver of `ws` 8: its place in the stream, and what it may still take. */
export interface Receiver {
  write(chunk: Buffer): boolean;
  readonly writableEnded: boolean;
  readonly _errored: boolean;
  /** 0: before a frame. */
  readonly _state: number;
  readonly _bufferedBytes: number;
  /** The opcode of the message whose fragments are coming, or 0. */
  readonly _fragmented: number;
  readonly _maxPayload: number;
  [READER]?: FrameReader;
}

/** Who gets the texts. */
export interface TextOwner {
  receive(text: string): void;
}

/** Of a receiver: who reads before it. */
const READER = Symbol('reader');
/** That of the receiver, a stream that adds nothing to it. */
const { write } = Writable.prototype as unknown as Pick<Receiver, 'write'>;

const WHOLE_TEXT = 0x81;
const FIN = 0x80;
const CONTROL = 0x08;
const MASKED = 0x80;
const REPLACEMENT = '\ufffd';
/** As much of a frame whose end has not come is kept here; a larger one is for `ws`, which bounds its pieces. */
const KEPT_BYTES = 4096;
const INCOMPLETE = -1;
const FOREIGN = -2;

/**
 * Reads whole text frames straight from what the socket brought, which is nearly all that clients send: `ws` cuts each into four
 * buffers and tells of it through two emitters (docs/decisions/0037-whole-text-frames.md). Everything else is left to `ws`, byte
 * for byte as it came: fragments, control frames, frames that are too large, not masked or not UTF-8, those of 64 KiB and more,
 * and those that arrive in many pieces.
 */
export class FrameReader {
  /** The beginning of a frame. */
  private rest: Buffer | null = null;

  private constructor(
    private readonly receiver: Receiver,
    private readonly owner: TextOwner,
  ) {}

  /** Before the socket has brought anything. Should `ws` be another inside one day, it reads everything: a test says so. */
  static attach(webSocket: WebSocket, owner: TextOwner): void {
    const { _receiver: receiver } = webSocket as unknown as { _receiver?: Receiver };
    if (receiver !== undefined && isAsKnown(receiver)) FrameReader.before(receiver, owner);
  }

  static before(receiver: Receiver, owner: TextOwner): void {
    receiver[READER] = new FrameReader(receiver, owner);
    receiver.write = FrameReader.write;
  }

  /** One for all receivers: a function for each would be kept as long as it. */
  private static write(this: Receiver, chunk: Buffer): boolean {
    return this[READER]!.read(chunk);
  }

  /** As `write` of a stream: false where nothing more should come for now. */
  private read(chunk: Buffer): boolean {
    if (!this.isBetweenFrames()) return this.toWs(chunk);
    const { rest } = this;
    if (rest === null) return this.readFrames(chunk, false);
    this.rest = null;
    return this.readFrames(Buffer.concat([rest, chunk]), true);
  }

  private readFrames(chunk: Buffer, isKept: boolean): boolean {
    let goesOn = true;
    let at = 0;
    while (at < chunk.length) {
      const end = frameEnd(chunk, at, this.receiver._maxPayload);
      if (end === INCOMPLETE) return this.keep(chunk.subarray(at), isKept && at === 0) && goesOn;
      if (end !== FOREIGN && this.readText(chunk, at, end)) {
        at = end;
        continue;
      }
      const passed = end === FOREIGN ? controlFrameEnd(chunk, at) : end;
      goesOn = this.toWs(chunk.subarray(at, passed)) && goesOn;
      at = passed;
      // After a closing frame, or a broken one, nothing counts.
      if (!this.isBetweenFrames()) return goesOn;
    }
    return goesOn;
  }

  private isBetweenFrames(): boolean {
    const { writableEnded, _errored, _state, _bufferedBytes, _fragmented } = this.receiver;
    return _state === 0 && _bufferedBytes === 0 && _fragmented === 0 && !_errored && !writableEnded;
  }

  /** False: it is not UTF-8, and as it came. */
  private readText(chunk: Buffer, at: number, end: number): boolean {
    const start = payloadStart(chunk, at);
    unmask(chunk, start, end);
    const text = chunk.toString('utf8', start, end);
    // It stands for bytes that are no UTF-8; where it was sent itself, `ws` finds that all is well.
    if (text.includes(REPLACEMENT)) {
      unmask(chunk, start, end);
      return false;
    }
    this.owner.receive(text);
    return true;
  }

  private toWs(chunk: Buffer): boolean {
    return write.call(this.receiver, chunk);
  }

  /** Once for each frame: to put one together that comes in many small pieces would cost more with each. */
  private keep(beginning: Buffer, isKept: boolean): boolean {
    if (isKept || beginning.length > KEPT_BYTES) return this.toWs(beginning);
    // A copy: it would keep the whole chunk.
    this.rest = Buffer.from(beginning);
    return true;
  }
}

function isAsKnown(receiver: Receiver): boolean {
  const { _state, _bufferedBytes, _fragmented, _errored, _maxPayload } = receiver;
  const numbers = [_state, _bufferedBytes, _fragmented, _maxPayload];
  return receiver.write === write && numbers.every(Number.isInteger) && _maxPayload > 0 && !_errored;
}

/** Where the text frame at `at` ends; `FOREIGN` where it is no such frame, or none that is allowed. */
function frameEnd(chunk: Buffer, at: number, maxPayload: number): number {
  if (chunk[at] !== WHOLE_TEXT) return FOREIGN;
  if (at + 1 === chunk.length) return INCOMPLETE;
  const second = chunk[at + 1]!;
  if ((second & MASKED) === 0 || second === (MASKED | 127)) return FOREIGN;
  if (second === (MASKED | 126) && at + 4 > chunk.length) return INCOMPLETE;
  const length = payloadLength(chunk, at);
  if (length > maxPayload) return FOREIGN;
  const end = payloadStart(chunk, at) + length;
  return end > chunk.length ? INCOMPLETE : end;
}

/** Where the control frame at `at` ends, more text may come; where there is none, or not the whole of it: the end of all. */
function controlFrameEnd(chunk: Buffer, at: number): number {
  const isControl = (chunk[at]! & FIN) !== 0 && (chunk[at]! & CONTROL) !== 0;
  if (!isControl || at + 1 === chunk.length) return chunk.length;
  const length = chunk[at + 1]! & 0x7f;
  return length > 125 ? chunk.length : Math.min(chunk.length, at + 6 + length);
}

/** Behind the length and the masking key. */
function payloadStart(chunk: Buffer, at: number): number {
  return at + ((chunk[at + 1]! & 0x7f) === 126 ? 8 : 6);
}

function payloadLength(chunk: Buffer, at: number): number {
  const length = chunk[at + 1]! & 0x7f;
  return length === 126 ? (chunk[at + 2]! << 8) | chunk[at + 3]! : length;
}
