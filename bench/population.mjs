// @ts-check
import { Ledger } from './ledger.mjs';
import { Pair } from './pair.mjs';
import { ERROR, MESSAGE, OTHER, Traffic } from './traffic.mjs';
import { wireOf } from './wire.mjs';

/** @typedef {{ urls: URL[], pairs: number, size: number, fanIn: boolean, patienceMs: number }} Options */

/** The pairs of a run and where each end signs in: spread over the nodes, so that between n of them 1/n stays on its node. */
export class Population {
  #urls;
  #wire;
  #traffic;
  #isFanIn;

  /** @param {Options} options @param {number} window */
  constructor({ urls, pairs, size, fanIn, patienceMs }, window) {
    const [first] = urls;
    if (first === undefined) throw new Error('there is nothing to connect to');
    this.ledger = new Ledger(patienceMs);
    this.#urls = urls;
    this.#isFanIn = fanIn;
    this.#wire = wireOf(first);
    this.#traffic = new Traffic({ pairs, size, wire: this.#wire, fanIn });
    const world = { traffic: this.#traffic, ledger: this.ledger, wire: this.#wire };
    this.pairs = Array.from({ length: pairs }, (_, i) => new Pair(world, i, window));
  }

  async connectSenders() {
    await Promise.all(this.pairs.map((pair, i) => pair.connectSender(this.#url(i))));
  }

  /** Before they are absent; only where a server must have seen them. */
  async introduceRecipients() {
    if (!this.#wire.needsSession) return;
    await Promise.all(this.#recipients.map((pair, i) => pair.introduceRecipient(this.#url(i))));
  }

  async openRecipients() {
    const recipients = this.#recipients;
    await Promise.all(
      recipients.map((pair, i) => pair.openRecipient(this.#url(i + Math.floor(i / this.#urls.length)))),
    );
    const [only] = recipients;
    if (this.#isFanIn && only?.recipient !== undefined) only.recipient.onText = this.#takeForAll.bind(this);
  }

  async signInRecipients() {
    await Promise.all(this.#recipients.map((pair) => pair.signInRecipient()));
  }

  close() {
    for (const pair of this.pairs) pair.close();
  }

  get #recipients() {
    return this.#isFanIn ? this.pairs.slice(0, 1) : this.pairs;
  }

  /** @param {number} i */
  #url(i) {
    return /** @type {URL} */ (this.#urls[i % this.#urls.length]);
  }

  /** @type {import('./socket-client.mjs').OnText} */
  #takeForAll(chunk, start, end) {
    const kind = this.#traffic.read(chunk, start, end);
    const pair = this.pairs[this.#traffic.pair];
    if (kind === MESSAGE && pair !== undefined) pair.take();
    else if (kind === ERROR) this.#fault('errors', this.#traffic.detail);
    else if (kind !== OTHER)
      this.#fault('misrouted', `not for the recipient of all: ${chunk.toString('utf8', start, end)}`);
  }

  /** @type {(what: 'errors' | 'misrouted', note: string) => void} */
  #fault(what, note) {
    this.ledger[what]++;
    this.ledger.note(note);
  }
}
