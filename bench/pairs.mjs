// @ts-check
import { setTimeout as sleep } from 'node:timers/promises';
import { openLoop } from './open-loop.mjs';
import { Population } from './population.mjs';
import { Reading } from './reading.mjs';

/** @typedef {import('./pair.mjs').Pair} Pair */
/** @typedef {import('./population.mjs').Options & import('./reading.mjs').Processes & { window: number, seconds: number, warmup: number, rate: number }} Options */

/** A window so wide that the open loop never waits for a verdict, except of a server that has fallen far behind. */
const OPEN_WINDOW = 512;

/**
 * Messages between connected pairs. Closed loop: every sender keeps `window` messages unanswered. With `rate` (messages/s,
 * all pairs together) an open loop that sends on schedule whatever the server does.
 * @param {Options} options
 */
export async function pairs(options) {
  const population = new Population(options, options.rate > 0 ? OPEN_WINDOW : options.window);
  const { ledger } = population;
  await population.openRecipients();
  await population.signInRecipients();
  await population.connectSenders();

  const load = options.rate > 0 ? openLoop(population.pairs, ledger, options) : closedLoop(population.pairs);
  await sleep(options.warmup * 1000);
  const before = new Reading(ledger, options);
  await sleep(options.seconds * 1000);
  const used = new Reading(ledger, options).since(before);
  load.stop();
  await ledger.settle();
  population.close();

  return {
    figures: {
      messagesPerSecond: used.received / used.seconds,
      megabytesPerSecond: (used.received * options.size) / used.seconds / 1e6,
      cpuMicrosPerMessage: used.cpuMicros / used.received,
      kernelShare: used.kernelShare,
      serverCpu: used.cpuMicros / 1e6 / used.seconds,
      generatorCpu: used.ownCpuMicros / 1e6 / used.seconds,
      fromMicros: used.fromMicros,
      untilMicros: used.untilMicros,
      ...(options.redisPid === 0
        ? {}
        : {
            redisCpuMicros: used.redisCpuMicros / used.received,
            redisCpu: used.redisCpuMicros / 1e6 / used.seconds,
          }),
      ...load.figures(),
    },
    ledger,
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
