// @ts-check
import { performance } from 'node:perf_hooks';
import { Ledger } from './ledger.mjs';
import { Pair } from './pair.mjs';
import { cpuMicros } from './proc.mjs';
import { Traffic } from './traffic.mjs';

/** @typedef {{ url: URL, pid: number, redisPid: number, pairs: number, window: number, size: number, messages: number }} Options */

/**
 * Every sender leaves `messages` for a recipient who is absent; then all recipients sign in at once and drain them.
 * @param {Options} options
 */
export async function offline(options) {
  const ledger = new Ledger();
  const traffic = new Traffic(options);
  const all = Array.from({ length: options.pairs }, (_, i) => new Pair(traffic, ledger, i, options.window));
  const total = options.pairs * options.messages;
  await Promise.all(all.map((pair) => pair.connectSender(options.url)));

  const redisCpu = () => (options.redisPid === 0 ? 0 : cpuMicros(options.redisPid));
  const enqueueCpu = cpuMicros(options.pid);
  const enqueueRedisCpu = redisCpu();
  const enqueueMs = performance.now();
  for (const pair of all) {
    pair.limit = options.messages;
    pair.fill();
  }
  await ledger.until(() => ledger.answered === total);
  const enqueuedMs = ledger.lastAnsweredMs;
  const waiting = ledger.answered - ledger.refused;

  await Promise.all(all.map((pair) => pair.openRecipient(options.url)));
  const drainCpu = cpuMicros(options.pid);
  const drainRedisCpu = redisCpu();
  const drainMs = performance.now();
  await Promise.all(all.map((pair) => pair.signInRecipient()));
  await ledger.until(() => ledger.missing === 0);
  const drainedMs = ledger.lastReceivedMs;
  const drainedCpu = cpuMicros(options.pid);
  const drainedRedisCpu = redisCpu();
  await ledger.settle();
  for (const pair of all) pair.close();

  return {
    figures: {
      enqueuedPerSecond: (waiting * 1000) / (enqueuedMs - enqueueMs),
      drainedPerSecond: (ledger.received * 1000) / (drainedMs - drainMs),
      enqueueCpuMicros: (drainCpu - enqueueCpu) / waiting,
      drainCpuMicros: (drainedCpu - drainCpu) / ledger.received,
      ...(options.redisPid === 0
        ? {}
        : {
            enqueueRedisCpuMicros: (drainRedisCpu - enqueueRedisCpu) / waiting,
            drainRedisCpuMicros: (drainedRedisCpu - drainRedisCpu) / ledger.received,
          }),
    },
    ledger,
  };
}
