// @ts-check
/** One order for each mailbox, and in it what one connection sent one after the other. */
import { at, placeOf } from './history-index.mjs';

/**
 * @typedef {import('./history-index.mjs').HistoryIndex} HistoryIndex
 * @typedef {import('./history-index.mjs').Connection} Connection
 * @typedef {import('./checker.mjs').Violation} Violation
 */

/** What an address's connections received are parts of one order. @param {HistoryIndex} index @returns {Iterable<Violation>} */
export function* devicesAgree(index) {
  for (const connections of byAddress(index).values()) {
    for (const connection of connections) yield* repeatsOn(connection);
    if (hasOneOrder(connections.map(idsOf))) continue;
    yield disagreement(connections);
  }
}

/** @param {Connection} connection @returns {Iterable<Violation>} */
function* repeatsOn(connection) {
  const seen = new Set();
  for (const { id, t } of connection.arrivals) {
    const text = `entry ${id} came again on the same ${placeOf(connection)} at ${at(t)}`;
    if (seen.has(id)) yield { rule: 'sent-twice', text };
    seen.add(id);
  }
}

/** @param {HistoryIndex} index */
function byAddress(index) {
  /** @type {Map<string, Connection[]>} */
  const addresses = new Map();
  for (const connection of index.connections.values()) {
    if (connection.arrivals.length === 0) continue;
    addresses.set(connection.address, [...(addresses.get(connection.address) ?? []), connection]);
  }
  return addresses;
}

/** @param {Connection} connection */
const idsOf = ({ arrivals }) => [...new Set(arrivals.map(({ id }) => id))];

/** Whether all the lists can be merged into one without contradicting any (Kahn). @param {readonly string[][]} lists */
function hasOneOrder(lists) {
  /** @type {Map<string, { next: string[], before: number }>} */
  const nodes = new Map();
  for (const id of lists.flat()) if (!nodes.has(id)) nodes.set(id, { next: [], before: 0 });
  for (const list of lists) {
    for (let i = 1; i < list.length; i++) {
      nodes.get(list[i - 1] ?? '')?.next.push(list[i] ?? '');
      const node = nodes.get(list[i] ?? '');
      if (node !== undefined) node.before++;
    }
  }
  const free = [...nodes.values()].filter(({ before }) => before === 0);
  let merged = 0;
  for (let node = free.pop(); node !== undefined; node = free.pop()) {
    merged++;
    for (const id of node.next) {
      const following = nodes.get(id);
      if (following !== undefined && --following.before === 0) free.push(following);
    }
  }
  return merged === nodes.size;
}

/** @param {readonly Connection[]} connections @returns {Violation} */
function disagreement(connections) {
  const { address } = /** @type {Connection} */ (connections[0]);
  for (const one of connections) {
    const ids = idsOf(one);
    const places = new Map(ids.map((id, place) => [id, place]));
    for (const other of connections) {
      let previous = { id: '', place: -1 };
      for (const id of idsOf(other)) {
        const place = places.get(id);
        if (place === undefined) continue;
        if (place < previous.place) {
          const text = `${placeOf(one)} got entry ${id} before ${previous.id}, ${placeOf(other)} after it`;
          return { rule: 'order-of-devices', text };
        }
        previous = { id, place };
      }
    }
  }
  return { rule: 'order-of-devices', text: `the connections of ${address} fit no common order` };
}

/** Messages accepted at their first attempt arrive as one connection sent them. @param {HistoryIndex} index @returns {Iterable<Violation>} */
export function* sendersOrderHolds(index) {
  const places = firstAttempts(index);
  for (const connection of index.connections.values()) {
    /** The furthest so far by sending connection. @type {Map<Connection, { place: number, messageId: string }>} */
    const furthest = new Map();
    for (const { message, t } of connection.arrivals) {
      const sent = message === null ? undefined : places.get(message);
      if (sent === undefined || message === null) continue;
      const before = furthest.get(sent.connection);
      if (before !== undefined && before.place > sent.place) {
        const text =
          `${placeOf(connection)} got ${message.messageId} at ${at(t)}, after ${before.messageId}; ` +
          `${placeOf(sent.connection)} had sent it earlier`;
        yield { rule: 'order-of-sender', text };
      } else furthest.set(sent.connection, { place: sent.place, messageId: message.messageId });
    }
  }
}

/** @param {HistoryIndex} index */
function firstAttempts(index) {
  /** @type {Map<import('./history-index.mjs').Message, { connection: Connection, place: number }>} */
  const places = new Map();
  let place = 0;
  for (const message of index.messages.values()) {
    place++;
    const [attempt, ...more] = message.attempts;
    const isPlain = more.length === 0 && attempt?.verdict?.verdict !== 'error';
    if (isPlain && attempt?.answeredAt) places.set(message, { connection: attempt.connection, place });
  }
  return places;
}
