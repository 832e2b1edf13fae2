// @ts-check
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { enterAll } from './crowd.mjs';
import { Ledger } from './ledger.mjs';
import { requireDescriptors, residentBytes } from './proc.mjs';
import { serverCpuMicros } from './reading.mjs';

/** @typedef {{ urls: URL[], pids: number[], connections: number, settleMs: number }} Options */

const CONCURRENCY = 64;
/** Connections before the first look at the memory, so that what a server loads on first use is charged to nobody. */
const REHEARSAL = 200;

/**
 * What a signed-in connection that does nothing costs in the server's memory. It goes on moving for a while: each look waits
 * so long, of every server alike, before as after.
 * @param {Options} options
 */
export async function idle({ urls, pids, connections, settleMs }) {
  const [url] = urls;
  const [pid] = pids;
  if (url === undefined || pid === undefined) throw new Error('idle needs one server and its pid');
  requireDescriptors('self', connections);
  requireDescriptors(pid, connections);
  const ledger = new Ledger();
  const rehearsal = await enterAll(ledger, url, { count: REHEARSAL, concurrency: CONCURRENCY });
  for (const client of rehearsal) client.close();
  await sleep(settleMs);
  const beforeBytes = residentBytes(pid);

  const startMs = performance.now();
  const startCpu = serverCpuMicros(pids);
  const clients = await enterAll(ledger, url, { count: connections, concurrency: CONCURRENCY });
  const connectedMs = performance.now();
  const connectedCpu = serverCpuMicros(pids);
  await sleep(settleMs);
  const afterBytes = residentBytes(pid);
  const pingsAnswered = clients.reduce((sum, client) => sum + client.pingsAnswered, 0);
  for (const client of clients) client.close();

  return {
    figures: {
      bytesPerConnection: (afterBytes - beforeBytes) / connections,
      connectsPerSecond: (connections * 1000) / (connectedMs - startMs),
      connectCpuMicros: (connectedCpu - startCpu) / connections,
      beforeBytes,
      afterBytes,
      pingsAnswered,
    },
    ledger,
  };
}
