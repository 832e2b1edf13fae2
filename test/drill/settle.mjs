// @ts-check
import { setTimeout as sleep } from 'node:timers/promises';
import { URL } from 'node:url';

/**
 * @typedef {import('./owed.mjs').Owed} Owed
 * @typedef {import('./population.mjs').Population} Population
 * @typedef {import('./history.mjs').History} History
 */

const SETTLE_WITHIN_MS = 60_000;
/**
 * Nothing may be delayed for longer, so nothing more will come: a receipt is left to its own node for 15 s, then to whichever node
 * asked for it and did not pass it on for 10 s more, and all nodes look every 5 s; five more for what takes its time.
 */
const QUIET_MS = 35_000;
/** For what comes although nothing is owed any more. */
const LINGER_MS = 2_000;
const READERS = 8;

/** Until everything owed has come; how it ended. @type {(owed: Owed, population: Population, history: History) => Promise<string>} */
export async function settle(owed, population, history) {
  const startedAt = history.now();
  for (;;) {
    const now = history.now();
    const isBack = population.online === population.clients.length;
    if (isBack && isEverythingIn(owed, population)) break;
    const isQuiet = isBack && now - Math.max(startedAt, owed.lastMoveAt) > QUIET_MS;
    if (isQuiet || now - startedAt > SETTLE_WITHIN_MS) return `not settled: ${missing(owed, population)}`;
    await sleep(100);
  }
  await sleep(LINGER_MS);
  return `settled in ${((history.now() - startedAt) / 1000).toFixed(1)} s`;
}

/** @type {(owed: Owed, population: Population) => boolean} */
function isEverythingIn({ deliveries, receipts }, { unconfirmed }) {
  return deliveries.size === 0 && receipts.size === 0 && unconfirmed === 0;
}

/** @type {(owed: Owed, population: Population) => string} */
function missing({ deliveries, receipts }, { unconfirmed, clients, online }) {
  return (
    `${deliveries.size} messages to deliver, ${unconfirmed} without an answer, ${receipts.size} receipts, ` +
    `${clients.length - online} clients not connected`
  );
}

/** Records the queue sizes; how many could be read. @type {(history: History, url: string, addresses: readonly string[]) => Promise<number>} */
export async function readSizes(history, url, addresses) {
  const left = [...addresses];
  let read = 0;
  const readInTurn = async () => {
    for (let address = left.pop(); address !== undefined; address = left.pop()) {
      const size = await sizeOf(url, address);
      if (size === null) continue;
      read++;
      history.add({ kind: 'size', address, size });
    }
  };
  await Promise.all(Array.from({ length: READERS }, readInTurn));
  return read;
}

/** `null` where the relay would not say. @type {(url: string, address: string) => Promise<number | null>} */
async function sizeOf(url, address) {
  const base = url.replace(/^ws/, 'http');
  const path = new URL(`/api/messages/${address}/queue-size`, base);
  try {
    const response = await globalThis.fetch(path);
    /** @type {unknown} */
    const body = await response.json();
    const { queueSize } = /** @type {{ queueSize?: number }} */ (body);
    return response.ok && typeof queueSize === 'number' ? queueSize : null;
  } catch {
    return null;
  }
}
