// @ts-check
import { setTimeout } from 'node:timers';
import { hashOf } from './history.mjs';
import { Link } from './link.mjs';

/**
 * @typedef {import('./history.mjs').History} History
 * @typedef {import('./random.mjs').Random} Random
 * @typedef {import('./link.mjs').Identity} Identity
 * @typedef {import('./link.mjs').Answer} Answer
 * @typedef {import('./link.mjs').Entry} Entry
 * @typedef {{ urls: readonly string[], history: History, random: Random }} Surroundings
 */

const REPLACED = 4409;
const BACKOFF_MS = { least: 100, most: 2_000 };
const RETRY_MS = { least: 200, most: 1_000 };
/** A person who finds the application signed out starts it again. */
const SIGNED_OUT_MS = 3_000;
const READ_WITHIN_MS = 500;
const READ_SHARE = 0.5;

/** One device of one address, as an application would keep it: reconnects, resends what is unconfirmed, hands over once. */
export class Client {
  /** @type {Link | null} */
  link = null;
  /** In the order they were sent. @type {Map<string, { to: string, content: string, hash: string }>} */
  unconfirmed = new Map();
  /** Entries that the application has. @type {Set<string>} */
  #saved = new Set();
  #isWanted = false;
  #isContested = false;
  #failures = 0;
  /** @type {import('./link.mjs').LinkEvents} */
  #events = {
    opened: (link) => this.#opened(link),
    received: (link, entry) => this.#received(link, entry),
    answered: (messageId, answer) => this.#answered(messageId, answer),
    closed: (link, code, reconnectAfterMs) => this.#closed(link, code, reconnectAfterMs),
  };

  /** @param {Identity} identity @param {Surroundings} surroundings */
  constructor(identity, { urls, history, random }) {
    this.identity = identity;
    this.urls = urls;
    this.history = history;
    this.random = random;
  }

  get isOnline() {
    return this.link?.isOpen === true;
  }

  get isContested() {
    return this.#isContested;
  }

  start() {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#connect();
  }

  /** Goes offline until `start`. */
  stop() {
    this.#isWanted = false;
    this.link?.close();
  }

  cut() {
    this.link?.cut();
  }

  /** @type {(to: string, messageId: string, content: string) => void} */
  send(to, messageId, content) {
    this.unconfirmed.set(messageId, { to, content, hash: hashOf(content) });
    this.#transmit(this.link, messageId);
  }

  /** The same message on every one of these links, and on its own. @type {(links: readonly Link[], to: string, messageId: string, content: string) => void} */
  sendOnAll(links, to, messageId, content) {
    this.send(to, messageId, content);
    for (const link of links) this.#transmit(link, messageId);
  }

  /** One more connection of the same device. @param {string} url */
  openAnother(url) {
    return new Link(this.identity, url, this.history, this.#events);
  }

  /** Until `settleContest`, lost connections are not replaced. */
  beginContest() {
    this.#isContested = true;
  }

  /** @param {Link | null} survivor */
  settleContest(survivor) {
    this.#isContested = false;
    this.link = survivor;
    if (survivor === null) this.#connect();
    else this.#resend(survivor);
  }

  #connect() {
    if (!this.#isWanted || this.#isContested || this.link !== null) return;
    this.link = this.openAnother(this.random.pick(this.urls));
  }

  /** @param {Link} link */
  #opened(link) {
    if (link !== this.link) return;
    this.#failures = 0;
    if (!this.#isWanted) return link.close();
    this.#resend(link);
  }

  /** @param {Link} link */
  #resend(link) {
    for (const messageId of this.unconfirmed.keys()) this.#transmit(link, messageId);
  }

  /** @type {(link: Link | null, messageId: string) => void} */
  #transmit(link, messageId) {
    const message = this.unconfirmed.get(messageId);
    if (message === undefined || link?.isOpen !== true || link.pending.has(messageId)) return;
    link.message(message.to, messageId, message.content, message.hash);
  }

  /** @type {(link: Link, entry: Entry) => void} */
  #received(link, { id, from, messageId }) {
    if (!this.#saved.has(id)) {
      this.#saved.add(id);
      const { address, device } = this.identity;
      this.history.add({ kind: 'handover', address, device, id, from, messageId });
      if (this.random.chance(READ_SHARE)) {
        setTimeout(() => this.link?.read(from, messageId), this.random.below(READ_WITHIN_MS));
      }
    }
    link.acknowledge(id);
  }

  /** @type {(messageId: string, answer: Answer) => void} */
  #answered(messageId, { verdict, retryable, retryAfterMs }) {
    if (verdict === 'error' && retryable) {
      const delayMs = Math.max(retryAfterMs, this.random.between(RETRY_MS.least, RETRY_MS.most));
      setTimeout(() => this.#transmit(this.link, messageId), delayMs);
    } else this.unconfirmed.delete(messageId);
  }

  /** @type {(link: Link, code: number, reconnectAfterMs: number) => void} */
  #closed(link, code, reconnectAfterMs) {
    if (link !== this.link) return;
    this.link = null;
    const backoffMs = Math.min(BACKOFF_MS.most, BACKOFF_MS.least * 2 ** this.#failures++);
    const askedMs = Math.min(reconnectAfterMs, BACKOFF_MS.most);
    const delayMs = code === REPLACED ? SIGNED_OUT_MS : Math.max(askedMs, backoffMs * (0.5 + this.random.next()));
    setTimeout(() => this.#connect(), delayMs);
  }
}
