// @ts-check
/**
 * Who acknowledged what, when, and from when on that must have had its effect.
 *
 * @typedef {import('./history-index.mjs').HistoryIndex} HistoryIndex
 * @typedef {import('./history-index.mjs').Connection} Connection
 * @typedef {import('./history-index.mjs').Message} Message
 * @typedef {{ t: number, connection: Connection, confirmedAt: number | null }} Acknowledgement
 */

/** A node may gather acknowledgements before it stores them; a store that just came back may be met late. */
const STORED_WITHIN_MS = 1_000;
const STORE_RECOVERS_WITHIN_MS = 5_000;

export class Acknowledgements {
  /** By device and entry. @type {Map<string, Map<string, Acknowledgement[]>>} */
  #byDevice = new Map();
  #storeFaults;

  /** @param {HistoryIndex} index */
  constructor(index) {
    this.#storeFaults = index.faults.filter(({ touches }) => touches === 'store');
    for (const connection of index.connections.values()) {
      if (connection.protocol === 1) this.#takeClassic(connection);
      else this.#takeCumulative(connection);
    }
  }

  /** @type {(connection: Connection, id: string) => readonly Acknowledgement[]} */
  of(connection, id) {
    return this.#byDevice.get(deviceKey(connection))?.get(id) ?? [];
  }

  /** When devices acknowledged that message, in no order. Whoever says that it has read it has it. @param {Message} message */
  times(message) {
    const acks = message.arrivals.flatMap(({ connection, id }) => this.of(connection, id).map(({ t }) => t));
    return [...acks, ...message.reads.map(({ t }) => t)];
  }

  /**
   * When what was sent at `t` must have been stored: the connection lived on through two round trips, the second begun well after
   * the first had ended, while nothing happened to the store.
   * @type {(connection: Connection, t: number) => number | null}
   */
  confirmedAt(connection, t) {
    const first = after(connection.roundTrips, t);
    const second = first && after(connection.roundTrips, first.t + STORED_WITHIN_MS);
    if (!second) return null;
    const isDoubtful = this.#storeFaults.some(
      ({ from, to }) => from < second.t && to + STORE_RECOVERS_WITHIN_MS > t - STORED_WITHIN_MS,
    );
    return isDoubtful ? null : second.t;
  }

  /** @param {Connection} connection */
  #takeClassic(connection) {
    for (const { id, t } of connection.arrivals) this.#add(connection, id, t);
  }

  /** @param {Connection} connection */
  #takeCumulative(connection) {
    let next = 0;
    for (const { t, upTo } of connection.acks) {
      const last = connection.arrivals.findLastIndex((arrival) => arrival.id === upTo && arrival.t <= t);
      for (; next <= last; next++) this.#add(connection, connection.arrivals[next]?.id ?? '', t);
    }
  }

  /** @type {(connection: Connection, id: string, t: number) => void} */
  #add(connection, id, t) {
    const key = deviceKey(connection);
    const entries = this.#byDevice.get(key) ?? /** @type {Map<string, Acknowledgement[]>} */ (new Map());
    this.#byDevice.set(key, entries);
    const acknowledgement = { t, connection, confirmedAt: this.confirmedAt(connection, t) };
    entries.set(id, [...(entries.get(id) ?? []), acknowledgement]);
  }
}

/** @type {(connection: Connection) => string} */
const deviceKey = ({ address, device }) => `${address} ${device}`;

/**
 * The first round trip that began at or after `t`.
 * @type {(roundTrips: readonly { sentAt: number, t: number }[], t: number) => { sentAt: number, t: number } | undefined}
 */
function after(roundTrips, t) {
  let low = 0;
  let high = roundTrips.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((roundTrips[middle]?.sentAt ?? Infinity) < t) low = middle + 1;
    else high = middle;
  }
  return roundTrips[low];
}
