// @ts-check
/** Connections that sign in and then do nothing. */
import { wireOf } from './wire.mjs';

/** @typedef {import('./ledger.mjs').Ledger} Ledger */
/** @typedef {ReturnType<import('./wire.mjs').Wire['connect']>} AnyClient */

/** One source address has 28 000 ports to call from; loopback has sixteen million source addresses. */
const CONNECTIONS_PER_SOURCE = 20_000;

/** @type {(index: number) => string} an address of nobody else here */
const addressOf = (index) => `0x${'c'.repeat(32)}${String(index).padStart(8, '0')}`;

/**
 * Signs in as the `index`-th of the crowd; a connection that is lost is a fault.
 * @param {Ledger} ledger @param {URL} url @param {number} index
 */
export async function enter(ledger, url, index) {
  const source = Math.floor(index / CONNECTIONS_PER_SOURCE);
  const client = wireOf(url).connect(url, source === 0 ? undefined : `127.0.0.${source + 1}`);
  client.onLost = (reason) => {
    ledger.disconnects++;
    ledger.note(`connection ${index}: ${reason}`);
  };
  await client.opened;
  await client.signIn(addressOf(index));
  return client;
}

/**
 * All of them, so many at a time.
 * @param {Ledger} ledger @param {URL} url @param {{ count: number, concurrency: number }} how
 */
export async function enterAll(ledger, url, { count, concurrency }) {
  /** @type {AnyClient[]} */
  const clients = [];
  let next = 0;
  const inTurn = async () => {
    while (next < count) clients.push(await enter(ledger, url, next++));
  };
  await Promise.all(Array.from({ length: concurrency }, inTurn));
  return clients;
}
