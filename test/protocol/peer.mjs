import { once } from 'node:events';
import { WebSocket } from 'ws';
import { fits, Unmet } from './expect.mjs';

/** @typedef {Record<string, any>} Frame */

/** Every verdict is there by then, so a test that waits this long has seen a fault. */
export const PATIENCE_MS = 10_500;

/** One WebSocket to the relay. Keeps every frame that came, in order. */
export class Peer {
  /** @type {Frame[]} */
  frames = [];
  /** @type {number | null} */
  closeCode = null;
  /** @type {Set<() => void>} */
  #watchers = new Set();

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.socket = socket;
    socket.on('message', (data) => {
      this.frames.push(JSON.parse(String(data)));
      this.#look();
    });
    socket.on('close', (code) => {
      this.closeCode = code;
      this.#look();
    });
    socket.on('error', () => undefined);
  }

  /** Open, and nothing said. @param {string} url @param {import('ws').ClientOptions} [options] */
  static async connect(url, options = {}) {
    const peer = new Peer(new WebSocket(url, options));
    await once(peer.socket, 'open');
    return peer;
  }

  /** @param {Frame} frame */
  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  /** @param {string} type @param {Frame} [shape] */
  all(type, shape = {}) {
    return this.frames.filter((frame) => frame.type === type && fits(frame, shape));
  }

  /** The messageIds of what came, in order. */
  get messageIds() {
    return this.all('message').map(({ messageId }) => messageId);
  }

  /** The first such frame, whether it has come or is to come. @param {string} type @param {Frame} [shape] @param {number} [withinMs] */
  async get(type, shape = {}, withinMs = PATIENCE_MS) {
    await this.until(() => this.all(type, shape).length > 0, { type, ...shape }, withinMs);
    return /** @type {Frame} */ (this.all(type, shape)[0]);
  }

  /** @param {string} type @param {number} count */
  async count(type, count) {
    await this.until(() => this.all(type).length >= count, `${count} × ${type}`);
    return this.all(type);
  }

  /** Fails where such a frame has come by the time a round trip has ended. @param {string} type @param {Frame} [shape] */
  async none(type, shape = {}) {
    await this.settled();
    const found = this.all(type, shape);
    if (found.length > 0) throw new Unmet(`no ${type}`, `no frame ${JSON.stringify({ type, ...shape })}`, found[0]);
  }

  /** A round trip: what the relay had to answer is here afterwards. */
  async settled() {
    const pongs = this.all('pong').length;
    this.send({ type: 'ping' });
    await this.count('pong', pongs + 1);
  }

  /** Fails unless the relay closes with this code. @param {number} code @param {number} [withinMs] */
  async closed(code, withinMs = PATIENCE_MS) {
    await this.until(() => this.closeCode !== null, `a close with ${code}`, withinMs);
    if (this.closeCode !== code) throw new Unmet('the close code', code, this.#seen());
  }

  async close() {
    if (this.closeCode === null) {
      this.socket.close(1000);
      await this.until(() => this.closeCode !== null, 'a close');
    }
  }

  /** As a process does that is killed. */
  kill() {
    this.socket.terminate();
  }

  /** @param {() => boolean} condition @param {unknown} expected @param {number} [withinMs] @returns {Promise<void>} */
  until(condition, expected, withinMs = PATIENCE_MS) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(watch);
        reject(new Unmet(`waited ${withinMs} ms`, expected, this.#seen()));
      }, withinMs);
      const watch = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
      watch();
    });
  }

  #look() {
    for (const watch of [...this.#watchers]) watch();
  }

  #seen() {
    const last = this.frames.slice(-4).map((frame) => JSON.stringify(frame).slice(0, 240));
    const state = this.closeCode === null ? 'open' : `closed with ${this.closeCode}`;
    return `${state}; last frames: ${last.join(' ') || 'none'}`;
  }
}
