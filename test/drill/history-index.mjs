// @ts-check
/**
 * A history arranged by what the rules ask for: connections, devices, messages.
 *
 * @typedef {import('./history.mjs').Event} Event
 * @typedef {import('./history.mjs').SendEvent} SendEvent
 * @typedef {import('./history.mjs').VerdictEvent} VerdictEvent
 * @typedef {import('./history.mjs').ReceiveEvent} ReceiveEvent
 * @typedef {import('./history.mjs').HandoverEvent} HandoverEvent
 * @typedef {import('./history.mjs').ReceiptEvent} ReceiptEvent
 *
 * @typedef {{ t: number, id: string, connection: Connection, message: Message | null }} Arrival  an entry; `message` is null for a receipt
 * @typedef {{ t: number, connection: Connection, verdict: VerdictEvent | null, answeredAt: number | null }} Attempt  answered by its verdict, or by a receipt that says as much
 * @typedef {{ t: number, connection: Connection, status: 'queued' | 'delivered' | 'read' | 'expired' }} Told
 * @typedef {{ t: number, connection: Connection }} Deed
 *
 * @typedef {object} Connection
 * @property {number} number
 * @property {string} address
 * @property {string} device
 * @property {1 | 2} protocol
 * @property {string} node
 * @property {number} connectedAt
 * @property {number | null} openedAt
 * @property {number} closedAt  for the client; the end of the history where it never closed
 * @property {number | null} code  `null` while open
 * @property {'client' | 'relay' | null} closedBy
 * @property {Arrival[]} arrivals
 * @property {{ t: number, upTo: string }[]} acks
 * @property {Attempt[]} attempts
 * @property {{ sentAt: number, t: number }[]} roundTrips
 *
 * @typedef {{ address: string, name: string, protocol: 1 | 2, registeredAt: number, connections: Connection[] }} Device
 *
 * @typedef {object} Message
 * @property {string} from
 * @property {string} to
 * @property {string} messageId
 * @property {string} hash  of the first attempt
 * @property {Attempt[]} attempts  in the order they were made
 * @property {Told[]} told  to its sender
 * @property {Arrival[]} arrivals
 * @property {HandoverEvent[]} handovers
 * @property {Deed[]} reads
 */

/** @type {(from: string, to: string, messageId: string) => string} */
const keyOf = (from, to, messageId) => `${from} ${to} ${messageId}`;

export class HistoryIndex {
  endedAt = 0;
  /** @type {Map<number, Connection>} */
  connections = new Map();
  /** @type {Map<string, Device>} those that ever signed in */
  devices = new Map();
  /** @type {Map<string, Device[]>} */
  #devicesByAddress = new Map();
  /** @type {Map<string, Message>} */
  messages = new Map();
  /** Received, and not what anybody sent to that address. @type {{ event: ReceiveEvent, connection: Connection }[]} */
  strays = [];
  /** Told about a message that this address did not send. @type {{ event: ReceiptEvent | VerdictEvent, connection: Connection }[]} */
  strayStatuses = [];
  /** @type {{ event: import('./history.mjs').GapEvent | import('./history.mjs').ErrorEvent, connection: Connection }[]} */
  incidents = [];
  /** @type {import('./history.mjs').FaultEvent[]} */
  faults = [];
  /** @type {import('./history.mjs').ContestEvent[]} */
  contests = [];
  /** @type {import('./history.mjs').EndedEvent[]} */
  ended = [];
  /** @type {Map<string, number>} */
  sizes = new Map();
  /** @type {import('./history.mjs').LayoutEvent[]} */
  layouts = [];
  /** @type {string[]} */
  differences = [];

  /** @param {readonly Event[]} events  in the order of `t` */
  constructor(events) {
    for (const event of events) {
      this.endedAt = event.t;
      this.#take(event);
    }
    for (const connection of this.connections.values()) {
      if (connection.code === null) connection.closedAt = this.endedAt;
    }
  }

  /** @type {(from: string, to: string, messageId: string) => Message | undefined} */
  message(from, to, messageId) {
    return this.messages.get(keyOf(from, to, messageId));
  }

  /** @param {string} address */
  devicesOf(address) {
    return this.#devicesByAddress.get(address) ?? [];
  }

  /** @param {Event} event */
  #take(event) {
    if (event.kind === 'connect') this.connections.set(event.connection, newConnection(event));
    else if ('connection' in event) this.#takeOf(this.#connection(event.connection), event);
    else this.#takeOfNone(event);
  }

  /** @param {Exclude<Event, { connection: number }>} event */
  #takeOfNone(event) {
    switch (event.kind) {
      case 'fault':
        return void this.faults.push(event);
      case 'contest':
        return void this.contests.push(event);
      case 'ended':
        return void this.ended.push(event);
      case 'size':
        return void this.sizes.set(event.address, event.size);
      case 'layout':
        return void this.layouts.push(event);
      case 'audit':
        return void this.differences.push(...event.differences);
      case 'handover':
        return void this.message(event.from, event.address, event.messageId)?.handovers.push(event);
    }
  }

  /** @type {(connection: Connection, event: Exclude<Extract<Event, { connection: number }>, { kind: 'connect' }>) => void} */
  #takeOf(connection, event) {
    switch (event.kind) {
      case 'open':
        return this.#opened(connection, event.t);
      case 'close':
        connection.closedAt = event.t;
        connection.code = event.code;
        connection.closedBy = event.by;
        return;
      case 'send':
        return this.#sent(connection, event);
      case 'verdict':
        return this.#answered(connection, event);
      case 'receive':
        return this.#received(connection, event);
      case 'receipt':
        return this.#told(connection, event);
      case 'read':
        return void this.message(event.from, connection.address, event.messageId)?.reads.push({
          t: event.t,
          connection,
        });
      case 'ack':
        return void connection.acks.push({ t: event.t, upTo: event.upTo });
      case 'roundtrip':
        return void connection.roundTrips.push({ sentAt: event.sentAt, t: event.t });
      case 'gap':
      case 'error':
        return void this.incidents.push({ event, connection });
    }
  }

  /** @param {number} number */
  #connection(number) {
    const connection = this.connections.get(number);
    if (connection === undefined) throw new Error(`connection ${number} has no \`connect\` before it`);
    return connection;
  }

  /** @type {(connection: Connection, t: number) => void} */
  #opened(connection, t) {
    connection.openedAt = t;
    const { address, device: name, protocol } = connection;
    const key = `${address} ${name}`;
    let device = this.devices.get(key);
    if (device === undefined) {
      device = { address, name, protocol, registeredAt: t, connections: [] };
      this.devices.set(key, device);
      this.#devicesByAddress.set(address, [...this.devicesOf(address), device]);
    }
    device.connections.push(connection);
  }

  /** @type {(connection: Connection, event: SendEvent) => void} */
  #sent(connection, { t, from, to, messageId, hash }) {
    const key = keyOf(from, to, messageId);
    let message = this.messages.get(key);
    if (message === undefined) {
      message = { from, to, messageId, hash, attempts: [], told: [], arrivals: [], handovers: [], reads: [] };
      this.messages.set(key, message);
    }
    const attempt = { t, connection, verdict: null, answeredAt: null };
    message.attempts.push(attempt);
    connection.attempts.push(attempt);
  }

  /** @type {(connection: Connection, event: VerdictEvent) => void} */
  #answered(connection, event) {
    const message = this.message(event.from, event.to, event.messageId);
    const attempt = message?.attempts.find((each) => each.connection === connection && each.verdict === null);
    if (message === undefined || attempt === undefined) return void this.strayStatuses.push({ event, connection });
    attempt.verdict = event;
    attempt.answeredAt ??= event.t;
    if (event.verdict === 'error') return;
    message.told.push({ t: event.t, connection, status: event.verdict });
  }

  /** @type {(connection: Connection, event: ReceiveEvent) => void} */
  #received(connection, event) {
    const message = this.message(event.from, connection.address, event.messageId) ?? null;
    const arrival = { t: event.t, id: event.id, connection, message };
    connection.arrivals.push(arrival);
    if (message?.hash === event.hash) message.arrivals.push(arrival);
    else this.strays.push({ event, connection });
  }

  /** @type {(connection: Connection, event: ReceiptEvent) => void} */
  #told(connection, event) {
    const { t, status, id } = event;
    if (id !== null) connection.arrivals.push({ t, id, connection, message: null });
    const message = this.message(connection.address, event.peer, event.messageId);
    if (message === undefined) this.strayStatuses.push({ event, connection });
    else {
      message.told.push({ t, connection, status });
      for (const attempt of message.attempts) if (attempt.connection === connection) attempt.answeredAt ??= t;
    }
  }
}

/** @type {(event: import('./history.mjs').ConnectEvent) => Connection} */
function newConnection({ connection: number, address, device, protocol, node, t: connectedAt }) {
  const identity = { number, address, device, protocol, node, connectedAt };
  const fate = { openedAt: null, closedAt: Infinity, code: null, closedBy: null };
  return { ...identity, ...fate, arrivals: [], acks: [], attempts: [], roundTrips: [] };
}

/** @param {Message} message */
export function nameOf({ from, to, messageId }) {
  return `${messageId} (${from} → ${to})`;
}

/** @param {Connection} connection */
export function placeOf({ number, address, device, node }) {
  return `connection ${number} (${address} ${device} on ${node})`;
}

/** @param {number} ms */
export function at(ms) {
  return `${(ms / 1000).toFixed(3)} s`;
}
