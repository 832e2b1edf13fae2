// @ts-check
import { performance } from 'node:perf_hooks';
import { enter } from './crowd.mjs';
import { Ledger } from './ledger.mjs';
import { requireDescriptors } from './proc.mjs';
import { serverCpuMicros } from './reading.mjs';
import { quantile } from './statistics.mjs';

/** @typedef {{ urls: URL[], pids: number[], connections: number }} Options */

/**
 * Everybody comes at the same moment, as after a network that was away: how long until each is signed in.
 * @param {Options} options
 */
export async function storm({ urls, pids, connections }) {
  const [url] = urls;
  if (url === undefined) throw new Error('storm needs a server');
  requireDescriptors('self', connections);
  for (const pid of pids) requireDescriptors(pid, connections);
  const ledger = new Ledger();
  const startCpu = serverCpuMicros(pids);
  const startMs = performance.now();
  const coming = Array.from({ length: connections }, async (_, index) => {
    const client = await enter(ledger, url, index);
    return { client, tookMs: performance.now() - startMs };
  });
  const all = await Promise.all(coming);
  const cpu = serverCpuMicros(pids) - startCpu;
  const tookMs = all.map((one) => one.tookMs);
  for (const { client } of all) client.close();
  return {
    figures: {
      signInsPerSecond: (connections * 1000) / quantile(tookMs, 1),
      signInP50Ms: quantile(tookMs, 0.5),
      signInP99Ms: quantile(tookMs, 0.99),
      signInCpuMicros: cpu / connections,
    },
    ledger,
  };
}
