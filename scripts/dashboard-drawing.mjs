// Draws the panels of a dashboard as Grafana lays them out: positions, titles, units, thresholds, stacks and legends.

/**
 * @typedef {import('./dashboard-prometheus.mjs').Panel} Panel
 * @typedef {import('./dashboard-prometheus.mjs').Series} Series
 * @typedef {import('./dashboard-prometheus.mjs').Reading} Reading
 * @typedef {import('./dashboard-prometheus.mjs').Range} Range
 * @typedef {{ low: number, high: number, ticks: readonly number[] }} Scale
 * @typedef {{ width: number, height: number }} Size
 */

export const PAGE_WIDTH = 1200;
const MARGIN = 8;
const HEADER = 44;
/** Of Grafana's grid of 24 columns. */
const CELL = { width: (PAGE_WIDTH - MARGIN) / 24, height: 38 };
const PALETTE = ['#73bf69', '#f2cc0c', '#5794f2', '#ff9830', '#f2495c', '#b877d9', '#56c9d8', '#e0a0c8', '#9aa7b5'];
const NAMED = { green: '#73bf69', red: '#f2495c', yellow: '#f2cc0c', orange: '#ff9830', blue: '#5794f2' };
/** What Grafana takes where a panel names none. */
const USUAL_THRESHOLDS = [
  { color: 'green', value: null },
  { color: 'red', value: 80 },
];
const AXIS = { left: 54, right: 8, top: 6, bottom: 18 };

/** @param {import('./dashboard-prometheus.mjs').Dashboard} dashboard @param {readonly Reading[]} readings @param {Range} range */
export function pageOf(dashboard, readings, range) {
  const bottom = Math.max(...readings.map(({ panel: { gridPos } }) => gridPos.y + gridPos.h));
  const variables = dashboard.templating.list
    .filter(({ type }) => type === 'query')
    .map(({ label, current }) => `<span class="variable">${escaped(label)}</span> ${escaped(current.text ?? '')}`);
  const shown = `${clock(range.from, true)} to ${clock(range.to, true)} UTC`;
  return `<!doctype html><meta charset="utf-8"><style>${STYLE}</style>
    <header><b>${escaped(dashboard.title)}</b> ${variables.join(' ')}<span class="range">${shown}</span></header>
    <main style="height: ${bottom * CELL.height}px">${readings.map((reading) => box(reading, range)).join('')}</main>`;
}

const STYLE = `
  body { margin: 0; background: #111217; color: #ccccdc; font: 12px/1.4 'Inter', 'Liberation Sans', Arial, sans-serif }
  header { display: flex; gap: 12px; align-items: center; height: ${HEADER}px; padding: 0 ${MARGIN}px; font-size: 13px }
  header b { font-size: 17px; font-weight: 500 }
  .variable { background: #22252b; padding: 3px 8px; border-radius: 2px }
  .range { margin-left: auto; color: #9fa7b3 }
  main { position: relative }
  section { position: absolute; box-sizing: border-box; background: #181b1f; border: 1px solid #2a2d33; border-radius: 2px; overflow: hidden }
  section.row { background: none; border: 0; font-size: 15px; font-weight: 500; line-height: 30px; padding-left: 4px }
  h2 { margin: 0; padding: 6px 8px 0; font-size: 13px; font-weight: 500; line-height: 18px; white-space: nowrap }
  svg { display: block } svg text { fill: #9fa7b3; font-size: 11px }
  .value { position: absolute; inset: 20px 0 34%; display: flex; align-items: center; justify-content: center; font-size: 34px; font-weight: 500 }
  .spark { position: absolute; bottom: 0; left: 0 }
  ul { position: absolute; bottom: 4px; left: 8px; right: 8px; margin: 0; padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: 0 12px; font-size: 11px }
  li::before { content: ''; display: inline-block; width: 12px; height: 3px; border-radius: 2px; margin: 0 5px 3px 0; background: var(--color) }
  .empty { position: absolute; inset: 0; display: flex; align-items: center; justify-content: center; color: #9fa7b3 }
`;

/** @param {Reading} reading @param {Range} range */
function box({ panel, series }, range) {
  const { x, y, w, h } = panel.gridPos;
  const size = { width: Math.round(w * CELL.width - MARGIN), height: h * CELL.height - MARGIN };
  const place = `left: ${MARGIN + x * CELL.width}px; top: ${y * CELL.height}px; width: ${size.width}px; height: ${size.height}px`;
  if (panel.type === 'row') return `<section class="row" style="${place}">⌄ ${escaped(panel.title)}</section>`;
  const draw = DRAWERS[panel.type];
  if (draw === undefined) throw new Error(`${panel.title}: nothing here draws a panel of the type ${panel.type}`);
  const content = series.length === 0 ? '<div class="empty">No data</div>' : draw(panel, series, range, size);
  return `<section style="${place}"><h2>${escaped(panel.title)}</h2>${content}</section>`;
}

/** @type {Readonly<Record<string, (panel: Panel, series: readonly Series[], range: Range, size: Size) => string>>} */
const DRAWERS = { stat: drawStat, timeseries: drawLines };

/** @type {(panel: Panel, series: readonly Series[], range: Range, size: Size) => string} */
function drawStat({ fieldConfig, title }, [first], range, size) {
  const { thresholds, mappings = [], unit } = defaultsOf(fieldConfig, title);
  const points = first?.points ?? [];
  const value = points.at(-1)?.[1] ?? 0;
  const text = mappings[0]?.options[String(value)]?.text ?? formatted(value, unit, title);
  const steps = thresholds?.steps ?? USUAL_THRESHOLDS;
  const reached = steps.filter((step) => step.value === null || value >= step.value).at(-1);
  const color = NAMED[/** @type {keyof NAMED} */ (reached?.color ?? 'green')];
  const frame = { left: 0, top: 0, width: size.width, height: Math.round(size.height * 0.4) };
  const high = Math.max(...points.map(([, v]) => v)) * 1.1 || 1;
  const scale = { low: 0, high, ticks: [] };
  const { line, area } = paths(
    points,
    points.map(() => 0),
    { frame, scale, range },
  );
  return `<svg class="spark" width="${frame.width}" height="${frame.height}">
      <path d="${area}" fill="${color}" opacity=".18"/><path d="${line}" fill="none" stroke="${color}"/></svg>
    <div class="value" style="color: ${color}">${escaped(text)}</div>`;
}

/** @type {(panel: Panel, series: readonly Series[], range: Range, size: Size) => string} */
function drawLines({ fieldConfig, title }, series, range, size) {
  const { unit, custom } = defaultsOf(fieldConfig, title);
  const { fillOpacity, lineWidth, stacking } = custom ?? { fillOpacity: 0, lineWidth: 1 };
  const isStacked = stacking?.mode === 'normal';
  const layers = isStacked ? stacked(series) : series.map(({ points }) => ({ points, floor: points.map(() => 0) }));
  const scale = scaleFor(
    layers.flatMap(({ points }) => points.map(([, value]) => value)),
    unit,
  );
  const legendLines = Math.ceil(series.reduce((sum, { name }) => sum + name.length * 6.2 + 30, 0) / (size.width - 16));
  const frame = {
    left: AXIS.left,
    top: AXIS.top,
    width: size.width - AXIS.left - AXIS.right,
    height: size.height - 26 - AXIS.top - AXIS.bottom - 16 * legendLines - 4,
  };
  const colors = series.map((_, i) => PALETTE[i % PALETTE.length] ?? '');
  const drawn = layers.map(({ points, floor }, i) => {
    const { line, area } = paths(points, floor, { frame, scale, range });
    return `<path d="${area}" fill="${colors[i]}" opacity="${fillOpacity / 100}"/>
      <path d="${line}" fill="none" stroke="${colors[i]}" stroke-width="${lineWidth}" stroke-linejoin="round"/>`;
  });
  const legend = series.map(({ name }, i) => `<li style="--color: ${colors[i]}">${escaped(name)}</li>`);
  return `<svg width="${size.width}" height="${frame.height + AXIS.top + AXIS.bottom}">
      ${grid({ frame, scale, range }, (value) => formatted(value, unit, title))}${drawn.join('')}</svg><ul>${legend.join('')}</ul>`;
}

/** @param {Panel['fieldConfig']} fieldConfig @param {string} title */
function defaultsOf(fieldConfig, title) {
  if (fieldConfig === undefined) throw new Error(`${title}: no fieldConfig`);
  return fieldConfig.defaults;
}

/**
 * Each on top of those before it, where those have a point.
 * @param {readonly Series[]} series
 */
function stacked(series) {
  /** @type {Map<number, number>} */
  const heights = new Map();
  return series.map(({ points }) => {
    const floor = points.map(([time]) => heights.get(time) ?? 0);
    const raised = points.map(([time, value], i) => /** @type {const} */ ([time, value + (floor[i] ?? 0)]));
    for (const [time, value] of raised) heights.set(time, value);
    return { points: raised, floor };
  });
}

/**
 * A line and the area below it, both broken where points are missing.
 * @type {(points: Series['points'], floor: readonly number[], to: { frame: Size & { left: number, top: number }, scale: Scale, range: Range }) => { line: string, area: string }}
 */
function paths(points, floor, { frame, scale, range }) {
  const x = (/** @type {number} */ time) => frame.left + ((time - range.from) / (range.to - range.from)) * frame.width;
  const y = (/** @type {number} */ value) =>
    frame.top + frame.height * (1 - (value - scale.low) / (scale.high - scale.low));
  /** @type {[number, number, number][][]} */
  const pieces = [];
  for (const [i, [time, value]] of points.entries()) {
    const isNext = i > 0 && time - (points[i - 1]?.[0] ?? 0) <= range.step * 1.5;
    if (!isNext) pieces.push([]);
    pieces.at(-1)?.push([x(time), y(value), y(floor[i] ?? 0)]);
  }
  const line = pieces.map((piece) => `M${piece.map(([px, py]) => at(px, py)).join('L')}`);
  const area = pieces.map((piece) => {
    const back = [...piece].reverse().map(([px, , bottom]) => at(px, bottom));
    return `M${[...piece.map(([px, py]) => at(px, py)), ...back].join('L')}Z`;
  });
  return { line: line.join(''), area: area.join('') };
}

/** @param {number} x @param {number} y */
const at = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;

/** @type {(to: { frame: Size & { left: number, top: number }, scale: Scale, range: Range }, label: (value: number) => string) => string} */
function grid({ frame, scale, range }, label) {
  const right = frame.left + frame.width;
  const bottom = frame.top + frame.height;
  const rows = scale.ticks.map((value) => {
    const y = Math.round(bottom - ((value - scale.low) / (scale.high - scale.low)) * frame.height) + 0.5;
    return `<path d="M${frame.left} ${y}H${right}" stroke="#2a2d33"/><text x="${frame.left - 6}" y="${y + 4}" text-anchor="end">${label(value)}</text>`;
  });
  const columns = [];
  for (let time = Math.ceil(range.from / 30) * 30; time <= range.to; time += 30) {
    const x = Math.round(frame.left + ((time - range.from) / (range.to - range.from)) * frame.width) + 0.5;
    const isInside = x > frame.left + 20 && x < right - 20;
    columns.push(`<path d="M${x} ${frame.top}V${bottom}" stroke="#2a2d33"/>`);
    if (isInside) columns.push(`<text x="${x}" y="${bottom + 14}" text-anchor="middle">${clock(time, true)}</text>`);
  }
  return rows.join('') + columns.join('');
}

/** From 0, in steps of 1, 2 or 5 (bytes: of a power of 2). @param {readonly number[]} values @param {string} unit @returns {Scale} */
function scaleFor(values, unit) {
  const highest = Math.max(...values);
  if (!(highest > 0)) return { low: 0, high: 1, ticks: [0, 0.5, 1] };
  const step = unit === 'bytes' ? 2 ** Math.ceil(Math.log2(highest / 4)) : roundStep(highest / 4);
  const count = Math.ceil((highest * 1.02) / step);
  return { low: 0, high: count * step, ticks: Array.from({ length: count + 1 }, (_, i) => i * step) };
}

/** @param {number} least */
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= least * 0.999) ?? 10);
}

/** @type {(value: number, unit: string, title: string) => string} */
function formatted(value, unit, title) {
  const short = (/** @type {number} */ number) => String(Number(number.toPrecision(3)));
  if (unit === 'none') return value >= 1000 ? String(Math.round(value)) : short(value);
  if (unit === 'bytes') return value === 0 ? '0 B' : `${short(value / 2 ** 20)} MiB`;
  if (unit !== 's') throw new Error(`${title}: nothing here writes the unit ${unit}`);
  if (value === 0) return '0 s';
  if (value < 0.001) return `${short(value * 1e6)} µs`;
  return value < 1 ? `${short(value * 1000)} ms` : `${short(value)} s`;
}

/** @param {number} seconds @param {boolean} withSeconds */
function clock(seconds, withSeconds) {
  return new Date(seconds * 1000).toISOString().slice(11, withSeconds ? 19 : 16);
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
