// @ts-check
/** What acknowledgements bring about: the entry stays away, and its sender hears of it. */
import { at, nameOf, placeOf } from './history-index.mjs';

/**
 * @typedef {import('./history-index.mjs').HistoryIndex} HistoryIndex
 * @typedef {import('./history-index.mjs').Message} Message
 * @typedef {import('./acknowledgements.mjs').Acknowledgements} Acknowledgements
 * @typedef {import('./checker.mjs').Violation} Violation
 * @typedef {import('./checker.mjs').Declarations} Declarations
 * @typedef {import('./checker.mjs').Excuse} Excuse
 */

/** @type {(index: HistoryIndex, declarations: Declarations, acknowledgements: Acknowledgements) => Iterable<Violation>} */
export function* nothingAcknowledgedComesBack(index, _declarations, acknowledgements) {
  for (const connection of index.connections.values()) {
    for (const { id, t } of connection.arrivals) {
      for (const ack of acknowledgements.of(connection, id)) {
        if (ack.confirmedAt === null || ack.confirmedAt >= connection.connectedAt) continue;
        const before = `acknowledged at ${at(ack.t)} on connection ${ack.connection.number}, effective by ${at(ack.confirmedAt)}`;
        const text = `entry ${id} came at ${at(t)} on ${placeOf(connection)}: ${before}`;
        yield { rule: 'acknowledged-again', text };
        break;
      }
    }
  }
}

/** @type {(index: HistoryIndex, declarations: Declarations, acknowledgements: Acknowledgements) => Iterable<Violation>} */
export function* receiptsArrive(index, { excuses }, acknowledgements) {
  for (const message of index.messages.values()) {
    const isRefused = message.attempts.every(({ verdict }) => verdict?.outcome === 'refused');
    if (isRefused || message.told.some(({ status }) => status === 'read')) continue;
    const acks = acknowledgements.times(message);
    const isTold = message.told.some(({ status }) => status === 'delivered');
    if (!isTold && acks.length > 0 && !isExcused(excuses, message, acks)) {
      const text = `${nameOf(message)}: acknowledged at ${at(Math.min(...acks))}, and its sender was never told \`delivered\``;
      yield { rule: 'receipt-missing', text };
    }
    // A read receipt has no answer: it is owed where its connection lived on.
    const reads = message.reads.filter(({ connection, t }) => acknowledgements.confirmedAt(connection, t) !== null);
    const times = message.reads.map(({ t }) => t);
    if (reads.length > 0 && !isExcused(excuses, message, times)) {
      const text = `${nameOf(message)}: read at ${at(Math.min(...times))}, and its sender was never told \`read\``;
      yield { rule: 'receipt-missing', text };
    }
  }
}

/** @type {(excuses: readonly Excuse[], message: Message, times: readonly number[]) => boolean} */
function isExcused(excuses, { from, to }, times) {
  return excuses.some(
    (excuse) =>
      (excuse.address === from || excuse.address === to) && times.some((t) => excuse.from <= t && t <= excuse.to),
  );
}
