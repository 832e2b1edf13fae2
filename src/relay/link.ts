import { CLOSE_CODES, type CloseCode, LIMITS } from '@relay/protocol';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { EntryId } from '../queue/entry-id.js';
import type { Flushable, Turn } from './turn.js';
import { assemble } from './wire.js';

/** The end of a flush: what the peer has, once the mark comes back. */
export interface Mark {
  /** The last entry sent. */
  readonly upTo: EntryId | null;
  /** The number of the last frame sent that is no entry but must be confirmed. */
  readonly unstored: number;
}

export interface MarkOwner {
  /** The peer has everything before it. */
  marked(mark: Mark): void;
}

interface SentMark {
  readonly payload: string;
  readonly mark: Mark;
}

/**
 * Pings on their way at once; a mark beyond waits for a pong and replaces the one that waits. Some WebSocket stacks end
 * a connection that sends them many pings while they cannot write their pongs (`ws`: 60).
 */
const MARKS_UNDER_WAY = 8;

const NONE: readonly string[] = [];

/** Until a connection listens. */
const NOBODY: MarkOwner = { marked: () => undefined };

/**
 * The sending side of one WebSocket. Frames gather during a turn and leave in one write on the socket under it: `ws` writes twice
 * a frame. `ws` still owns the connection: it reads, answers pings and closes. Both may write because `ws`, without
 * compression, writes at once and keeps nothing back.
 */
export class Link implements Flushable {
  /** Those of this turn; none between turns: a list that waits empty costs each connection as much as a full one. */
  private texts: string[] | null = null;
  private queuedChars = 0;
  private scheduled = false;
  /** Frames. */
  sent = 0;
  private mark: Mark | null = null;
  /** Oldest first. */
  private underWay: SentMark[] | null = null;
  /** An object, not a function: a function for each connection would be kept as long as it. */
  owner: MarkOwner = NOBODY;

  constructor(
    private readonly webSocket: WebSocket,
    private readonly socket: Duplex,
    private readonly turn: Turn,
    /** What brings a mark back: the peer's pong, or our socket once it has handed everything to the operating system. */
    private readonly marks: 'pong' | 'socket',
  ) {}

  get isOpen(): boolean {
    return this.webSocket.readyState === this.webSocket.OPEN;
  }

  /** Whether more waits for the peer than we keep for it. */
  get isCongested(): boolean {
    return this.queuedChars + this.socket.writableLength > LIMITS.socketBufferBytes;
  }

  /** Whether frames that may be left out should be: something waits, and they would only wait behind it. */
  get isBusy(): boolean {
    return this.queuedChars + this.socket.writableLength > LIMITS.unstoredBufferBytes;
  }

  get turnNumber(): number {
    return this.turn.number;
  }

  /** Runs once the sockets that are readable in this turn have been read. */
  afterOthers(work: Flushable): void {
    this.turn.schedule(work);
  }

  send(text: string): void {
    if (this.texts === null) this.texts = [text];
    else this.texts.push(text);
    this.queuedChars += text.length;
    this.schedule();
  }

  /** Marks the end of this turn's flush; its owner hears of it once the peer has everything before it. A later mark replaces it. */
  markAfter(mark: Mark): void {
    this.mark = mark;
    if (this.mayMark) this.schedule();
  }

  /** A pong came. True if it answers one of our marks, and with it all earlier ones (RFC 6455 §5.5.3). */
  ponged(payload: string): boolean {
    const { underWay } = this;
    const index = underWay?.findIndex((sent) => sent.payload === payload) ?? -1;
    if (underWay === null || index < 0) return false;
    const { mark } = underWay[index]!;
    if (index === underWay.length - 1) this.underWay = null;
    else underWay.splice(0, index + 1);
    if (this.mark !== null) this.schedule();
    this.owner.marked(mark);
    return true;
  }

  flush(): void {
    this.scheduled = false;
    const mark = this.mayMark ? this.mark : null;
    if (this.texts === null && mark === null) return;
    const texts = this.texts ?? NONE;
    this.texts = null;
    this.queuedChars = 0;
    if (mark !== null) this.mark = null;
    if (!this.isOpen) return;
    this.sent += texts.length;
    if (mark === null) this.socket.write(assemble(texts, null));
    else if (this.marks === 'pong') this.writeWithPing(texts, mark);
    else this.socket.write(assemble(texts, null), (error) => (error ? undefined : this.owner.marked(mark)));
  }

  /** Only asks whether the peer is there. */
  ping(): void {
    this.webSocket.ping();
  }

  /**
   * Larger frames are read from now on. `ws` takes its limit at the upgrade, when the client is a stranger, and offers no
   * way to raise it; this reaches into it, and the tests of large messages fail should that ever stop working.
   */
  allowFrames(maxBytes: number): void {
    const { _receiver: receiver } = this.webSocket as unknown as { _receiver?: { _maxPayload: number } };
    if (receiver !== undefined) receiver._maxPayload = maxBytes;
  }

  close(code: CloseCode): void {
    this.flush();
    this.webSocket.close(code, CLOSE_CODES[code].reason);
  }

  /** Without a closing handshake, for a peer that does not answer. */
  terminate(): void {
    this.webSocket.terminate();
  }

  pauseReading(): void {
    this.webSocket.pause();
  }

  resumeReading(): void {
    this.webSocket.resume();
  }

  private writeWithPing(texts: readonly string[], mark: Mark): void {
    const payload = mark.unstored === 0 ? (mark.upTo ?? '') : `${mark.upTo ?? ''}/${mark.unstored}`;
    if (this.underWay === null) this.underWay = [{ payload, mark }];
    else this.underWay.push({ payload, mark });
    this.socket.write(assemble(texts, payload));
  }

  private get mayMark(): boolean {
    return this.underWay === null || this.underWay.length < MARKS_UNDER_WAY;
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.turn.schedule(this);
  }
}
