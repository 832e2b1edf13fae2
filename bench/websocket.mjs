// @ts-check
/** A WebSocket client made for measuring (RFC 6455 on a raw socket), with the relay's classic sign-in. */
import { createHash, randomBytes } from 'node:crypto';
import { CLOSE, PING, PONG, TEXT, frame, jsonFrame } from './frames.mjs';
import { SocketClient, ignore } from './socket-client.mjs';

const KEY = randomBytes(16).toString('base64');
const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

export class Client extends SocketClient {
  pingsAnswered = 0;
  #upgraded = false;
  /** @type {Buffer[]} */
  #pongs = [];
  #resolve = ignore;

  /** @param {URL} url @param {string} [localAddress] */
  constructor(url, localAddress) {
    super(url, localAddress);
    this.opened = new Promise((resolve, reject) => {
      this.#resolve = () => resolve(undefined);
      this.reject = reject;
    });
    this.opened.catch(ignore); // the one who awaits it hears of it; nobody has to
    this.write(
      Buffer.from(
        `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
      ),
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
      this.reject = reject;
      this.onText = (chunk, start, end) => {
        const text = chunk.toString('latin1', start, end);
        if (!text.includes('"auth_success"')) return reject(new Error(`sign-in refused: ${text}`));
        this.onText = next;
        resolve();
      };
    });
  }

  /** @protected @override @type {SocketClient['scan']} */
  scan(chunk, start, end) {
    return this.#upgraded ? this.#scan(chunk, start, end) : this.#upgrade(chunk, end);
  }

  /** @protected @override */
  answer() {
    if (this.#pongs.length > 0) this.write(Buffer.concat(this.#pongs.splice(0)));
  }

  /** @type {(chunk: Buffer, end: number) => number} the number of bytes consumed */
  #upgrade(chunk, end) {
    const head = chunk.toString('latin1', 0, end);
    const headEnd = head.indexOf('\r\n\r\n');
    if (headEnd < 0) return 0;
    if (!head.startsWith('HTTP/1.1 101') || !head.includes(ACCEPT)) {
      this.giveUp(`upgrade refused: ${head.slice(0, head.indexOf('\r\n'))}`);
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
      this.closeReason = `closed by the server: ${code} ${chunk.toString('utf8', start + 2, end)}`;
      this.end();
    } else if (firstByte !== PONG) {
      // Fragments and binary frames are not part of the protocol, so whoever sends them is not measured but reported.
      this.giveUp(`unexpected frame 0x${firstByte.toString(16)}`);
    }
  }
}
