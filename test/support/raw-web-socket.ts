import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** RFC 6455 §5.2. */
export const OPCODE = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;

/** A frame as it is wished for, right or wrong. */
export interface FrameShape {
  readonly opcode: number;
  readonly payload?: string | Buffer;
  /** The last of its message; true unless said otherwise. */
  readonly fin?: boolean;
  /** RSV1 to RSV3 as a number from 0 to 7. */
  readonly rsv?: number;
  readonly masked?: boolean;
  /** What the header claims the payload's length to be. */
  readonly claimedLength?: bigint;
}

export interface ReceivedFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Less than a test has, so that the reason is what it fails with. */
const PATIENCE_MS = 4_000;

export function encodeRaw(shape: FrameShape): Buffer {
  const { opcode, fin = true, rsv = 0, masked = true } = shape;
  const payload = Buffer.from(shape.payload ?? '');
  const length = shape.claimedLength ?? BigInt(payload.length);
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const maskBit = masked ? 0x80 : 0;
  const header = lengthBytes(length, maskBit);
  const mask = masked ? randomBytes(4) : Buffer.alloc(0);
  const body = masked ? payload.map((byte, i) => byte ^ mask[i % 4]!) : payload;
  return Buffer.concat([Buffer.from([first]), header, mask, body]);
}

function lengthBytes(length: bigint, maskBit: number): Buffer {
  if (length < 126n) return Buffer.from([maskBit | Number(length)]);
  const bytes = Buffer.alloc(length < 65536n ? 3 : 9);
  bytes[0] = maskBit | (bytes.length === 3 ? 126 : 127);
  if (bytes.length === 3) bytes.writeUInt16BE(Number(length), 1);
  else bytes.writeBigUInt64BE(length, 1);
  return bytes;
}

/** A peer that writes the bytes it is told to, which no WebSocket library would. Answers no ping by itself. */
export class RawWebSocket {
  readonly frames: ReceivedFrame[] = [];
  private readonly watchers = new Set<() => void>();
  private buffered: Buffer = Buffer.alloc(0);
  private isUpgraded = false;
  private isEnded = false;

  private constructor(readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isEnded = true;
      this.notify();
    });
  }

  /** `afterRequest` leaves in the same segment as the upgrade request. */
  static async open(port: number, { afterRequest = Buffer.alloc(0) } = {}): Promise<RawWebSocket> {
    const peer = new RawWebSocket(connect(port, '127.0.0.1'));
    const request = [
      'GET / HTTP/1.1',
      `Host: 127.0.0.1:${port}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    ];
    peer.write(Buffer.concat([Buffer.from(`${request.join('\r\n')}\r\n\r\n`), afterRequest]));
    await peer.until(() => peer.isUpgraded, 'upgrade');
    return peer;
  }

  static async signIn(port: number, address: string): Promise<RawWebSocket> {
    const peer = await RawWebSocket.open(port);
    peer.text(JSON.stringify({ type: 'auth', address }));
    await peer.waitForText('"auth_success"');
    return peer;
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  frame(shape: FrameShape): void {
    this.write(encodeRaw(shape));
  }

  text(payload: string): void {
    this.frame({ opcode: OPCODE.text, payload });
  }

  async waitForText(part: string): Promise<void> {
    const has = ({ opcode, payload }: ReceivedFrame) => opcode === OPCODE.text && payload.includes(part);
    await this.until(() => this.frames.some(has), `a text with ${part}`);
  }

  /** The code of the relay's close frame, 1005 where it has none; `null` if the TCP connection ended without such a frame. */
  async closed(): Promise<number | null> {
    const close = () => this.frames.find(({ opcode }) => opcode === OPCODE.close);
    await this.until(() => close() !== undefined || this.isEnded, 'close');
    const frame = close();
    if (frame === undefined) return null;
    return frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(0);
  }

  /** Whether the TCP connection has ended, with or without a closing handshake. */
  get hasEnded(): boolean {
    return this.isEnded;
  }

  ofOpcode(opcode: number): ReceivedFrame[] {
    return this.frames.filter((frame) => frame.opcode === opcode);
  }

  async ended(): Promise<void> {
    await this.until(() => this.isEnded, 'end of the TCP connection');
  }

  destroy(): void {
    this.socket.destroy();
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const watch = (): void => {
        if (!condition()) return;
        clearTimeout(timer);
        this.watchers.delete(watch);
        resolve();
      };
      const timer = setTimeout(() => {
        this.watchers.delete(watch);
        const seen = this.frames.map(({ opcode, payload }) => `${opcode}:${payload.toString('latin1').slice(0, 100)}`);
        reject(new Error(`waited for ${what}; ended: ${this.isEnded}; frames: ${seen.slice(-5).join(' ')}`));
      }, PATIENCE_MS);
      this.watchers.add(watch);
    });
  }

  private take(chunk: Buffer): void {
    this.buffered = Buffer.concat([this.buffered, chunk]);
    if (!this.isUpgraded) this.takeHead();
    if (this.isUpgraded) this.takeFrames();
    this.notify();
  }

  private takeHead(): void {
    const end = this.buffered.indexOf('\r\n\r\n');
    if (end < 0 || !this.buffered.toString('latin1').startsWith('HTTP/1.1 101 ')) return;
    this.buffered = this.buffered.subarray(end + 4);
    this.isUpgraded = true;
  }

  /** A server's frames are not masked. */
  private takeFrames(): void {
    while (this.buffered.length >= 2) {
      const short = this.buffered[1]! & 0x7f;
      const header = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (this.buffered.length < header) return;
      const length =
        short < 126 ? short : short === 126 ? this.buffered.readUInt16BE(2) : Number(this.buffered.readBigUInt64BE(2));
      if (this.buffered.length < header + length) return;
      const payload = this.buffered.subarray(header, header + length);
      this.frames.push({ opcode: this.buffered[0]! & 0x0f, payload });
      this.buffered = this.buffered.subarray(header + length);
    }
  }

  private notify(): void {
    for (const watch of [...this.watchers]) watch();
  }
}
