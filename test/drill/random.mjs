// @ts-check
import { createHash } from 'node:crypto';

/** Chance that can be repeated: the same seed gives the same numbers (mulberry32). */
export class Random {
  #state;

  /** @param {number} seed */
  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** From 0, below 1. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0, below `bound`. @param {number} bound */
  below(bound) {
    return Math.floor(this.next() * bound);
  }

  /** A whole number, both ends included. @type {(low: number, high: number) => number} */
  between(low, high) {
    return low + this.below(high - low + 1);
  }

  /** @param {number} probability */
  chance(probability) {
    return this.next() < probability;
  }

  /** @template T @param {readonly T[]} list  not empty @returns {T} */
  pick(list) {
    return /** @type {T} */ (list[this.below(list.length)]);
  }

  /** @template T @param {readonly T[]} list @returns {T[]} */
  shuffle(list) {
    const shuffled = [...list];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [shuffled[i], shuffled[j]] = [/** @type {T} */ (shuffled[j]), /** @type {T} */ (shuffled[i])];
    }
    return shuffled;
  }

  /** A run of numbers of its own, which what else is drawn does not move. @param {string} name */
  fork(name) {
    const digest = createHash('sha256').update(`${this.#state}:${name}`).digest();
    return new Random(digest.readUInt32LE(0));
  }
}
