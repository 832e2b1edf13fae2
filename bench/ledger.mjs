// @ts-check
import { performance } from 'node:perf_hooks';

/** What happened to the messages of a run, all pairs together. */
export class Ledger {
  sent = 0;
  received = 0;
  /** Messages with a first verdict: `queued`, `delivered` or an error of their own. */
  answered = 0;
  queued = 0;
  delivered = 0;
  /** A verdict said again, or `queued` after `delivered`: allowed, but worth a look. */
  repeatedVerdicts = 0;
  refused = 0;
  doubled = 0;
  outOfOrder = 0;
  corrupt = 0;
  misrouted = 0;
  errors = 0;
  disconnects = 0;
  lastReceivedMs = 0;
  lastAnsweredMs = 0;
  #patienceMs;

  /** How long nothing may move before it is given up; the protocol gives a verdict within 10 s. @param {number} patienceMs */
  constructor(patienceMs = 12_000) {
    this.#patienceMs = patienceMs;
  }

  /** @type {string[]} the first few things that went wrong, in words */
  notes = [];

  /** @param {string} text */
  note(text) {
    if (this.notes.length < 5) this.notes.push(text.slice(0, 300));
  }

  get unanswered() {
    return this.sent - this.answered;
  }

  get missing() {
    return this.sent - this.refused - this.received;
  }

  /**
   * Waits until the condition holds, or patience ends.
   * @param {() => boolean} condition
   * @returns {Promise<void>}
   */
  async until(condition) {
    let before = -1;
    let sinceMs = performance.now();
    while (!condition() && performance.now() - sinceMs < this.#patienceMs) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const now = this.received + this.answered + this.sent;
      if (now !== before) sinceMs = performance.now();
      before = now;
    }
  }

  /** Nothing announces that no second copy will come, so the end of a run listens a little longer. */
  async settle(lingerMs = 300) {
    await this.until(() => this.unanswered === 0 && this.missing === 0);
    await new Promise((resolve) => setTimeout(resolve, lingerMs));
  }

  get hasFaults() {
    return Object.values(this.faults()).some((count) => count > 0);
  }

  /** Everything that must be zero. */
  faults() {
    return {
      lost: this.missing,
      unconfirmed: this.unanswered,
      doubled: this.doubled,
      outOfOrder: this.outOfOrder,
      corrupt: this.corrupt,
      misrouted: this.misrouted,
      errors: this.errors,
      disconnects: this.disconnects,
    };
  }
}
