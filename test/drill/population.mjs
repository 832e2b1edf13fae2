// @ts-check
import { setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from './client.mjs';

/**
 * @typedef {import('./client.mjs').Surroundings} Surroundings
 * @typedef {{ addresses: number, twoDevices: number, classicOnly: boolean, salt: number }} Shape
 */

const AWAY_MS = { least: 2_000, most: 6_000 };
const CONNECTS_PER_SECOND = 500;

/** Everybody who takes part. */
export class Population {
  /** @type {Client[]} */
  clients = [];
  /** Those that are offline half of the time. @type {Client[]} */
  #sleepers = [];
  #isSettling = false;

  /** @param {Shape} shape @param {Surroundings} surroundings */
  constructor({ addresses, twoDevices, classicOnly, salt }, surroundings) {
    this.random = surroundings.random;
    this.addresses = Array.from({ length: addresses }, (_, i) => addressOf(salt, i));
    for (const [i, address] of this.addresses.entries()) {
      const isPair = i < twoDevices;
      // The rest in halves: classic clients, and one device of version 2.
      const isClassic = classicOnly || (!isPair && i % 2 === 0);
      /** @type {(device: string) => Client} */
      const add = (device) => {
        const client = new Client({ address, device, protocol: isClassic ? 1 : 2 }, surroundings);
        this.clients.push(client);
        return client;
      };
      if (isClassic) add('classic');
      else add('phone');
      if (isPair) this.#sleepers.push(isClassic ? /** @type {Client} */ (this.clients.at(-1)) : add('tablet'));
    }
  }

  get online() {
    return this.clients.filter(({ isOnline }) => isOnline).length;
  }

  get unconfirmed() {
    return this.clients.reduce((sum, { unconfirmed }) => sum + unconfirmed.size, 0);
  }

  /** Those that are meant to be there. */
  get steady() {
    return this.clients.filter((client) => !this.#sleepers.includes(client));
  }

  /** All at their places; whether they got there in time. @param {number} withinMs */
  async connect(withinMs) {
    for (const [i, client] of this.clients.entries()) {
      setTimeout(() => client.start(), (i * 1000) / CONNECTS_PER_SECOND);
    }
    return this.allOnline(withinMs);
  }

  /** @param {number} withinMs */
  async allOnline(withinMs) {
    const deadline = Date.now() + withinMs;
    while (this.online < this.clients.length && Date.now() < deadline) await sleep(50);
    return this.online === this.clients.length;
  }

  /** From now on sleepers come and go. */
  live() {
    for (const client of this.#sleepers) this.#toggle(client, true);
  }

  /** Everybody stays. */
  settle() {
    this.#isSettling = true;
    for (const client of this.clients) client.start();
  }

  /** @type {(client: Client, isOnline: boolean) => void} */
  #toggle(client, isOnline) {
    if (this.#isSettling) return;
    if (isOnline) client.start();
    else client.stop();
    setTimeout(() => this.#toggle(client, !isOnline), this.random.between(AWAY_MS.least, AWAY_MS.most));
  }
}

/** @type {(salt: number, i: number) => string} */
function addressOf(salt, i) {
  const run = salt.toString(16).padStart(8, '0');
  return `0xd1${run}${(i + 1).toString(16).padStart(30, '0')}`;
}
