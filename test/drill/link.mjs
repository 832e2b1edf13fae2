// @ts-check
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers';
import { WebSocket } from 'ws';
import { GIVEN_UP, hashOf } from './history.mjs';

/**
 * @typedef {import('./history.mjs').History} History
 * @typedef {{ address: string, device: string, protocol: 1 | 2 }} Identity
 * @typedef {{ from: string, messageId: string, id: string }} Entry
 * @typedef {{ verdict: 'queued' | 'delivered' | 'error', retryable: boolean, retryAfterMs: number }} Answer
 *
 * @typedef {object} LinkEvents
 * @property {(link: Link) => void} opened
 * @property {(link: Link, entry: Entry) => void} received
 * @property {(messageId: string, answer: Answer) => void} answered  by a verdict, or by a receipt that says as much
 * @property {(link: Link, code: number, reconnectAfterMs: number) => void} closed  once, also where it never opened
 *
 * @typedef {Partial<{ type: string, v: number, from: string, to: string, content: string, messageId: string, id: string, code: string, outcome: string,
 *   retryable: boolean, retryAfterMs: number, reason: string, count: number, reconnectAfterMs: number }>} Frame
 */

const OPEN_WITHIN_MS = 3_000;
const PING_EVERY_MS = 2_000;
/** Nothing came for this long although we asked: the link is dead. */
const SILENCE_MS = 6_000;
const GOODBYE_WITHIN_MS = 3_000;
/** An old link is listened to a while longer: nothing must come on it once another has taken its place. */
const LISTEN_AFTER_LEAVING_MS = 60_000;
/** An application saves a few entries, then says so once. */
const ACK_AFTER_MS = 20;
const WINDOW = 64;

/** One WebSocket of a device: speaks the protocol and records what passes. What to do about it is its client's business. */
export class Link {
  isOpen = false;
  /** `null` while it has not ended. @type {number | null} */
  closeCode = null;
  /** Sends that wait for their verdict. @type {Map<string, string>} messageId → to */
  pending = new Map();
  #isLeft = false;
  heardAt;
  /** @type {number | null} */
  #pingSentAt = null;
  /** @type {string | null} */
  #ackUpTo = null;
  #reconnectAfterMs = 0;
  /** What no rule asks for is left out. @type {Record<string, (frame: Frame) => void>} */
  #handlers = {
    auth_success: (frame) => this.#opened(frame),
    queued: (frame) => this.#told('queued', frame),
    delivered: (frame) => this.#told('delivered', frame),
    read: (frame) => this.#receipt('read', frame.from, frame),
    expired: (frame) => this.#receipt('expired', frame.to, frame),
    error: (frame) => this.#failed(frame),
    pong: () => this.#ponged(),
    gap: ({ reason = '', count = 0 }) => this.history.add({ kind: 'gap', connection: this.number, reason, count }),
    going_away: ({ reconnectAfterMs = 0 }) => (this.#reconnectAfterMs = reconnectAfterMs),
    challenge: () => this.#complain('challenge: it wants proof'),
  };

  /**
   * @param {Identity} identity @param {string} url
   * @param {History} history @param {LinkEvents} events
   */
  constructor(identity, url, history, events) {
    this.identity = identity;
    this.url = url;
    this.history = history;
    this.events = events;
    this.number = history.nextConnection();
    this.heardAt = history.now();
    history.add({ kind: 'connect', connection: this.number, ...identity, node: url });
    this.socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket.on('open', () => this.#signIn());
    this.socket.on('message', (/** @type {Buffer} */ data) => this.#take(data.toString()));
    this.socket.on('error', () => undefined);
    this.socket.on('close', (code) => this.#closed(code, 'relay'));
    this.openTimer = setTimeout(() => this.#giveUp(), OPEN_WITHIN_MS);
    this.pingTimer = setInterval(() => this.#watch(), PING_EVERY_MS);
  }

  /** @type {(to: string, messageId: string, content: string, hash: string) => void} */
  message(to, messageId, content, hash) {
    this.pending.set(messageId, to);
    const { address: from } = this.identity;
    this.history.add({ kind: 'send', connection: this.number, from, to, messageId, hash });
    this.#send({ type: 'message', to, messageId, content, timestamp: Date.now() });
  }

  /** @type {(from: string, messageId: string) => void} */
  read(from, messageId) {
    if (!this.isOpen) return;
    this.history.add({ kind: 'read', connection: this.number, from, messageId });
    this.#send({ type: 'read_receipt', to: from, messageId });
  }

  /** The application has this entry and all before it. @param {string} id */
  acknowledge(id) {
    if (this.identity.protocol === 1) return;
    if (this.#ackUpTo === null) setTimeout(() => this.#sendAck(), ACK_AFTER_MS);
    this.#ackUpTo = id;
  }

  /** As an application does that is done. */
  close() {
    this.isOpen = false;
    this.socket.close(1000);
    // A node that stands still does not say goodbye.
    setTimeout(() => this.cut(), GOODBYE_WITHIN_MS).unref();
  }

  /** As a process does that is killed. */
  cut() {
    this.#closed(1006, 'client');
    this.socket.terminate();
  }

  #signIn() {
    const { address, device, protocol } = this.identity;
    if (protocol === 1) this.#send({ type: 'auth', address });
    else this.#send({ type: 'hello', v: 2, address, deviceId: device, window: WINDOW });
  }

  /** @param {object} frame */
  #send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  #sendAck() {
    const upTo = this.#ackUpTo;
    this.#ackUpTo = null;
    if (upTo === null || !this.isOpen) return;
    this.history.add({ kind: 'ack', connection: this.number, upTo });
    this.#send({ type: 'ack', upTo });
  }

  #watch() {
    const now = this.history.now();
    if (this.isOpen && now - this.heardAt > SILENCE_MS) return this.#giveUp();
    if (!this.isOpen || this.#pingSentAt !== null) return;
    this.#pingSentAt = now;
    this.#send({ type: 'ping' });
  }

  #giveUp() {
    // The stack of a classic client would acknowledge what its application no longer gets.
    this.#isLeft = this.isOpen && this.identity.protocol === 2;
    this.#closed(GIVEN_UP, 'client');
    if (!this.#isLeft) this.socket.terminate();
    else setTimeout(() => this.socket.terminate(), LISTEN_AFTER_LEAVING_MS).unref();
  }

  /** @type {(code: number, by: 'client' | 'relay') => void} */
  #closed(code, by) {
    if (this.closeCode !== null) return;
    this.closeCode = code;
    this.isOpen = false;
    clearTimeout(this.openTimer);
    clearInterval(this.pingTimer);
    this.history.add({ kind: 'close', connection: this.number, code, by });
    this.events.closed(this, code, this.#reconnectAfterMs);
  }

  /** @param {string} text */
  #take(text) {
    if (this.closeCode !== null && !this.#isLeft) return;
    this.heardAt = this.history.now();
    /** @type {unknown} */
    const parsed = JSON.parse(text);
    const frame = /** @type {Frame} */ (parsed);
    if (frame.type === 'message') this.#received(frame);
    else if (!this.#isLeft) this.#handlers[frame.type ?? '']?.(frame);
  }

  /** @param {Frame} frame */
  #opened(frame) {
    clearTimeout(this.openTimer);
    const isSpoken = this.identity.protocol === 1 || frame.v === 2;
    if (!isSpoken) this.#complain('auth_success without v:2');
    this.isOpen = true;
    this.history.add({ kind: 'open', connection: this.number });
    this.events.opened(this);
  }

  /** @param {Frame} frame */
  #received({ id = '', from = '', messageId = '', content = '' }) {
    this.history.add({ kind: 'receive', connection: this.number, id, from, messageId, hash: hashOf(content) });
    if (!this.#isLeft) this.events.received(this, { id, from, messageId });
  }

  /** @type {(verdict: 'queued' | 'delivered', frame: Frame) => void} */
  #told(verdict, frame) {
    const { messageId = '', to = '', id } = frame;
    const wasPending = this.pending.delete(messageId);
    // With an id it is an entry of the mailbox, which answers the send as well.
    if (id !== undefined || !wasPending) return this.#receipt(verdict, to, frame);
    const { address: from } = this.identity;
    const answer = { from, to, messageId, verdict, code: null, outcome: null };
    this.history.add({ kind: 'verdict', connection: this.number, ...answer });
    this.events.answered(messageId, { verdict, retryable: false, retryAfterMs: 0 });
  }

  /** @type {(status: 'queued' | 'delivered' | 'read' | 'expired', peer: string | undefined, frame: Frame) => void} */
  #receipt(status, peer = '', frame) {
    const { messageId = '' } = frame;
    const id = frame.id ?? null;
    this.history.add({ kind: 'receipt', connection: this.number, status, peer, messageId, id });
    if (status !== 'expired')
      this.events.answered(messageId, { verdict: 'delivered', retryable: false, retryAfterMs: 0 });
    if (id !== null) this.acknowledge(id);
  }

  /** @param {Frame} frame */
  #failed({ messageId = '', code = '', outcome, retryable = false, retryAfterMs = 0 }) {
    const to = this.pending.get(messageId);
    // Without a send of that name it is about something else, such as a read receipt.
    if (to === undefined) return this.#complain(code);
    this.pending.delete(messageId);
    const { address: from } = this.identity;
    const answer = { from, to, messageId, code, outcome: outcome ?? null };
    this.history.add({ kind: 'verdict', connection: this.number, verdict: 'error', ...answer });
    this.events.answered(messageId, { verdict: 'error', retryable, retryAfterMs });
  }

  /** @param {string} code */
  #complain(code) {
    this.history.add({ kind: 'error', connection: this.number, code });
  }

  #ponged() {
    if (this.#pingSentAt === null) return;
    this.history.add({ kind: 'roundtrip', connection: this.number, sentAt: this.#pingSentAt });
    this.#pingSentAt = null;
  }
}
