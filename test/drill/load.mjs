// @ts-check
import { clearInterval, setInterval } from 'node:timers';

/**
 * @typedef {import('./population.mjs').Population} Population
 * @typedef {import('./client.mjs').Client} Client
 * @typedef {import('./random.mjs').Random} Random
 */

const TICK_MS = 10;
/** Sometimes one writes several in a row, where the order shows. */
const RUN_SHARE = 0.1;
const RUN_LENGTH = { least: 2, most: 5 };
const CONTENT_LENGTH = { least: 50, most: 1_500 };

/** Sends at a steady rate, from whoever is online to whomever. */
export class Load {
  #count = 0;
  /** @type {NodeJS.Timeout | null} */
  #timer = null;

  /** `prefix`: of message ids, where two of them drive one population. @param {Population} population @param {Random} random @param {number} perSecond */
  constructor(population, random, perSecond, prefix = 'm') {
    this.population = population;
    this.random = random;
    this.perSecond = perSecond;
    this.prefix = prefix;
  }

  start() {
    const startedAt = Date.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      const due = ((Date.now() - startedAt) / 1000) * this.perSecond;
      while (sent < due) sent += this.#sendSome();
    }, TICK_MS);
  }

  stop() {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** @type {(sender: Client, to?: string) => { to: string, messageId: string, content: string }} */
  nextMessage(sender, to = this.#recipientFor(sender.identity.address)) {
    const messageId = `${this.prefix}-${++this.#count}`;
    return { to, messageId, content: this.#content(messageId) };
  }

  /** How many it was; a tick in which nobody is online is lost. */
  #sendSome() {
    const sender = this.#anyOnline();
    if (sender === undefined) return 1;
    const { least, most } = RUN_LENGTH;
    const length = this.random.chance(RUN_SHARE) ? this.random.between(least, most) : 1;
    const to = this.#recipientFor(sender.identity.address);
    for (let i = 0; i < length; i++) {
      const { messageId, content } = this.nextMessage(sender, to);
      sender.send(to, messageId, content);
    }
    return length;
  }

  #anyOnline() {
    const { clients } = this.population;
    for (let look = 0; look < 10; look++) {
      const client = this.random.pick(clients);
      if (client.isOnline) return client;
    }
    return undefined;
  }

  /** @param {string} sender */
  #recipientFor(sender) {
    const { addresses } = this.population;
    for (;;) {
      const address = this.random.pick(addresses);
      if (address !== sender) return address;
    }
  }

  /** @param {string} messageId */
  #content(messageId) {
    const length = this.random.between(CONTENT_LENGTH.least, CONTENT_LENGTH.most);
    return `${messageId} ${'x'.repeat(length)}`;
  }
}
