// @ts-check
/**
 * What the raw clients have in common: one socket, read into one buffer, and frames handed out as positions in it. A client
 * must cost far less per message than any server it drives.
 */
import { connect } from 'node:net';

// One for all connections: a read is consumed before the next one starts, so 10 000 idle clients need no buffers.
const arrival = Buffer.allocUnsafeSlow(256 * 1024);

/** @typedef {(chunk: Buffer, start: number, end: number) => void} OnText  the payload is chunk[start, end), valid during the call */

export function ignore() {
  // for whoever has not asked to be told
}

/** @abstract */
export class SocketClient {
  /** @type {OnText} */
  onText = ignore;
  /** After each read, when all its frames were handed out: the moment to answer them in one write. */
  onRead = ignore;
  /** @type {(packetId: number) => void} the server has a message; only where that is not a frame of the relay's protocol */
  onConfirmed = ignore;
  /** @type {(reason: string) => void} the connection ended although we did not close it */
  onLost = ignore;

  /** @protected */
  closeReason = 'connection ended';
  /** @protected @type {(error: Error) => void} whoever waits for the connection or for the sign-in */
  reject = ignore;
  #closed = false;
  /** @type {Buffer | undefined} the beginning of a frame whose end has not come yet */
  #rest;
  #socket;

  /** @param {URL} url @param {string} [localAddress] */
  constructor(url, localAddress) {
    this.#socket = connect({
      host: url.hostname,
      port: Number(url.port || 80),
      noDelay: true,
      ...(localAddress === undefined ? {} : { localAddress }),
      onread: { buffer: arrival, callback: (size) => this.#read(size) },
    });
    this.#socket.on('error', (error) => (this.closeReason = error.message));
    this.#socket.on('close', () => this.#ended());
  }

  /**
   * Hands out the frames that are whole.
   * @abstract
   * @protected
   * @type {(chunk: Buffer, start: number, end: number) => number} the position of the first incomplete frame
   */
  scan() {
    throw new Error('each protocol has its own');
  }

  /** What the frames of this read are answered with by the protocol itself, in one write. @protected */
  answer() {
    // most reads ask for nothing
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

  /** What came is nothing that we know. @protected @param {string} reason */
  giveUp(reason) {
    this.closeReason = reason;
    this.#socket.destroy();
  }

  /** @protected */
  end() {
    this.#socket.end();
  }

  /** @protected @param {() => void} done */
  onceConnected(done) {
    this.#socket.once('connect', done);
  }

  #ended() {
    this.reject(new Error(this.closeReason));
    if (!this.#closed) this.onLost(this.closeReason);
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
    const used = this.scan(chunk, 0, end);
    if (used < end) this.#rest = Buffer.from(chunk.subarray(used, end));
    this.answer();
    this.onRead();
    return true;
  }
}
