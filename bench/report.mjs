// @ts-check
/** From the single measurements to medians, ratios, a Markdown table and a verdict. */
import { cpus } from 'node:os';

/** @typedef {{ figures: Record<string, number>, faults: Record<string, number>, counts: Record<string, number>, notes: string[] }} Measurement */
/** @typedef {Record<string, Record<string, Measurement[]>>} Measurements  by scenario and server, one per round */
/** @typedef {{ scenario: string, server: string, figure: string, atLeast?: number, atMost?: number }} Bound  of the ratio to the router */
/** @typedef {{ figure: string, title: string, show: (value: number) => string }} Column */

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
  ],
  latency: [
    { figure: 'latencyP50Ms', title: 'p50 ms', show: millis },
    { figure: 'latencyP99Ms', title: 'p99 ms', show: millis },
    { figure: 'cpuMicrosPerMessage', title: 'CPU µs/message', show: decimal },
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

/** @param {Measurements} measurements */
export function summary(measurements) {
  return Object.entries(measurements).map(([scenario, servers]) => ({
    scenario,
    servers: Object.keys(servers).map((server) => ({
      server,
      figures: (COLUMNS[scenario] ?? []).map(({ figure }) => ({
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
  const columns = COLUMNS[scenario] ?? [];
  const head = ['server', ...columns.flatMap(({ title }) => [title, '× router'])];
  const rows = Object.keys(measurements[scenario] ?? {}).map((server) => [
    titles(server),
    ...columns.flatMap(({ figure, show }) => [
      show(median(values(measurements, scenario, server, figure))),
      range(ratios(measurements, scenario, server, figure)),
    ]),
  ]);
  const rule = ['---', ...columns.flatMap(() => ['--:', '--:'])];
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
  const late = Object.keys(measurements.latency ?? {})
    .filter((server) => highest('latency', server, 'unsent') > 0)
    .map((server) => `latency, ${server}: it fell behind the schedule, choose a lower --rate`);
  return [...busyGenerator, ...disturbed, ...late];
}

/** @type {(measurements: Measurements, bounds: Bound[]) => { text: string, missed: boolean }[]} */
export function judge(measurements, bounds) {
  return bounds.map(({ scenario, server, figure, atLeast = -Infinity, atMost = Infinity }) => {
    const ratio = median(ratios(measurements, scenario, server, figure));
    const rule = `${scenario}: ${figure} of ${server} ${atLeast > 0 ? `≥ ${atLeast}` : `≤ ${atMost}`} × router`;
    if (Number.isNaN(ratio)) return { text: `${rule}: not measured`, missed: false };
    const missed = !(ratio >= atLeast && ratio <= atMost);
    return { text: `${rule}: ${missed ? 'MISSED' : 'kept'} (${ratio.toFixed(2)})`, missed };
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
