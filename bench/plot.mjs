// @ts-check
/** Measurements as one SVG: a panel of bars for each plot of a scenario, readable on light and dark ground, nothing loaded from elsewhere. */
import { SCENARIOS, nameOf } from './scenarios.mjs';
import { spread, valuesOf } from './statistics.mjs';

/** @typedef {import('./statistics.mjs').Measurements} Measurements */
/** @typedef {{ name: string, kind: string, median: number, low: number, high: number }} Bar */
/** @typedef {{ title: string, note: string, bars: Bar[] }} Panel */

const COLUMNS = 2;
const PANEL_WIDTH = 440;
const GAP = 28;
const MARGIN = 20;
const HEAD = 64;
const TITLE_HEIGHT = 26;
const BAR_HEIGHT = 14;
const BAR_PITCH = 21;
const NAME_WIDTH = 112;
const VALUE_WIDTH = 62;
const BARS_WIDTH = PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH;

/** Kept apart in both grounds and by those who see fewer colours; the names stand beside the bars anyway. */
const STYLE = `
  :root { color-scheme: light dark; }
  .ground { fill: #ffffff } text { fill: #1f2328; font: 12px system-ui, sans-serif }
  .head { font-size: 17px; font-weight: 600 } .title { font-weight: 600 } .note, .value { fill: #59636e }
  .value { font-variant-numeric: tabular-nums } .axis, .range { stroke: #59636e; stroke-width: 1 }
  .other { fill: #9aa4af } .broker { fill: #d08c2e } .memory { fill: #2f81d6 } .durable { fill: #0b4f9e }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } text { fill: #e6edf3 } .note, .value { fill: #9198a1 } .axis, .range { stroke: #9198a1 }
    .other { fill: #656e77 } .broker { fill: #c9892f } .memory { fill: #58a6ff } .durable { fill: #2a6fc4 }
  }`;

/** @type {Record<string, string>} */
const KINDS = { router: 'other', batched: 'other', mqtt: 'broker', relay: 'memory' };

/** @param {Measurements} measurements @returns {Panel[]} */
export function panels(measurements) {
  return Object.entries(measurements).flatMap(([scenario, servers]) =>
    (SCENARIOS[scenario]?.plots ?? []).map(({ figure, title, isLessBetter }) => ({
      title,
      note: isLessBetter ? 'less is better' : 'more is better',
      bars: Object.keys(servers).flatMap((server) => {
        const values = valuesOf(measurements, { scenario, server, figure });
        if (values.length === 0) return [];
        return [{ name: nameOf(scenario, server).short, kind: KINDS[server] ?? 'durable', ...spread(values) }];
      }),
    })),
  );
}

/** @param {Panel[]} all @param {{ title: string, note: string }} about */
export function svg(all, about) {
  const width = 2 * MARGIN + COLUMNS * PANEL_WIDTH + (COLUMNS - 1) * GAP;
  const bottoms = Array.from({ length: COLUMNS }, () => HEAD);
  const drawn = all.map((panel) => {
    const column = bottoms.indexOf(Math.min(...bottoms));
    const top = bottoms[column] ?? HEAD;
    bottoms[column] = top + TITLE_HEIGHT + panel.bars.length * BAR_PITCH + GAP;
    return drawPanel(panel, MARGIN + column * (PANEL_WIDTH + GAP), top);
  });
  const height = Math.max(...bottoms);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(about.title)}">`,
    `<style>${STYLE}\n</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    `<text class="head" x="${MARGIN}" y="32">${escaped(about.title)}</text>`,
    `<text class="note" x="${MARGIN}" y="51">${escaped(about.note)}</text>`,
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

/** @type {(panel: Panel, x: number, y: number) => string} */
function drawPanel({ title, note, bars }, x, y) {
  const most = Math.max(...bars.map(({ high }) => high));
  const scale = (/** @type {number} */ value) => (most > 0 ? (value / most) * BARS_WIDTH : 0);
  const axisEnd = TITLE_HEIGHT + bars.length * BAR_PITCH - 4;
  return [
    `<g transform="translate(${x} ${y})">`,
    `<text class="title" x="0" y="14">${escaped(title)}<tspan class="note" dx="8" font-weight="400">${escaped(note)}</tspan></text>`,
    ...bars.map((bar, i) => drawBar(bar, TITLE_HEIGHT + i * BAR_PITCH, scale)),
    `<line class="axis" x1="${NAME_WIDTH}" x2="${NAME_WIDTH}" y1="${TITLE_HEIGHT - 3}" y2="${axisEnd}"/>`,
    '</g>',
  ].join('\n');
}

/** With a line from the lowest to the highest. @type {(bar: Bar, y: number, scale: (value: number) => number) => string} */
function drawBar({ name, kind, median, low, high }, y, scale) {
  const middle = y + BAR_HEIGHT / 2;
  const at = (/** @type {number} */ value) => (NAME_WIDTH + scale(value)).toFixed(1);
  return [
    `<text x="${NAME_WIDTH - 8}" y="${middle + 4}" text-anchor="end">${escaped(name)}</text>`,
    `<rect class="${kind}" x="${NAME_WIDTH}" y="${y}" width="${scale(median).toFixed(1)}" height="${BAR_HEIGHT}"/>`,
    `<line class="range" x1="${at(low)}" x2="${at(high)}" y1="${middle}" y2="${middle}"/>`,
    `<text class="value" x="${(NAME_WIDTH + scale(high) + 6).toFixed(1)}" y="${middle + 4}">${short(median)}</text>`,
  ].join('');
}

/** Three digits of it, as much as a plot shows. @param {number} value */
export function short(value) {
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
  if (value >= 10_000) return `${(value / 1000).toPrecision(3)} k`;
  return value >= 1000 ? `${(value / 1000).toFixed(2)} k` : String(Number(value.toPrecision(3)));
}

/** @param {string} text */
function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
