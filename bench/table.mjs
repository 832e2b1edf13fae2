// @ts-check
/** Measurements as Markdown: a table for each scenario, medians, and in brackets the lowest and highest ratio. */
import { SCENARIOS, nameOf } from './scenarios.mjs';
import { median, ratiosOf, spread, valuesOf } from './statistics.mjs';

/** @typedef {import('./statistics.mjs').Measurements} Measurements */
/** @typedef {import('./scenarios.mjs').Column} Column */

/** @param {Measurements} measurements */
export function markdown(measurements) {
  return Object.keys(measurements)
    .map((scenario) => table(measurements, scenario))
    .join('\n\n');
}

/** @type {(measurements: Measurements, scenario: string) => string} */
function table(measurements, scenario) {
  const { about, columns = [], yardstick = '' } = SCENARIOS[scenario] ?? {};
  const servers = Object.keys(measurements[scenario] ?? {});
  const isSeen = (/** @type {Column} */ { figure, isOfRedis }) =>
    !isOfRedis || servers.some((server) => valuesOf(measurements, { scenario, server, figure }).length > 0);
  const seen = columns.filter(isSeen);
  const against = `× ${scenario === 'mailboxes' ? nameOf(scenario, yardstick).title : nameOf(scenario, yardstick).short}`;
  const head = ['', ...seen.flatMap(({ title, compare }) => (compare ? [title, against] : [title]))];
  const rows = servers.map((server) => [
    nameOf(scenario, server).title,
    ...seen.flatMap((column) =>
      cells(measurements, { scenario, server, figure: column.figure }, { column, yardstick }),
    ),
  ]);
  const rule = head.map((_, i) => (i === 0 ? '---' : '--:'));
  const lines = [head, rule, ...rows].map((row) => `| ${row.join(' | ')} |`);
  return [`### ${scenario}`, '', `${about}.`, '', ...lines].join('\n');
}

/** @type {(measurements: Measurements, place: import('./statistics.mjs').Place, of: { column: Column, yardstick: string }) => string[]} */
function cells(measurements, place, { column: { show, compare }, yardstick }) {
  const values = valuesOf(measurements, place);
  const value = values.length === 0 ? '' : show(median(values));
  return compare ? [value, range(ratiosOf(measurements, place, yardstick))] : [value];
}

/** @param {number[]} ratios */
function range(ratios) {
  if (ratios.length === 0) return '';
  const { median: middle, low, high } = spread(ratios);
  return `${middle.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}
