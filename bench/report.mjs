// @ts-check
/** From the single measurements to medians, ratios, a Markdown table and a verdict. */
import { cpus } from 'node:os';

/** @typedef {{ figures: Record<string, number>, faults: Record<string, number>, counts: Record<string, number>, notes: string[] }} Measurement */
/** @typedef {Record<string, Record<string, Measurement[]>>} Measurements  by scenario and server, one per round */
/** @typedef {{ scenario: string, server: string, figure: string, atLeast?: number, atMost?: number, isAbsolute?: true }} Bound  of the ratio to the router, or of the figure itself */
/** @typedef {{ figure: string, title: string, show: (value: number) => string, isOfRedis?: true }} Column */

const YARDSTICK = 'router';

const count = (/** @type {number} */ value) => Math.round(value).toLocaleString('en').replaceAll(',', ' ');
const decimal = (/** @type {number} */ value) => value.toFixed(1);
const millis = (/** @type {number} */ value) => value.toFixed(3);
const kibibytes = (/** @type {number} */ value) => (value / 1024).toFixed(2);

/** @type {Record<string, Column[]>} */
const COLUMNS = {
  pairs: [
    { figure: 'messagesPerSecond', title: 'messages/s', show: count },
    { figure: 'cpuMicrosPerMessage', title: 'CPU µs/message', show: decimal },
    { figure: 'redisCpuMicros', title: 'Redis CPU µs', show: decimal, isOfRedis: true },
  ],
  latency: [
    { figure: 'latencyP50Ms', title: 'p50 ms', show: millis },
    { figure: 'latencyP99Ms', title: 'p99 ms', show: millis },
    { figure: 'cpuMicrosPerMessage', title: 'CPU µs/message', show: decimal },
    { figure: 'redisCpuMicros', title: 'Redis CPU µs', show: decimal, isOfRedis: true },
  ],
  idle: [
    { figure: 'bytesPerConnection', title: 'KiB/connection', show: kibibytes },
    { figure: 'connectsPerSecond', title: 'sign-ins/s', show: count },
  ],
  offline: [
    { figure: 'enqueuedPerSecond', title: 'enqueued/s', show: count },
    { figure: 'drainedPerSecond', title: 'drained/s', show: count },
    { figure: 'enqueueCpuMicros', title: 'enqueue CPU µs', show: decimal },
    { figure: 'drainCpuMicros', title: 'drain CPU µs', show: decimal },
    { figure: 'enqueueRedisCpuMicros', title: 'enqueue Redis CPU µs', show: decimal, isOfRedis: true },
    { figure: 'drainRedisCpuMicros', title: 'drain Redis CPU µs', show: decimal, isOfRedis: true },
  ],
};

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

/** @type {(measurements: Measurements, scenario: string, server: string, figure: string) => number[]} */
function values(measurements, scenario, server, figure) {
  return (measurements[scenario]?.[server] ?? []).map((round) => round.figures[figure] ?? NaN);
}

/**
 * Round by round against the router's neighbouring measurement, then the median: what slowed the machine down for a
 * minute slowed both. Empty without a router.
 * @type {(measurements: Measurements, scenario: string, server: string, figure: string) => number[]}
 */
function ratios(measurements, scenario, server, figure) {
  const yardstick = values(measurements, scenario, YARDSTICK, figure);
  const own = values(measurements, scenario, server, figure);
  return own.flatMap((value, round) => (yardstick[round] === undefined ? [] : [value / yardstick[round]]));
}

/** The router has no Redis, and a run may be without any. @type {(measurements: Measurements, scenario: string, server: string, figure: string) => boolean} */
function has(measurements, scenario, server, figure) {
  return measurements[scenario]?.[server]?.some((round) => figure in round.figures) === true;
}

/** @param {Measurements} measurements */
export function summary(measurements) {
  return Object.entries(measurements).map(([scenario, servers]) => ({
    scenario,
    servers: Object.keys(servers).map((server) => ({
      server,
      figures: (COLUMNS[scenario] ?? [])
        .filter(({ figure, isOfRedis }) => !isOfRedis || has(measurements, scenario, server, figure))
        .map(({ figure }) => ({
          figure,
          median: median(values(measurements, scenario, server, figure)),
          ratio: median(ratios(measurements, scenario, server, figure)),
        })),
    })),
  }));
}

/** @type {(measurements: Measurements, titles: (server: string) => string) => string} */
export function markdown(measurements, titles) {
  const tables = Object.keys(measurements).map((scenario) => table(measurements, scenario, titles));
  return tables.join('\n\n');
}

/** @type {(measurements: Measurements, scenario: string, titles: (server: string) => string) => string} */
function table(measurements, scenario, titles) {
  const servers = Object.keys(measurements[scenario] ?? {});
  const columns = (COLUMNS[scenario] ?? []).filter(
    ({ figure, isOfRedis }) => !isOfRedis || servers.some((server) => has(measurements, scenario, server, figure)),
  );
  const head = ['server', ...columns.flatMap(({ title, isOfRedis }) => (isOfRedis ? [title] : [title, '× router']))];
  const rows = servers.map((server) => [
    titles(server),
    ...columns.flatMap(({ figure, show, isOfRedis }) => {
      const figures = values(measurements, scenario, server, figure);
      if (isOfRedis) return [has(measurements, scenario, server, figure) ? show(median(figures)) : ''];
      return [show(median(figures)), range(ratios(measurements, scenario, server, figure))];
    }),
  ]);
  const rule = ['---', ...columns.flatMap(({ isOfRedis }) => (isOfRedis ? ['--:'] : ['--:', '--:']))];
  const lines = [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return [`### ${scenario}`, '', ...lines].join('\n');
}

/** @param {number[]} of */
function range(of) {
  if (of.length === 0) return '';
  return `${median(of).toFixed(2)} (${Math.min(...of).toFixed(2)}–${Math.max(...of).toFixed(2)})`;
}

/** What must not be, in words: nothing when all is well. @type {(measurements: Measurements) => string[]} */
export function faults(measurements) {
  return Object.entries(measurements).flatMap(([scenario, servers]) =>
    Object.entries(servers).flatMap(([server, rounds]) =>
      rounds.flatMap((round, index) => {
        const wrong = Object.entries(round.faults).filter(([, number]) => number !== 0);
        if (wrong.length === 0) return [];
        const what = wrong.map(([name, number]) => `${name} ${number}`).join(', ');
        return [[`${scenario}, ${server}, round ${index + 1}: ${what}`, ...round.notes].join('\n    ')];
      }),
    ),
  );
}

/** What makes a figure say less than it seems to. @type {(measurements: Measurements) => string[]} */
export function doubts(measurements) {
  const highest = (/** @type {string} */ scenario, /** @type {string} */ server, /** @type {string} */ figure) =>
    Math.max(...values(measurements, scenario, server, figure));
  const busyGenerator = Object.keys(measurements.pairs ?? {})
    .filter((server) => highest('pairs', server, 'generatorCpu') > 0.95)
    .map((server) => `pairs, ${server}: the generator was as busy as a core can be, the server may do more`);
  const disturbed = Object.keys(measurements.pairs ?? {})
    .filter((server) => Math.min(...values(measurements, 'pairs', server, 'serverCpu')) < 0.9)
    .map((server) => `pairs, ${server}: it did not have its core to itself in every round, trust CPU µs/message more`);
  const shared = Object.entries(measurements.pairs ?? {})
    .filter(([, rounds]) => rounds.some(({ figures }) => (figures.generatorCpu ?? 0) + (figures.redisCpu ?? 0) > 0.95))
    .filter(([server]) => has(measurements, 'pairs', server, 'redisCpu'))
    .map(([server]) => `pairs, ${server}: Redis and the generator filled their core, the relay may do more`);
  const late = Object.keys(measurements.latency ?? {})
    .filter((server) => highest('latency', server, 'unsent') > 0)
    .map((server) => `latency, ${server}: it fell behind the schedule, choose a lower --rate`);
  const interrupted = Object.entries(measurements.latency ?? {})
    .filter(([, rounds]) => rounds.some(({ figures }) => (figures.generatorCpu ?? 1) + (figures.redisCpu ?? 0) < 0.97))
    .map(
      ([server]) =>
        `latency, ${server}: the generator's core was taken away in some rounds, p99 is that of the machine`,
    );
  return [...busyGenerator, ...shared, ...disturbed, ...late, ...interrupted];
}

/** @type {(measurements: Measurements, bounds: Bound[]) => { text: string, missed: boolean }[]} */
export function judge(measurements, bounds) {
  return bounds.map(({ scenario, server, figure, atLeast = -Infinity, atMost = Infinity, isAbsolute }) => {
    const found = (isAbsolute ? values : ratios)(measurements, scenario, server, figure);
    const value = median(found);
    const bound = atLeast > 0 ? `≥ ${atLeast}` : `≤ ${atMost}`;
    const rule = `${scenario}: ${figure} of ${server} ${bound}${isAbsolute ? '' : ' × router'}`;
    if (Number.isNaN(value)) return { text: `${rule}: not measured`, missed: false };
    const missed = !(value >= atLeast && value <= atMost);
    return { text: `${rule}: ${missed ? 'MISSED' : 'kept'} (${isAbsolute ? count(value) : value.toFixed(2)})`, missed };
  });
}

export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    platform: process.platform,
  };
}
