// @ts-check
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ledger } from './ledger.mjs';
import { Pair } from './pair.mjs';
import { cpuMicros } from './proc.mjs';
import { Traffic } from './traffic.mjs';

/** @typedef {{ url: URL, pid: number, redisPid: number, pairs: number, window: number, size: number, seconds: number, warmup: number, rate: number }} Options */

/** A window so wide that the open loop never waits for a verdict, except of a server that has fallen far behind. */
const OPEN_WINDOW = 512;

/**
 * Messages between connected pairs. Closed loop: every sender keeps `window` messages unanswered. With `rate` (messages/s,
 * all pairs together) an open loop that sends on schedule whatever the server does.
 * @param {Options} options
 */
export async function pairs(options) {
  const ledger = new Ledger();
  const traffic = new Traffic(options);
  const window = options.rate > 0 ? OPEN_WINDOW : options.window;
  const all = Array.from({ length: options.pairs }, (_, i) => new Pair(traffic, ledger, i, window));
  await Promise.all(all.map((pair) => pair.openRecipient(options.url)));
  await Promise.all(all.map((pair) => pair.signInRecipient()));
  await Promise.all(all.map((pair) => pair.connectSender(options.url)));

  const load = options.rate > 0 ? openLoop(all, ledger, options) : closedLoop(all);
  await sleep(options.warmup * 1000);
  const before = reading(ledger, options);
  await sleep(options.seconds * 1000);
  const after = reading(ledger, options);
  load.stop();
  await ledger.settle();
  for (const pair of all) pair.close();

  const seconds = (after.atMs - before.atMs) / 1000;
  const received = after.received - before.received;
  return {
    figures: {
      messagesPerSecond: received / seconds,
      cpuMicrosPerMessage: (after.cpuMicros - before.cpuMicros) / received,
      serverCpu: (after.cpuMicros - before.cpuMicros) / 1e6 / seconds,
      generatorCpu: (after.ownCpuMicros - before.ownCpuMicros) / 1e6 / seconds,
      ...(options.redisPid === 0
        ? {}
        : {
            redisCpuMicros: (after.redisCpuMicros - before.redisCpuMicros) / received,
            redisCpu: (after.redisCpuMicros - before.redisCpuMicros) / 1e6 / seconds,
          }),
      ...load.figures(),
    },
    ledger,
  };
}

/** @param {Ledger} ledger @param {Options} options */
function reading(ledger, { pid, redisPid }) {
  const own = process.cpuUsage();
  return {
    atMs: performance.now(),
    received: ledger.received,
    cpuMicros: cpuMicros(pid),
    redisCpuMicros: redisPid === 0 ? 0 : cpuMicros(redisPid),
    ownCpuMicros: own.user + own.system,
  };
}

/** @param {Pair[]} all */
function closedLoop(all) {
  for (const pair of all) {
    pair.limit = Infinity;
    pair.fill();
  }
  const stop = () => {
    for (const pair of all) pair.limit = pair.nextSequence;
  };
  return { stop, figures: () => ({}) };
}

/**
 * Message `sequence` of pair `p` is due at `(sequence * pairs + p) / rate`. Its latency counts from then on, not from when
 * it was sent, so neither a slow server nor a late generator hides waiting time.
 * @param {Pair[]} all @param {Ledger} ledger @param {Options} options
 */
function openLoop(all, ledger, { rate, warmup }) {
  const startMs = performance.now();
  const measuredFromMs = startMs + warmup * 1000;
  let running = true;
  let due = 0;
  /** @type {number[]} */
  const latenciesMs = [];
  all.forEach((pair, index) => {
    pair.onReceived = (sequence) => {
      const dueMs = startMs + ((sequence * all.length + index) * 1000) / rate;
      if (dueMs >= measuredFromMs) latenciesMs.push(ledger.lastReceivedMs - dueMs);
    };
  });
  const tick = () => {
    if (!running) return;
    const latest = Math.floor(((performance.now() - startMs) * rate) / 1000);
    for (; due <= latest; due++) {
      const pair = all[due % all.length];
      pair?.allowOneMore();
    }
    setImmediate(tick); // a timer's millisecond would be most of the latency that is measured
  };
  tick();
  let unsent = 0;
  const stop = () => {
    running = false;
    unsent = all.reduce((sum, pair) => sum + pair.limit - pair.nextSequence, 0);
  };
  const figures = () => {
    latenciesMs.sort((a, b) => a - b);
    const quantile = (/** @type {number} */ q) => latenciesMs[Math.ceil(latenciesMs.length * q) - 1];
    return {
      latencyP50Ms: quantile(0.5),
      latencyP99Ms: quantile(0.99),
      latencyMaxMs: latenciesMs.at(-1),
      // How far the sending itself was behind its schedule at the end: not zero means that the rate is beyond the server.
      unsent,
    };
  };
  return { stop, figures };
}
