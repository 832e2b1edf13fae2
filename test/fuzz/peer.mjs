// @ts-check
/** A peer that writes the bytes it is told to, which no WebSocket library would. */
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';

/** RFC 6455 §5.2. */
export const OPCODE = /** @type {const} */ ({
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
});

/** Longer than the 10 s within which every send has its verdict. */
const PATIENCE_MS = 30_000;
const UPGRADE = [
  'GET / HTTP/1.1',
  'Host: relay',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
];

/**
 * @typedef {{ opcode: number, payload?: string | Buffer, fin?: boolean, rsv?: number, masked?: boolean, claimedLength?: bigint }} FrameShape
 * @typedef {{ opcode: number, payload: Buffer }} Received
 */

/** @param {FrameShape} shape */
export function encodeRaw({ opcode, payload = '', fin = true, rsv = 0, masked = true, claimedLength }) {
  const bytes = Buffer.from(payload);
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const length = lengthBytes(claimedLength ?? BigInt(bytes.length), masked ? 0x80 : 0);
  if (!masked) return Buffer.concat([Buffer.from([first]), length, bytes]);
  const mask = randomBytes(4);
  return Buffer.concat([Buffer.from([first]), length, mask, bytes.map((byte, i) => byte ^ (mask[i % 4] ?? 0))]);
}

/** @type {(length: bigint, maskBit: number) => Buffer} */
function lengthBytes(length, maskBit) {
  if (length < 126n) return Buffer.from([maskBit | Number(length)]);
  const bytes = Buffer.alloc(length < 65536n ? 3 : 9);
  bytes[0] = maskBit | (bytes.length === 3 ? 126 : 127);
  if (bytes.length === 3) bytes.writeUInt16BE(Number(length), 1);
  else bytes.writeBigUInt64BE(length, 1);
  return bytes;
}

export class Peer {
  /** Texts from the relay, in order. @type {string[]} */
  texts = [];
  /** The relay's close code, 1005 where its frame has none. @type {number | null} */
  closeCode = null;
  hasEnded = false;
  /** As every WebSocket stack does. */
  answersPings = true;
  #isUpgraded = false;
  #buffered = Buffer.alloc(0);
  /** @type {Set<() => void>} */
  #watchers = new Set();

  /** @param {number} port */
  constructor(port) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.socket.on('data', (chunk) => this.#take(chunk));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.hasEnded = true;
      this.#notify();
    });
  }

  /** `early` leaves in the same segment as the request. @type {(port: number, early?: Buffer) => Promise<Peer>} */
  static async open(port, early = Buffer.alloc(0)) {
    const peer = new Peer(port);
    const key = `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`;
    peer.socket.write(Buffer.concat([Buffer.from(`${[...UPGRADE, key].join('\r\n')}\r\n\r\n`), early]));
    await peer.until(() => peer.#isUpgraded || peer.hasEnded, 'the upgrade');
    return peer;
  }

  get isOver() {
    return this.closeCode !== null || this.hasEnded;
  }

  /** @param {Buffer} bytes */
  write(bytes) {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  /** @param {string} payload */
  text(payload) {
    this.write(encodeRaw({ opcode: OPCODE.text, payload }));
  }

  destroy() {
    this.socket.destroy();
  }

  /** Rejects with what it waited for. @type {(condition: () => boolean, what: string, patienceMs?: number) => Promise<void>} */
  async until(condition, what, patienceMs = PATIENCE_MS) {
    if (condition()) return;
    await new Promise((resolve, reject) => {
      const watch = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#watchers.delete(watch);
        resolve(undefined);
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(watch);
        const seen = this.texts.slice(-5).map((text) => text.slice(0, 200));
        reject(
          new Error(
            `no ${what} within ${patienceMs} ms; closed: ${this.closeCode}, ended: ${this.hasEnded}; last: ${seen.join(' ')}`,
          ),
        );
      }, patienceMs);
      this.#watchers.add(watch);
    });
  }

  /** @param {Buffer} chunk */
  #take(chunk) {
    this.#buffered = Buffer.concat([this.#buffered, chunk]);
    if (!this.#isUpgraded) this.#takeHead();
    while (this.#isUpgraded && this.#takeFrame());
    this.#notify();
  }

  #takeHead() {
    const end = this.#buffered.indexOf('\r\n\r\n');
    if (end < 0 || !this.#buffered.toString('latin1').startsWith('HTTP/1.1 101 ')) return;
    this.#buffered = this.#buffered.subarray(end + 4);
    this.#isUpgraded = true;
  }

  /** A server's frames are not masked. */
  #takeFrame() {
    const bytes = this.#buffered;
    const short = (bytes[1] ?? 0) & 0x7f;
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < header) return false;
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    if (bytes.length < header + length) return false;
    this.#received({ opcode: (bytes[0] ?? 0) & 0x0f, payload: bytes.subarray(header, header + length) });
    this.#buffered = bytes.subarray(header + length);
    return true;
  }

  /** @param {Received} frame */
  #received({ opcode, payload }) {
    if (opcode === OPCODE.text) this.texts.push(payload.toString());
    else if (opcode === OPCODE.ping && this.answersPings) this.write(encodeRaw({ opcode: OPCODE.pong, payload }));
    else if (opcode === OPCODE.close) this.closeCode ??= payload.length < 2 ? 1005 : payload.readUInt16BE(0);
  }

  #notify() {
    for (const watch of [...this.#watchers]) watch();
  }
}
