// @ts-check
import { performance } from 'node:perf_hooks';
import { quantile } from './statistics.mjs';

/** @typedef {import('./pair.mjs').Pair} Pair */
/** @typedef {import('./ledger.mjs').Ledger} Ledger */

/**
 * Message `sequence` of pair `p` is due at `(sequence * pairs + p) / rate`. Its latency counts from then on, not from when
 * it was sent, so neither a slow server nor a late generator hides waiting time.
 * @param {Pair[]} all @param {Ledger} ledger @param {{ rate: number, warmup: number }} options
 */
export function openLoop(all, ledger, { rate, warmup }) {
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
    for (; due <= latest; due++) all[due % all.length]?.allowOneMore();
    setImmediate(tick); // a timer's millisecond would be most of the latency that is measured
  };
  tick();
  let unsent = 0;
  const stop = () => {
    running = false;
    unsent = all.reduce((sum, pair) => sum + pair.limit - pair.nextSequence, 0);
  };
  const figures = () => ({
    latencyP50Ms: quantile(latenciesMs, 0.5),
    latencyP99Ms: quantile(latenciesMs, 0.99),
    latencyMaxMs: quantile(latenciesMs, 1),
    // How far the sending itself was behind its schedule at the end: not zero means that the rate is beyond the server.
    unsent,
  });
  return { stop, figures };
}
