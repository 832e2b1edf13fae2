// @ts-check
/**
 * A WebSocket client made for measuring (RFC 6455 on a raw socket). It must cost far less per message than any server it
 * drives, so frames are handed out as positions in the buffer that was read into.
 */
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { CLOSE, PING, PONG, TEXT, frame, jsonFrame } from './frames.mjs';

const KEY = randomBytes(16).toString('base64');
const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

// One for all connections: a read is consumed before the next one starts, so 10 000 idle clients need no buffers.
const arrival = Buffer.allocUnsafeSlow(256 * 1024);

/** @typedef {(chunk: Buffer, start: number, end: number) => void} OnText  the payload is chunk[start, end), valid during the call */

function ignore() {
  // for whoever has not asked to be told
}

export class Client {
  /** @type {OnText} */
  onText = ignore;
  /** After each read, when all its frames were handed out: the moment to answer them in one write. */
  onRead = ignore;
  /** @type {(reason: string) => void} the connection ended although we did not close it */
  onLost = ignore;

  pingsAnswered = 0;
  #upgraded = false;
  #closed = false;
  /** @type {Buffer | undefined} the beginning of a frame whose end has not come yet */
  #rest;
  /** @type {Buffer[]} what the pings of this read are answered with, in one write */
  #pongs = [];
  #closeReason = 'connection ended';
  /** @type {import('node:net').Socket} */
  #socket;
  #resolve = ignore;
  /** @type {(error: Error) => void} */
  #reject = ignore;

  /** @param {URL} url @param {string} [localAddress] */
  constructor(url, localAddress) {
    this.#socket = connect({
      host: url.hostname,
      port: Number(url.port || 80),
      noDelay: true,
      ...(localAddress === undefined ? {} : { localAddress }),
      onread: { buffer: arrival, callback: (size) => this.#read(size) },
    });
    this.#socket.on('error', (error) => (this.#closeReason = error.message));
    this.#socket.on('close', () => this.#ended());
    this.opened = new Promise((resolve, reject) => {
      this.#resolve = () => resolve(undefined);
      this.#reject = reject;
    });
    this.opened.catch(ignore); // the one who awaits it hears of it; nobody has to
    this.#socket.write(
      `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
    );
  }

  /**
   * Classic sign-in. Frames that come after `auth_success`, even in the same read, go to the `onText` set before.
   * @param {string} address
   * @returns {Promise<void>}
   */
  signIn(address) {
    const next = this.onText;
    this.write(jsonFrame({ type: 'auth', address }));
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      this.onText = (chunk, start, end) => {
        const text = chunk.toString('latin1', start, end);
        if (!text.includes('"auth_success"')) return reject(new Error(`sign-in refused: ${text}`));
        this.onText = next;
        resolve();
      };
    });
  }

  /**
   * @param {Buffer} frames
   * @returns {boolean} true when the kernel has taken all of it, so that the buffer may be used again
   */
  write(frames) {
    if (!this.#closed) this.#socket.write(frames);
    return this.#socket.writableLength === 0;
  }

  /** Resets, because ten thousand connections in TIME_WAIT would hold the ports that the next run needs. */
  close() {
    this.#closed = true;
    this.#socket.resetAndDestroy();
  }

  #ended() {
    this.#reject(new Error(this.#closeReason));
    if (!this.#closed) this.onLost(this.#closeReason);
    this.#closed = true;
  }

  /** @param {number} size */
  #read(size) {
    let chunk = arrival;
    let end = size;
    if (this.#rest !== undefined) {
      chunk = Buffer.concat([this.#rest, arrival.subarray(0, size)]);
      end = chunk.length;
      this.#rest = undefined;
    }
    const used = this.#upgraded ? this.#scan(chunk, 0, end) : this.#upgrade(chunk, end);
    if (used < end) this.#rest = Buffer.from(chunk.subarray(used, end));
    if (this.#pongs.length > 0) this.write(Buffer.concat(this.#pongs.splice(0)));
    this.onRead();
    return true;
  }

  /** @type {(chunk: Buffer, end: number) => number} the number of bytes consumed */
  #upgrade(chunk, end) {
    const head = chunk.toString('latin1', 0, end);
    const headEnd = head.indexOf('\r\n\r\n');
    if (headEnd < 0) return 0;
    if (!head.startsWith('HTTP/1.1 101') || !head.includes(ACCEPT)) {
      this.#closeReason = `upgrade refused: ${head.slice(0, head.indexOf('\r\n'))}`;
      this.#socket.destroy();
      return end;
    }
    this.#upgraded = true;
    this.#resolve();
    return this.#scan(chunk, headEnd + 4, end);
  }

  /** @type {(chunk: Buffer, start: number, end: number) => number} the position of the first incomplete frame */
  #scan(chunk, start, end) {
    let at = start;
    while (at + 2 <= end) {
      const firstByte = chunk[at] ?? 0;
      let size = chunk[at + 1] ?? 0;
      let payload = at + 2;
      if (size >= 126) {
        payload += size === 126 ? 2 : 8;
        if (payload > end) break;
        size = size === 126 ? chunk.readUInt16BE(at + 2) : Number(chunk.readBigUInt64BE(at + 2));
      }
      if (payload + size > end) break;
      if (firstByte === TEXT) this.onText(chunk, payload, payload + size);
      else this.#control(firstByte, chunk, payload, payload + size);
      at = payload + size;
    }
    return at;
  }

  /** @type {(firstByte: number, chunk: Buffer, start: number, end: number) => void} */
  #control(firstByte, chunk, start, end) {
    if (firstByte === PING) {
      this.#pongs.push(frame(chunk.subarray(start, end), PONG));
      this.pingsAnswered++;
    } else if (firstByte === CLOSE) {
      const code = end - start >= 2 ? chunk.readUInt16BE(start) : 1005;
      this.#closeReason = `closed by the server: ${code} ${chunk.toString('utf8', start + 2, end)}`;
      this.#socket.end();
    } else if (firstByte !== PONG) {
      // Fragments and binary frames are not part of the protocol, so whoever sends them is not measured but reported.
      this.#closeReason = `unexpected frame 0x${firstByte.toString(16)}`;
      this.#socket.destroy();
    }
  }
}
