// @ts-check
import { HistoryIndex } from './history-index.mjs';
import { cuts, sendSpans } from './rules-upgrade.mjs';

/**
 * @typedef {import('./history.mjs').Event} Event
 * @typedef {import('./link.mjs').Identity} Identity
 * @typedef {{ p50: number, p99: number, max: number, count: number }} Spread  ms
 * @typedef {Record<string, number>} Tally
 * @typedef {{ seconds: number, messages: number, attempts: number, accepted: number, verdicts: Tally, received: number, handedOver: number, receipts: Tally,
 *   closes: Tally, cuts: number, faults: Tally, verdictMs: Spread, worstSendP99Ms: number, reconnectMs: Spread }} Summary
 *   `cuts`: connections of a signed-in device that the relay ended with 1006; `worstSendP99Ms`: of any five seconds
 */

/** Closes that a client wanted, or that say not to come back. */
const NO_RECONNECT = [1000, 4409];

/**
 * `steady` are the devices that never stay away on purpose, and so show how fast one gets back.
 * @type {(events: readonly Event[], steady: readonly Identity[]) => Summary}
 */
export function summarise(events, steady) {
  const index = new HistoryIndex(events);
  const messages = [...index.messages.values()];
  const attempts = messages.flatMap((message) => message.attempts);
  const answered = attempts.flatMap(({ t, answeredAt }) => (answeredAt === null ? [] : [answeredAt - t]));
  return {
    seconds: Math.round(index.endedAt / 1000),
    messages: messages.length,
    attempts: attempts.length,
    accepted: messages.filter(({ told }) => told.length > 0).length,
    verdicts: tally(attempts.map(verdictName)),
    received: events.filter(({ kind }) => kind === 'receive').length,
    handedOver: events.filter(({ kind }) => kind === 'handover').length,
    receipts: tally(messages.flatMap(({ told }) => told.map(({ status }) => status))),
    closes: tally([...index.connections.values()].flatMap(({ code }) => (code === null ? [] : [String(code)]))),
    cuts: cuts(index).length,
    faults: tally(index.faults.map(({ what }) => what)),
    verdictMs: spread(answered),
    worstSendP99Ms: Math.max(0, ...sendSpans(index).map(({ p99Ms }) => p99Ms)),
    reconnectMs: spread(reconnects(index, steady)),
  };
}

/** @param {import('./history-index.mjs').Attempt} attempt */
function verdictName({ verdict, answeredAt }) {
  if (verdict === null) return answeredAt === null ? 'none: the connection ended' : 'as a receipt';
  return verdict.verdict === 'error' ? `${verdict.code} ${verdict.outcome}` : verdict.verdict;
}

/** From the loss of a connection until the same device is back. @type {(index: HistoryIndex, steady: readonly Identity[]) => number[]} */
function reconnects({ devices }, steady) {
  return steady.flatMap(({ address, device }) => {
    const connections = devices.get(`${address} ${device}`)?.connections ?? [];
    return connections.flatMap(({ closedAt, code }) => {
      const next = connections.find(({ openedAt }) => openedAt !== null && openedAt > closedAt);
      if (code === null || NO_RECONNECT.includes(code) || next === undefined) return [];
      return [(next.openedAt ?? closedAt) - closedAt];
    });
  });
}

/** @param {readonly string[]} names */
function tally(names) {
  /** @type {Tally} */
  const counts = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** @param {number[]} values @returns {Spread} */
function spread(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const part = (/** @type {number} */ share) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: part(0.5), p99: part(0.99), max: part(1), count: sorted.length };
}
