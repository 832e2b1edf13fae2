import { CLOSE_CODES, type CloseCode, LIMITS } from '@relay/protocol';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Flushable, Turn } from './turn.js';
import { assemble } from './wire.js';

/**
 * The sending side of one WebSocket. Frames gather during a turn and leave in one write on the socket under it: `ws` writes twice
 * a frame. `ws` still owns the connection: it reads, answers pings and closes. Both may write because `ws`, without
 * compression, writes at once and keeps nothing back.
 */
export class Link implements Flushable {
  private texts: string[] = [];
  private scheduled = false;
  private mark: string | null = null;
  /** Hears the mark of a flush: from a pong, or from the socket where `marks` is `socket`. */
  onMark: (mark: string) => void = ignore;

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

  /** Bytes that the peer has not taken from us yet. */
  get bufferedBytes(): number {
    return this.socket.writableLength;
  }

  get isCongested(): boolean {
    return this.socket.writableLength > LIMITS.socketBufferBytes;
  }

  send(text: string): void {
    this.texts.push(text);
    this.schedule();
  }

  /** Marks the end of this turn's flush: the mark comes back once the peer has everything before it. A later one replaces it. */
  markAfter(mark: string): void {
    this.mark = mark;
    this.schedule();
  }

  flush(): void {
    this.scheduled = false;
    const { texts, mark } = this;
    if (texts.length === 0 && mark === null) return;
    this.texts = [];
    this.mark = null;
    if (!this.isOpen) return;
    if (this.marks === 'pong' || mark === null) {
      this.socket.write(assemble(texts, mark));
      return;
    }
    this.socket.write(assemble(texts, null), (error) => (error ? undefined : this.onMark(mark)));
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

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.turn.schedule(this);
  }
}

function ignore(): void {
  // Until a connection listens.
}
