// @ts-check
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ledger } from './ledger.mjs';
import { cpuMicros, requireDescriptors, residentBytes } from './proc.mjs';
import { Traffic } from './traffic.mjs';
import { Client } from './websocket.mjs';

/** @typedef {{ url: URL, pid: number, connections: number }} Options */

const CONCURRENCY = 64;
/** One source address has 28 000 ports to call from; loopback has sixteen million source addresses. */
const CONNECTIONS_PER_SOURCE = 20_000;
/** Connections before the first look at the memory, so that what a server loads on first use is charged to nobody. */
const REHEARSAL = 200;

/**
 * What a signed-in connection that does nothing costs in the server's memory.
 * @param {Options} options
 */
export async function idle(options) {
  requireDescriptors('self', options.connections);
  requireDescriptors(options.pid, options.connections);
  const ledger = new Ledger();
  for (const client of await connect(ledger, options.url, REHEARSAL)) client.close();
  const beforeBytes = await settledBytes(options.pid);

  const startMs = performance.now();
  const startCpu = cpuMicros(options.pid);
  const clients = await connect(ledger, options.url, options.connections);
  const connectedMs = performance.now();
  const connectedCpu = cpuMicros(options.pid);
  const afterBytes = await settledBytes(options.pid);
  const pingsAnswered = clients.reduce((sum, client) => sum + client.pingsAnswered, 0);
  for (const client of clients) client.close();

  return {
    figures: {
      bytesPerConnection: (afterBytes - beforeBytes) / options.connections,
      connectsPerSecond: (options.connections * 1000) / (connectedMs - startMs),
      connectCpuMicros: (connectedCpu - startCpu) / options.connections,
      beforeBytes,
      afterBytes,
      pingsAnswered,
    },
    ledger,
  };
}

/**
 * @param {Ledger} ledger @param {URL} url @param {number} count
 * @returns {Promise<Client[]>}
 */
async function connect(ledger, url, count) {
  const traffic = new Traffic({ pairs: 0, size: 300 });
  /** @type {Client[]} */
  const clients = [];
  let next = 0;
  const connectInTurn = async () => {
    while (next < count) {
      const index = next++;
      const source = Math.floor(index / CONNECTIONS_PER_SOURCE);
      const client = new Client(url, source === 0 ? undefined : `127.0.0.${source + 1}`);
      client.onLost = (reason) => {
        ledger.disconnects++;
        ledger.note(`idle connection ${index}: ${reason}`);
      };
      await client.opened;
      await client.signIn(traffic.recipient(index));
      clients.push(client);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, connectInTurn));
  return clients;
}

/** Memory goes on moving for a while after the last connection; it counts once two looks agree. @param {number} pid */
async function settledBytes(pid) {
  let now = residentBytes(pid);
  for (let look = 0; look < 10; look++) {
    const before = now;
    await sleep(1000);
    now = residentBytes(pid);
    if (Math.abs(now - before) < 64 * 1024) break;
  }
  return now;
}
