// @ts-check
import { performance } from 'node:perf_hooks';
import { Population } from './population.mjs';
import { Reading } from './reading.mjs';

/** @typedef {import('./population.mjs').Options & import('./reading.mjs').Processes & { window: number, messages: number, rehearsals: number }} Options */

/**
 * Every sender leaves `messages` for a recipient who is absent; then all recipients sign in at once and drain them. Others do so
 * before, unmeasured: a drain ends before V8 has compiled what it takes.
 * @param {Options} options
 */
export async function offline(options) {
  for (let rehearsal = 0; rehearsal < options.rehearsals; rehearsal++) {
    const { figures, ledger } = await leaveAndDrain(options);
    // What goes wrong there counts as well.
    if (ledger.hasFaults) return { figures, ledger };
  }
  return leaveAndDrain(options);
}

/** @param {Options} options */
async function leaveAndDrain(options) {
  const population = new Population(options, options.window);
  const { ledger } = population;
  const total = options.pairs * options.messages;
  await population.introduceRecipients();
  await population.connectSenders();

  const atFirst = new Reading(ledger, options);
  const enqueueMs = performance.now();
  for (const pair of population.pairs) {
    pair.limit = options.messages;
    pair.fill();
  }
  await ledger.until(() => ledger.answered === total);
  const enqueueSeconds = (ledger.lastAnsweredMs - enqueueMs) / 1000;
  const waiting = ledger.answered - ledger.refused;

  await population.openRecipients();
  const half = new Reading(ledger, options);
  const drainMs = performance.now();
  await population.signInRecipients();
  await ledger.until(() => ledger.missing === 0);
  const drainSeconds = (ledger.lastReceivedMs - drainMs) / 1000;
  const enqueued = half.since(atFirst);
  const drained = new Reading(ledger, options).since(half);
  await ledger.settle();
  population.close();

  return {
    figures: {
      enqueuedPerSecond: waiting / enqueueSeconds,
      drainedPerSecond: ledger.received / drainSeconds,
      enqueueCpuMicros: enqueued.cpuMicros / waiting,
      drainCpuMicros: drained.cpuMicros / ledger.received,
      ...sharesOfCores('enqueue', enqueued, enqueueSeconds),
      ...sharesOfCores('drain', drained, drainSeconds),
      ...(options.redisPid === 0
        ? {}
        : {
            enqueueRedisCpuMicros: enqueued.redisCpuMicros / waiting,
            drainRedisCpuMicros: drained.redisCpuMicros / ledger.received,
          }),
    },
    ledger,
  };
}

/** How busy each was. @type {(phase: string, used: ReturnType<Reading['since']>, seconds: number) => Record<string, number>} */
function sharesOfCores(phase, { cpuMicros, ownCpuMicros, redisCpuMicros }, seconds) {
  const share = (/** @type {number} */ micros) => micros / 1e6 / seconds;
  return {
    [`${phase}ServerCpu`]: share(cpuMicros),
    [`${phase}GeneratorCpu`]: share(ownCpuMicros),
    ...(redisCpuMicros === 0 ? {} : { [`${phase}RedisCpu`]: share(redisCpuMicros) }),
  };
}
