import { Unmet } from './expect.mjs';

/**
 * @typedef {object} Result
 * @property {string} section
 * @property {string} name
 * @property {'passed' | 'failed' | 'skipped'} outcome
 * @property {number} ms
 * @property {string} [reason] why it was skipped
 * @property {string} [what] what failed
 * @property {string} [expected]
 * @property {string} [got]
 * @property {boolean} [isLeft] something of it may still be on the relay
 */

/** @param {unknown} error */
export function failureOf(error) {
  if (error instanceof Unmet) return { what: error.message, expected: error.expected, got: error.got };
  return { what: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

/** @param {Result} result */
export function lineOf({ section, name, outcome, ms, reason, what, expected, got, isLeft }) {
  const mark = { passed: '✓', failed: '✗', skipped: '-' }[outcome];
  const lines = [`${mark} ${section}: ${name}${outcome === 'skipped' ? ` (${reason})` : ` ${ms} ms`}`];
  if (what !== undefined) lines.push(`    ${what}`);
  if (expected !== undefined) lines.push(`    expected ${expected}`, `    got      ${got}`);
  if (isLeft) lines.push('    something of it may still be on the relay');
  return lines.join('\n');
}

/** @param {readonly Result[]} results */
export function countsOf(results) {
  const count = (/** @type {Result['outcome']} */ outcome) =>
    results.filter((result) => result.outcome === outcome).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}
