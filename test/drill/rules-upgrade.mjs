// @ts-check
/** What nobody may notice of a rolling restart, and what the store must show after one between two versions. */
import { at, placeOf } from './history-index.mjs';

/**
 * @typedef {import('./history-index.mjs').HistoryIndex} HistoryIndex
 * @typedef {import('./history-index.mjs').Message} Message
 * @typedef {import('./checker.mjs').Violation} Violation
 * @typedef {import('./checker.mjs').Declarations} Declarations
 */

const CUT = 1006;
const LEFT = 1000;
/** Long enough for hundreds of sends, short enough that a bad moment is not lost among good ones. */
const SPAN_MS = 5_000;
const FEWEST = 20;

/** Only where it is declared: a run that kills nodes cuts connections. @type {(index: HistoryIndex, declarations: Declarations) => Iterable<Violation>} */
export function* restartsGoUnnoticed(index, { sendP99Ms }) {
  if (sendP99Ms === null) return;
  for (const connection of cuts(index)) {
    const text = `${placeOf(connection)} was cut at ${at(connection.closedAt)} without a closing handshake`;
    yield { rule: 'cut', text };
  }
  for (const { from, p99Ms, count } of sendSpans(index)) {
    if (p99Ms < sendP99Ms) continue;
    yield { rule: 'slow-sends', text: `of ${count} sends from ${at(from)} on, one in a hundred waited ${p99Ms} ms` };
  }
}

/** Connections of devices that had signed in. @param {HistoryIndex} index */
export function cuts({ connections }) {
  return [...connections.values()].filter(
    ({ openedAt, code, closedBy }) => openedAt !== null && code === CUT && closedBy === 'relay',
  );
}

/**
 * From a message's first attempt until it was told to be accepted, whatever connection that took, by spans of five seconds.
 * @type {(index: HistoryIndex) => { from: number, count: number, p99Ms: number }[]}
 */
export function sendSpans({ messages, endedAt }) {
  /** @type {Map<number, number[]>} */
  const spans = new Map();
  for (const { attempts, told } of messages.values()) {
    const [first] = attempts;
    if (first === undefined) continue;
    const { connection, t } = first;
    const toldAt = told[0]?.t ?? endedAt;
    // Its sender left on purpose, and asked again when it came back.
    if (connection.code === LEFT && connection.closedAt < toldAt) continue;
    const span = Math.floor(t / SPAN_MS);
    const took = toldAt - t;
    spans.set(span, [...(spans.get(span) ?? []), took]);
  }
  return [...spans]
    .map(([span, took]) => {
      const sorted = took.toSorted((a, b) => a - b);
      const p99Ms = Math.round(sorted[Math.floor(sorted.length * 0.99)] ?? 0);
      return { from: span * SPAN_MS, count: sorted.length, p99Ms };
    })
    .filter(({ count }) => count >= FEWEST);
}

/** @param {HistoryIndex} index @returns {Iterable<Violation>} */
export function* layoutsAgree({ layouts }) {
  for (const { saves, opens, savesKept, opensKept, rebuilt } of layouts) {
    if (saves !== savesKept)
      yield { rule: 'field-lost', text: `of ${saves} in a later place of the states, ${savesKept} are left` };
    if (opens !== opensKept)
      yield { rule: 'field-lost', text: `of ${opens} in a later place of the devices, ${opensKept} are left` };
    if (saves === 0 || opens === 0) yield { rule: 'not-upgraded', text: 'the next version never wrote anything' };
    if (rebuilt > 0) yield { rule: 'state-rebuilt', text: `${rebuilt} states were taken for damaged` };
  }
}
