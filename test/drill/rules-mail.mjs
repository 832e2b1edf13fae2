// @ts-check
/** What became of each message: nothing lost, invented, altered, misdirected, doubled; nothing that was refused. */
import { at, nameOf, placeOf } from './history-index.mjs';

/**
 * @typedef {import('./history-index.mjs').HistoryIndex} HistoryIndex
 * @typedef {import('./history-index.mjs').Message} Message
 * @typedef {import('./checker.mjs').Violation} Violation
 */

/** @param {HistoryIndex} index @returns {Iterable<Violation>} */
export function* nothingIsLost(index) {
  for (const message of index.messages.values()) {
    const accepted = message.told.find(({ status }) => status !== 'expired');
    if (accepted === undefined) continue;
    for (const device of devicesWithout(index, message)) {
      const text = `${nameOf(message)}: \`${accepted.status}\` at ${at(accepted.t)}, and never handed over on ${device}`;
      yield { rule: 'lost', text };
    }
  }
  for (const message of index.messages.values()) {
    for (const { status, t } of message.told) {
      if (status === 'expired') yield { rule: 'lost', text: `${nameOf(message)}: \`expired\` at ${at(t)}` };
    }
  }
  for (const { event, connection } of index.incidents) {
    if (event.kind !== 'gap') continue;
    const text = `${placeOf(connection)} was told of a gap at ${at(event.t)}: ${event.count} ${event.reason}`;
    yield { rule: 'lost', text };
  }
}

/** A device that signed in for the first time after the send is owed nothing. @type {(index: HistoryIndex, message: Message) => string[]} */
function devicesWithout(index, { to, attempts, handovers }) {
  const sentAt = attempts[0]?.t ?? 0;
  const owed = index.devicesOf(to).filter(({ registeredAt }) => registeredAt < sentAt);
  if (owed.length === 0) return handovers.length === 0 ? ['any device, none of which was known before'] : [];
  return owed.map(({ name }) => name).filter((name) => !handovers.some(({ device }) => device === name));
}

/** @param {HistoryIndex} index @returns {Iterable<Violation>} */
export function* nothingIsInvented(index) {
  const recipients = recipientsById(index);
  for (const { event, connection } of index.strays) {
    const { from, messageId, t, id } = event;
    const what = `${messageId} from ${from} as entry ${id}, received at ${at(t)} on ${placeOf(connection)}`;
    const meant = recipients.get(`${from} ${messageId}`);
    if (meant === undefined) yield { rule: 'invented', text: `${what}: nobody sent it` };
    else if (!meant.has(connection.address))
      yield { rule: 'misdirected', text: `${what}: sent to ${[...meant].join()}` };
    else yield { rule: 'altered', text: `${what}: not the content that was sent` };
  }
  for (const { event, connection } of index.strayStatuses) {
    const status = event.kind === 'receipt' ? event.status : event.verdict;
    const text = `\`${status}\` for ${event.messageId} at ${at(event.t)} on ${placeOf(connection)}, which did not send it`;
    yield { rule: 'invented', text };
  }
}

/** @param {HistoryIndex} index */
function recipientsById(index) {
  /** @type {Map<string, Set<string>>} */
  const recipients = new Map();
  for (const { from, to, messageId } of index.messages.values()) {
    const key = `${from} ${messageId}`;
    recipients.set(key, (recipients.get(key) ?? new Set()).add(to));
  }
  return recipients;
}

/** @param {HistoryIndex} index @returns {Iterable<Violation>} */
export function* nothingIsDoubled(index) {
  for (const message of index.messages.values()) {
    const ids = new Set(message.arrivals.map(({ id }) => id));
    if (ids.size > 1) yield { rule: 'stored-twice', text: `${nameOf(message)}: entries ${[...ids].join(' and ')}` };
    /** @type {Set<string>} */
    const handedOver = new Set();
    for (const { device, id, t } of message.handovers) {
      const what = `${device} ${id}`;
      const text = `${nameOf(message)}: entry ${id} handed over on ${device} again at ${at(t)}`;
      if (handedOver.has(what)) yield { rule: 'doubled', text };
      handedOver.add(what);
    }
  }
}

/** An arrival needs an attempt before it that was not refused. @param {HistoryIndex} index @returns {Iterable<Violation>} */
export function* refusedStaysAway(index) {
  for (const message of index.messages.values()) {
    const possible = message.attempts.filter(({ verdict }) => verdict?.outcome !== 'refused');
    for (const { t, connection, id } of message.arrivals) {
      if (possible.some((attempt) => attempt.t <= t)) continue;
      const text = `${nameOf(message)}: only refused, and received as entry ${id} at ${at(t)} on ${placeOf(connection)}`;
      yield { rule: 'refused-arrived', text };
    }
  }
}
