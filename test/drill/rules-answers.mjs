// @ts-check
/** What senders are told: in time, true, and of one kind. */
import { at, nameOf, placeOf } from './history-index.mjs';

/**
 * @typedef {import('./history-index.mjs').HistoryIndex} HistoryIndex
 * @typedef {import('./history-index.mjs').Message} Message
 * @typedef {import('./history-index.mjs').Attempt} Attempt
 * @typedef {import('./history-index.mjs').Told} Told
 * @typedef {import('./acknowledgements.mjs').Acknowledgements} Acknowledgements
 * @typedef {import('./checker.mjs').Violation} Violation
 * @typedef {import('./checker.mjs').Declarations} Declarations
 */

/** Refusals that speak of this attempt only, and so say nothing about an earlier one. */
const PASSING = ['rate_limited', 'store_unavailable', 'unavailable'];
const EXPECTED_ERRORS = [...PASSING, 'mailbox_full', 'sender_share_full', 'id_conflict'];

/** @type {(index: HistoryIndex, declarations: Declarations) => Iterable<Violation>} */
export function* everySendIsAnswered(index, { verdictWithinMs }) {
  for (const message of index.messages.values()) {
    let isReported = false;
    for (const attempt of message.attempts) {
      const endedAt = attempt.answeredAt ?? attempt.connection.closedAt;
      const waitedMs = endedAt - attempt.t;
      if (waitedMs <= verdictWithinMs) continue;
      isReported = true;
      const where = `${nameOf(message)}, sent at ${at(attempt.t)} on ${placeOf(attempt.connection)}`;
      if (attempt.answeredAt !== null) yield { rule: 'late-verdict', text: `${where}: answered after ${at(waitedMs)}` };
      else yield { rule: 'no-verdict', text: `${where}: no answer in ${at(waitedMs)}` };
    }
    const isSettled = message.told.length > 0 || message.attempts.at(-1)?.answeredAt !== null;
    const text = `${nameOf(message)}: no answer on any connection, ${message.attempts.length} attempts`;
    if (!isReported && !isSettled) yield { rule: 'no-verdict', text };
  }
}

/** @param {HistoryIndex} index @returns {Iterable<Violation>} */
export function* errorsAreExpected(index) {
  for (const message of index.messages.values()) {
    for (const { t, verdict } of message.attempts) {
      if (verdict?.verdict !== 'error') continue;
      const { code, outcome } = verdict;
      const what = `${nameOf(message)}, sent at ${at(t)}: ${code}, outcome ${outcome}`;
      if (code === 'id_conflict') yield { rule: 'id-conflict', text: what };
      else if (!EXPECTED_ERRORS.includes(code ?? '')) yield { rule: 'unexpected-error', text: what };
      else if (outcome !== 'refused' && outcome !== 'unknown') yield { rule: 'unexpected-error', text: what };
    }
  }
  for (const { event, connection } of index.incidents) {
    if (event.kind !== 'error' || PASSING.includes(event.code)) continue;
    yield { rule: 'unexpected-error', text: `${event.code} at ${at(event.t)} on ${placeOf(connection)}` };
  }
}

/** Once accepted, always accepted; once delivered, never again only queued. @param {HistoryIndex} index @returns {Iterable<Violation>} */
export function* answersAgree(index) {
  for (const message of index.messages.values()) {
    const accepted = message.told.find(({ status }) => status !== 'expired');
    const delivered = message.told.find(({ status }) => status === 'delivered' || status === 'read');
    for (const { t, verdict } of message.attempts) {
      if (verdict === null) continue;
      const { code } = verdict;
      const isTurnedAway = verdict.outcome === 'refused' && !PASSING.includes(code ?? '') && code !== 'id_conflict';
      const isBack = verdict.verdict === 'queued' && delivered !== undefined && delivered.t < t;
      if (!(isTurnedAway && accepted !== undefined) && !isBack) continue;
      const before = isBack ? delivered : accepted;
      const text =
        `${nameOf(message)}: sent at ${at(t)} and answered ${code ?? verdict.verdict}, ` +
        `although \`${before?.status}\` was said at ${at(before?.t ?? 0)}`;
      yield { rule: 'answers-differ', text };
    }
  }
}

/** @type {(index: HistoryIndex, declarations: Declarations, acknowledgements: Acknowledgements) => Iterable<Violation>} */
export function* receiptsAreTrue(index, _declarations, acknowledgements) {
  for (const message of index.messages.values()) {
    const delivered = message.told.find(({ status }) => status === 'delivered');
    const acknowledgedAt = Math.min(Infinity, ...acknowledgements.times(message));
    if (delivered !== undefined && delivered.t < acknowledgedAt) {
      const since =
        acknowledgedAt === Infinity ? 'nobody ever acknowledged it' : `acknowledged at ${at(acknowledgedAt)}`;
      yield { rule: 'false-delivered', text: `${nameOf(message)}: \`delivered\` at ${at(delivered.t)}, ${since}` };
    }
    const read = message.told.find(({ status }) => status === 'read');
    const readAt = Math.min(Infinity, ...message.reads.map(({ t }) => t));
    const text = `${nameOf(message)}: \`read\` at ${at(read?.t ?? 0)}, and nobody had said so`;
    if (read !== undefined && read.t < readAt) yield { rule: 'false-read', text };
  }
}

/** On one connection a message only moves on: queued, delivered, read. @param {HistoryIndex} index @returns {Iterable<Violation>} */
export function* receiptsOnlyMoveOn(index) {
  const rank = { queued: 0, delivered: 1, read: 2, expired: 2 };
  for (const message of index.messages.values()) {
    /** @type {Map<number, Told>} */
    const furthest = new Map();
    for (const told of message.told) {
      const before = furthest.get(told.connection.number);
      if (before === undefined || rank[told.status] >= rank[before.status]) furthest.set(told.connection.number, told);
      else if (!isAnswerToRepeat(message, told)) {
        const rule = `${told.status}-after-${before.status}`;
        yield { rule, text: `${nameOf(message)}: at ${at(told.t)} on ${placeOf(told.connection)}` };
      }
    }
  }
}

/** A repeat asks whether the message is there, and `delivered` answers that even where it has been read. @type {(message: Message, told: Told) => boolean} */
function isAnswerToRepeat({ attempts }, { connection, status }) {
  return status === 'delivered' && attempts.slice(1).some((attempt) => attempt.connection === connection);
}
