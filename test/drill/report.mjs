// @ts-check
import process from 'node:process';

/**
 * @typedef {object} Outcome
 * @property {import('./summary.mjs').Summary} summary
 * @property {readonly import('./checker.mjs').Violation[]} violations
 * @property {number} excused  receipts that were declared to be lost without blame
 * @property {{ ending: string, sizesRead: number, memoryMiB: readonly number[], delayMs: number, logged: Record<string, number> }} observed
 */

const SHOWN_PER_RULE = 5;

/** @type {(options: import('./options.mjs').Options, outcome: Outcome) => void} */
export function printReport(options, { summary, violations, excused, observed }) {
  const report = options.json
    ? JSON.stringify({ seed: options.seed, options, ...summary, ...observed, excused, violations }, null, 2)
    : [...summaryLines(options, summary, observed), ...verdictLines(violations, excused)].join('\n');
  process.stdout.write(`${report}\n`);
}

/** @type {(options: import('./options.mjs').Options, summary: Outcome['summary'], observed: Outcome['observed']) => string[]} */
function summaryLines({ seed }, summary, observed) {
  const { verdictMs, reconnectMs } = summary;
  return [
    `seed ${seed}, ${summary.seconds} s, ${observed.ending}`,
    `sent      ${summary.messages} messages in ${summary.attempts} attempts, ${summary.accepted} accepted`,
    `verdicts  ${listed(summary.verdicts)}`,
    `          p50 ${verdictMs.p50} ms, p99 ${verdictMs.p99} ms, max ${verdictMs.max} ms`,
    `sends     in any 5 s a p99 of at most ${summary.worstSendP99Ms} ms, reconnecting included`,
    `received  ${summary.received} on the wire, ${summary.handedOver} handed over`,
    `told      ${listed(summary.receipts)}`,
    `faults    ${listed(summary.faults)}`,
    `closes    ${listed(summary.closes)}; ${summary.cuts} cut by the relay`,
    `back in   p50 ${reconnectMs.p50} ms, p99 ${reconnectMs.p99} ms, max ${reconnectMs.max} ms, ${reconnectMs.count} times`,
    `nodes     ${observed.memoryMiB.join(', ') || '?'} MiB resident; errors logged: ${listed(observed.logged)}`,
    `observer  queue sizes of ${observed.sizesRead} addresses; event loop late by at most ${observed.delayMs} ms`,
  ];
}

/** @type {(violations: Outcome['violations'], excused: number) => string[]} */
function verdictLines(violations, excused) {
  const lines =
    excused === 0 ? [] : [`${excused} receipts lost with a link or node that broke at that moment (--strict)`];
  if (violations.length === 0) return [...lines, 'no promise was broken'];
  for (const rule of new Set(violations.map((violation) => violation.rule))) {
    const broken = violations.filter((violation) => violation.rule === rule);
    lines.push(
      `BROKEN ${rule}: ${broken.length} times`,
      ...broken.slice(0, SHOWN_PER_RULE).map(({ text }) => `  ${text}`),
    );
  }
  return lines;
}

/** @param {Record<string, number>} counts */
function listed(counts) {
  const parts = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  return parts.length === 0 ? 'none' : parts.join(', ');
}
