// @ts-check
import { performance } from 'node:perf_hooks';
import { sequenceOf } from './mqtt.mjs';
import { DELIVERED, ERROR, MESSAGE, QUEUED } from './traffic.mjs';

/** @typedef {import('./traffic.mjs').Traffic} Traffic */
/** @typedef {import('./ledger.mjs').Ledger} Ledger */
/** @typedef {import('./wire.mjs').Wire} Wire */

const RECEIVED = 1;
const ANSWERED = 2;
const WAS_QUEUED = 4;
const WAS_DELIVERED = 8;

/** A sender and its recipient: keeps the window full, and knows of each message whether it was answered and has arrived. */
export class Pair {
  /** Sending stops at this sequence number. */
  limit = 0;
  /** @type {(sequence: number) => void} */
  onReceived = () => undefined;

  #next = 0;
  #outstanding = 0;
  #highest = -1;
  #states = new Uint8Array(4096);
  #block;

  /**
   * @param {{ traffic: Traffic, ledger: Ledger, wire: Wire }} world
   * @param {number} index
   * @param {number} window  the most messages that may wait for their verdict
   */
  constructor({ traffic, ledger, wire }, index, window) {
    this.wire = wire;
    this.traffic = traffic;
    this.ledger = ledger;
    this.index = index;
    this.window = window;
    this.#block = traffic.block(index, window);
  }

  get nextSequence() {
    return this.#next;
  }

  /** @param {URL} url */
  async connectSender(url) {
    this.sender = this.#connect(url);
    this.sender.onText = (chunk, start, end) => this.#senderGot(chunk, start, end);
    this.sender.onConfirmed = (packetId) => this.#confirmed(packetId);
    this.sender.onRead = () => this.fill();
    await this.sender.opened;
    await this.sender.signIn(this.traffic.sender(this.index));
  }

  /** Was here once, so that a server of sessions keeps mail for it. @param {URL} url */
  async introduceRecipient(url) {
    await this.openRecipient(url);
    await this.signInRecipient();
    this.recipient?.close();
  }

  /** Apart from `signInRecipient`, because signing in starts the drain that is measured. @param {URL} url */
  async openRecipient(url) {
    this.recipient = this.#connect(url);
    this.recipient.onText = (chunk, start, end) => this.#recipientGot(chunk, start, end);
    await this.recipient.opened;
  }

  async signInRecipient() {
    await this.recipient?.signIn(this.traffic.recipient(this.index));
  }

  close() {
    this.sender?.close();
    this.recipient?.close();
  }

  allowOneMore() {
    this.limit++;
    this.fill();
  }

  /** Sends what limit and window allow, in one write. */
  fill() {
    const count = Math.min(this.window - this.#outstanding, this.limit - this.#next);
    if (count <= 0 || this.sender === undefined) return;
    const { traffic } = this;
    if (this.#next + count > this.#states.length) this.#grow();
    for (let i = 0; i < count; i++) traffic.number(this.#block, i, this.#next + i);
    this.#next += count;
    this.#outstanding += count;
    this.ledger.sent += count;
    const { bytes, frameLength } = this.#block;
    const taken = this.sender.write(bytes.subarray(0, count * frameLength));
    if (!taken) this.#block = { ...this.#block, bytes: Buffer.from(bytes) }; // the kernel still reads the old one
  }

  #grow() {
    const states = new Uint8Array(this.#states.length * 2);
    states.set(this.#states);
    this.#states = states;
  }

  /** @param {URL} url */
  #connect(url) {
    const client = this.wire.connect(url);
    client.onLost = (reason) => {
      this.ledger.disconnects++;
      this.ledger.note(`pair ${this.index}: ${reason}`);
    };
    return client;
  }

  /** @type {import('./socket-client.mjs').OnText} */
  #senderGot(chunk, start, end) {
    const kind = this.traffic.read(chunk, start, end);
    if (kind === ERROR) this.#failed();
    else if (kind === MESSAGE) this.#misrouted();
    else if (kind === QUEUED || kind === DELIVERED) {
      if (this.#isOurs()) this.#answered(kind === QUEUED ? WAS_QUEUED : WAS_DELIVERED);
      else this.#misrouted();
    }
  }

  /** @type {import('./socket-client.mjs').OnText} */
  #recipientGot(chunk, start, end) {
    const kind = this.traffic.read(chunk, start, end);
    if (kind === ERROR) this.#failed();
    else if (kind === QUEUED || kind === DELIVERED) this.#misrouted();
    else if (kind === MESSAGE) {
      if (this.#isOurs()) this.take();
      else this.#misrouted();
    }
  }

  /** The server has it, which is all that some servers say. @param {number} packetId */
  #confirmed(packetId) {
    this.traffic.pair = this.index;
    this.traffic.sequence = sequenceOf(packetId, this.#next);
    if (this.traffic.sequence >= 0) this.#answered(WAS_QUEUED);
    else this.#misrouted();
  }

  #isOurs() {
    return this.traffic.pair === this.index && this.traffic.sequence < this.#next;
  }

  /** @param {number} verdict */
  #answered(verdict) {
    const { ledger, traffic } = this;
    const state = this.#state(traffic.sequence);
    if ((state & ANSWERED) === 0) this.#freeSlot(traffic.sequence);
    // `queued`, later `delivered`, is the relay's ordinary way.
    if ((state & (verdict | WAS_DELIVERED)) !== 0) ledger.repeatedVerdicts++;
    else if (verdict === WAS_QUEUED) ledger.queued++;
    else ledger.delivered++;
    this.#mark(traffic.sequence, verdict);
  }

  /** The message of this pair that `traffic` has just read has arrived. */
  take() {
    const { ledger } = this;
    const { sequence } = this.traffic;
    if (sequence >= this.#next) {
      this.#misrouted();
      return;
    }
    if (!this.traffic.intact) {
      ledger.corrupt++;
      ledger.note(`corrupt: ${this.traffic.detail}`);
    }
    if ((this.#state(sequence) & RECEIVED) !== 0) {
      ledger.doubled++;
      return;
    }
    this.#mark(sequence, RECEIVED);
    if (sequence < this.#highest) ledger.outOfOrder++;
    else this.#highest = sequence;
    ledger.received++;
    ledger.lastReceivedMs = performance.now();
    this.onReceived(sequence);
  }

  #failed() {
    const { ledger, traffic } = this;
    ledger.errors++;
    ledger.note(traffic.detail);
    if (!this.#isOurs() || (this.#state(traffic.sequence) & ANSWERED) !== 0) return;
    this.#freeSlot(traffic.sequence);
    ledger.refused++;
  }

  /** @param {number} sequence */
  #freeSlot(sequence) {
    this.#mark(sequence, ANSWERED);
    this.#outstanding--;
    this.ledger.answered++;
    this.ledger.lastAnsweredMs = performance.now();
  }

  /** @param {number} sequence */
  #state(sequence) {
    return this.#states[sequence] ?? 0;
  }

  /** @param {number} sequence @param {number} bits */
  #mark(sequence, bits) {
    this.#states[sequence] = this.#state(sequence) | bits;
  }

  #misrouted() {
    this.ledger.misrouted++;
    this.ledger.note(`not for pair ${this.index}: message of pair ${this.traffic.pair}`);
  }
}
