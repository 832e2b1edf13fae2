// @ts-check
/** Sessions, processes and the store. */
import { GIVEN_UP } from './history.mjs';
import { at, placeOf } from './history-index.mjs';

/**
 * @typedef {import('./history-index.mjs').HistoryIndex} HistoryIndex
 * @typedef {import('./history-index.mjs').Connection} Connection
 * @typedef {import('./history-index.mjs').Device} Device
 * @typedef {import('./checker.mjs').Violation} Violation
 * @typedef {import('./checker.mjs').Declarations} Declarations
 */

const REPLACED = 4409;
/** For the news of a newer session to reach the older one's node, and what that node had under way to arrive. */
const REPLACED_WITHIN_MS = 2_000;
/** How long the connections of one device may take to find out which of them stays. */
const CONTEST_MS = 10_000;
/** Lost wake-ups delay, and no more than this. */
const CATCH_UP_MS = 10_000;
/** @type {readonly import('./history.mjs').Touched[]} */
const DELAYING = ['store', 'wake-ups'];
/** How long a sign-in that a client has given up may still be on its way through a node that stands still. */
const LATE_SIGN_IN_MS = 60_000;
const CLEAN_CLOSES = [GIVEN_UP, 1000, 1001, 1005, 1006, 1012, 1013, 4408, REPLACED];

/** @param {HistoryIndex} index @returns {Iterable<Violation>} */
export function* oneSessionPerDevice(index) {
  for (const { address, device, survivors, silent, codes, t } of index.contests) {
    const hasMany = survivors > 1 && !isDelayed(index, t - CONTEST_MS, t);
    // A connection that ended for another reason may have been the one that had won.
    const hasNone = survivors + silent === 0 && codes.every((code) => code === REPLACED);
    if (hasMany || hasNone) {
      const text = `${survivors} of ${codes.length + silent + survivors} connections of ${address} ${device} survived at ${at(t)}`;
      yield { rule: 'one-session', text };
    }
  }
  for (const device of index.devices.values()) {
    if (device.protocol === 1) continue;
    for (const connection of device.connections) yield* livesOn(index, connection, device);
  }
  for (const connection of index.connections.values()) {
    if (connection.code !== REPLACED || connection.closedBy !== 'relay' || hasRival(index, connection)) continue;
    yield { rule: 'one-session', text: `${placeOf(connection)} was replaced at ${at(connection.closedAt)} by nobody` };
  }
}

/** What is served to a session after a newer one has taken its place. @type {(index: HistoryIndex, connection: Connection, device: Device) => Iterable<Violation>} */
function* livesOn(index, connection, { connections }) {
  const openedAt = connection.openedAt ?? 0;
  for (const { t, id } of connection.arrivals) {
    const newer = connections.find(
      (other) =>
        (other.openedAt ?? 0) > openedAt &&
        newsAt(index, connection.node, other.openedAt ?? 0) + REPLACED_WITHIN_MS < t &&
        other.closedAt > t,
    );
    if (newer === undefined || isDelayed(index, newer.openedAt ?? 0, t)) continue;
    const text = `entry ${id} came at ${at(t)} on ${placeOf(connection)}, although connection ${newer.number} was open since ${at(newer.openedAt ?? 0)}`;
    yield { rule: 'replaced-still-served', text };
    return;
  }
}

/** When a node can hear of what happened at `t`: one that stood still then, once it goes on. @type {(index: HistoryIndex, node: string, t: number) => number} */
function newsAt({ faults }, node, t) {
  const stops = faults.filter(
    ({ what, target, from, to }) => what === 'stop-node' && target === node && from <= t && t < to,
  );
  return Math.max(t, ...stops.map(({ to }) => to));
}

/** Whether the news of a session may have been held up. @type {(index: HistoryIndex, from: number, to: number) => boolean} */
function isDelayed({ faults }, from, to) {
  return faults.some((fault) => DELAYING.includes(fault.touches) && fault.from < to && fault.to + CATCH_UP_MS > from);
}

/**
 * Whether anything of the same device could have replaced it: a newer connection, one that was open beside it, or one that its client
 * had left in the middle of signing in.
 * @type {(index: HistoryIndex, connection: Connection) => boolean}
 */
function hasRival(index, { number, address, device, connectedAt, closedAt }) {
  for (const other of index.connections.values()) {
    if (other.number === number || other.address !== address || other.device !== device) continue;
    const isNewer = other.number > number && other.connectedAt <= closedAt;
    const wasBeside = other.number < number && other.closedAt > connectedAt;
    const wasLeft = other.closedBy === 'client' && other.closedAt > connectedAt - LATE_SIGN_IN_MS;
    if (isNewer || wasBeside || (other.number < number && wasLeft)) return true;
  }
  return false;
}

/** @param {HistoryIndex} index @returns {Iterable<Violation>} */
export function* processesBehave(index) {
  for (const { process, exit, t } of index.ended) {
    yield { rule: 'process-ended', text: `${process} ended by itself at ${at(t)}: ${exit}` };
  }
  for (const { what, target, from, to, result } of index.faults) {
    if (what !== 'term-node' && what !== 'upgrade-node') continue;
    if (result !== 'exit 0') yield { rule: 'drain', text: `${target}, told to stop at ${at(from)}: ${result}` };
    const cut = [...index.connections.values()].find(
      ({ node, openedAt, closedAt, code, closedBy }) =>
        node === target &&
        openedAt !== null &&
        code === 1006 &&
        closedBy === 'relay' &&
        closedAt > from &&
        closedAt < to,
    );
    if (cut === undefined) continue;
    yield { rule: 'drain', text: `${placeOf(cut)} was cut at ${at(cut.closedAt)}, while its node said goodbye` };
  }
  for (const connection of index.connections.values()) {
    if (connection.code === null || CLEAN_CLOSES.includes(connection.code)) continue;
    yield {
      rule: 'unexpected-close',
      text: `${connection.code} at ${at(connection.closedAt)} on ${placeOf(connection)}`,
    };
  }
}

/** @type {(index: HistoryIndex, declarations: Declarations) => Iterable<Violation>} */
export function* storeIsClean(index, { emptyAddresses }) {
  for (const text of index.differences) yield { rule: 'store-out-of-balance', text };
  for (const address of emptyAddresses) {
    const size = index.sizes.get(address);
    if (size === undefined) yield { rule: 'store-not-empty', text: `${address}: its queue size could not be read` };
    else if (size > 0) yield { rule: 'store-not-empty', text: `${address}: ${size} messages left` };
  }
}
