// @ts-check
/**
 * Receipts that are declared to be lost without blame: one that is written to a link just breaking, or that a node was about to
 * write when it was killed, is on its way for the relay and gone for the sender. `--strict` declares none.
 *
 * @typedef {import('./history.mjs').Event} Event
 * @typedef {import('./checker.mjs').Excuse} Excuse
 */
import { GIVEN_UP } from './history.mjs';
import { HistoryIndex } from './history-index.mjs';

/** Closing handshakes leave nothing behind. */
const ORDERLY = [1000, 1001, 1012, 4409];
const AROUND_MS = 2_000;
/** More than a client takes to give up a link on which nothing comes any more. */
const SILENCE_MS = 10_000;

/** @param {readonly Event[]} events @returns {Excuse[]} */
export function excusesFor(events) {
  const { connections } = new HistoryIndex(events);
  return [...connections.values()].flatMap(({ address, openedAt, closedAt, code }) => {
    if (openedAt === null || code === null || ORDERLY.includes(code)) return [];
    const before = code === GIVEN_UP ? SILENCE_MS : AROUND_MS;
    return [{ address, from: closedAt - before, to: closedAt + AROUND_MS }];
  });
}
