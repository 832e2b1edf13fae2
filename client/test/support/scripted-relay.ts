import type { Random, Socket, SocketConstructor, SocketEvent } from '../../environment.js';

export type Frame = Readonly<Record<string, unknown>>;

/** The relay's side of one connection, played by a test. */
export class ScriptedSocket implements Socket {
  readonly sent: Frame[] = [];
  isClosedByClient = false;
  private readonly listeners = new Map<string, ((event: SocketEvent) => void)[]>();

  constructor(readonly url: string) {}

  addEventListener(type: string, listener: (event: SocketEvent) => void): void {
    this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener]);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Frame);
  }

  close(): void {
    this.isClosedByClient = true;
  }

  open(): void {
    this.fire('open', {});
  }

  say(frame: Frame): void {
    this.fire('message', { data: JSON.stringify(frame) });
  }

  sayText(data: unknown): void {
    this.fire('message', { data });
  }

  /** What a socket knows of why it could not be opened, or ended; `closed` follows. */
  failed(error: unknown): void {
    this.fire('error', { error });
  }

  closed(code: number, reason = ''): void {
    this.fire('close', { code, reason });
  }

  /** Lets the client in, and opens first where that was not done. */
  welcome(more: Frame = {}): void {
    if (this.sent.length === 0) this.open();
    const { address, deviceId } = this.sent[0]!;
    const limits = { maxFrameBytes: 131072, window: 64, maxOfflineMessages: 1000, retentionHours: 168 };
    const timestamp = Date.UTC(2100, 0, 1);
    this.say({ type: 'auth_success', v: 2, address, deviceId, sessionId: 's', timestamp, limits, pending: 0, ...more });
  }

  ofType(type: string): Frame[] {
    return this.sent.filter((frame) => frame.type === type);
  }

  private fire(type: string, event: SocketEvent): void {
    for (const listener of this.listeners.get(type) ?? []) listener(event);
  }
}

export class ScriptedRelay {
  readonly sockets: ScriptedSocket[] = [];
  readonly WebSocket: SocketConstructor;

  constructor() {
    const { sockets } = this;
    this.WebSocket = class extends ScriptedSocket {
      constructor(url: string) {
        super(url);
        sockets.push(this);
      }
    };
  }

  get last(): ScriptedSocket {
    return this.sockets.at(-1)!;
  }
}

/** Counts up where ids are made, and spreads nothing: attempts come at the end of their bound. */
export class PlainRandom implements Random {
  private count = 0;

  constructor(private readonly share = 1) {}

  fraction(): number {
    return this.share;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    new DataView(bytes.buffer).setUint32(length - 4, ++this.count);
    return bytes;
  }
}
