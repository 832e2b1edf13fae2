// @ts-check
/** Everything of a run, as Markdown, SVG and JSON. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { doubts, faults, tally } from './bounds.mjs';
import { machine } from './machine.mjs';
import { panels, svg } from './plot.mjs';
import { onCore } from './redis.mjs';
import { markdown } from './table.mjs';

/** @typedef {import('./statistics.mjs').Measurements} Measurements */
/** @typedef {{ command: string, at: Date, minutes: number, rounds: number, loadBefore: number, skipped: string[] }} Run */

/** `latest` is part of the repository; a run that left something out must not take its place. */
const COMPLETE = 'latest';
const PARTIAL = 'partial';

/** @param {Run} run */
function about({ command, at, minutes, rounds, loadBefore }) {
  const { cpu, cores, node, platform } = machine();
  const isPinned = onCore(0).length > 0 && onCore(1).length > 0;
  const where = isPinned ? 'server on core 0, generator and Redis on core 1' : 'not pinned';
  return [
    `\`${command}\`, ${at.toISOString().slice(0, 16).replace('T', ' ')} UTC, ${minutes.toFixed(1)} minutes.`,
    `${cpu}, ${cores} cores (${where}), Node ${node}, ${platform}. Medians of ${rounds} rounds; in brackets the lowest and highest ratio of one round. ` +
      `Load of the machine before the run: ${loadBefore.toFixed(2)}.`,
  ];
}

/** @param {Measurements} measurements @param {import('./bounds.mjs').Verdict[]} verdicts @param {Run} run */
function document(measurements, verdicts, run) {
  const wrong = faults(measurements);
  const list = (/** @type {string[]} */ lines) => lines.map((line) => `- ${line}`).join('\n');
  return [
    '# Results',
    ...about(run),
    '## Bounds',
    list(verdicts.filter(({ isMeasured }) => isMeasured).map(({ text }) => text)) || 'None was measured.',
    tally(verdicts),
    '## Messages',
    wrong.length === 0 ? 'Nothing lost, doubled, out of order, corrupt or unconfirmed.' : list(wrong),
    '## Figures',
    markdown(measurements),
    '## To be read with care',
    list([...doubts(measurements), ...run.skipped]) || 'Nothing.',
    '',
  ].join('\n\n');
}

/**
 * Writes `results/NAME.{md,svg,json}` and gives the text back.
 * @param {Measurements} measurements @param {import('./bounds.mjs').Verdict[]} verdicts
 * @param {Run & { isComplete: boolean }} run
 */
export function publish(measurements, verdicts, run) {
  const folder = new URL('results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const name = run.isComplete ? COMPLETE : PARTIAL;
  const write = (/** @type {string} */ kind, /** @type {string} */ text) =>
    writeFileSync(new URL(`${name}.${kind}`, folder), text);
  const text = document(measurements, verdicts, run);
  const { cpu, node } = machine();
  const note = `${run.at.toISOString().slice(0, 10)}, ${cpu}, Node ${node}; one core for each server; medians of ${run.rounds} rounds, lines: lowest to highest`;
  write('md', text);
  write('svg', svg(panels(measurements), { title: 'The relay, measured beside others', note }));
  write('json', `${JSON.stringify({ ...run, ...machine(), verdicts, measurements }, null, 2)}\n`);
  return { text, path: `bench/results/${name}.md`, isClean: faults(measurements).length === 0 };
}
