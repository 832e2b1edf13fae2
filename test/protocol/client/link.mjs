import { once } from 'node:events';
import { WebSocket, WebSocketServer } from 'ws';

/**
 * @typedef {import('../peer.mjs').Frame} Frame
 * @typedef {'to-relay' | 'to-client'} Direction
 * @typedef {{ direction: Direction, frame: Frame, connection: number }} Seen
 * What becomes of a frame: it passes; it passes and then the link breaks; the link breaks and it is lost; it is lost; another takes its place.
 * @typedef {'pass' | 'pass, then cut' | 'cut' | 'lose' | Frame} Fate
 */

/**
 * What stands between a client and the relay: it sees every frame, and breaks the connection at whichever it is told to. To a
 * client that is a network that went away: no closing handshake, 1006.
 */
export class Link {
  /** Every frame, in order, as it came to here. @type {Seen[]} */
  seen = [];
  connections = 0;
  /** When each began, ms. @type {number[]} */
  openedAt = [];
  /** @type {(frame: Frame, direction: Direction) => Fate} */
  fate = () => 'pass';
  /** @type {Set<() => void>} */
  watchers = new Set();
  /** @type {{ client: WebSocket, relay: WebSocket } | null} */
  #pair = null;

  /** @param {WebSocketServer} server @param {string} target */
  constructor(server, target) {
    this.server = server;
    this.target = target;
    server.on('connection', (client) => this.#join(client));
  }

  /** @param {string} target where the relay is */
  static async to(target) {
    // Pings and pongs go through like everything else.
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong: false });
    await once(server, 'listening');
    return new Link(server, target);
  }

  get url() {
    const { port } = /** @type {import('node:net').AddressInfo} */ (this.server.address());
    return `ws://127.0.0.1:${port}`;
  }

  /** Frames of a type that went one way, with the number of their connection. @param {Direction} direction @param {string} type */
  all(direction, type) {
    return this.seen.filter((one) => one.direction === direction && one.frame.type === type);
  }

  /** Says something in the relay's name. @param {Frame} frame */
  inject(frame) {
    this.#pair?.client.send(JSON.stringify(frame));
  }

  /** As the relay would. @param {number} code */
  close(code) {
    this.#pair?.client.close(code);
    this.#pair?.relay.terminate();
  }

  cut() {
    this.#pair?.client.terminate();
    this.#pair?.relay.terminate();
  }

  async end() {
    this.cut();
    for (const client of this.server.clients) client.terminate();
    this.server.close();
    await once(this.server, 'close');
  }

  /** @param {WebSocket} client */
  #join(client) {
    const relay = new WebSocket(this.target, { autoPong: false });
    this.#pair = { client, relay };
    const connection = ++this.connections;
    this.openedAt.push(performance.now());
    const ready = once(relay, 'open');
    // Who waits for it hears of it.
    ready.catch(() => client.terminate());
    client.on(
      'message',
      (data) => void ready.then(() => this.#carry(String(data), 'to-relay', connection, { client, relay })),
    );
    relay.on('message', (data) => this.#carry(String(data), 'to-client', connection, { client, relay }));
    relay.on('ping', (data) => client.ping(data));
    client.on('pong', (data) => relay.pong(data));
    client.on('ping', (data) => client.pong(data));
    relay.on('close', (code) => (code === 1006 ? client.terminate() : client.close(code)));
    client.on('close', () => relay.terminate());
    for (const socket of [client, relay]) socket.on('error', () => undefined);
    this.#tell();
  }

  /** @param {string} text @param {Direction} direction @param {number} connection @param {{ client: WebSocket, relay: WebSocket }} pair */
  #carry(text, direction, connection, { client, relay }) {
    const to = direction === 'to-relay' ? relay : client;
    if (to.readyState !== WebSocket.OPEN) return;
    const frame = JSON.parse(text);
    this.seen.push({ direction, frame, connection });
    const fate = this.fate(frame, direction);
    const cut = () => {
      client.terminate();
      relay.terminate();
    };
    if (fate === 'cut') cut();
    else if (fate === 'pass') to.send(text);
    else if (fate === 'pass, then cut') this.#lastWords(text, direction, { client, relay });
    else if (fate !== 'lose') client.send(JSON.stringify(fate));
    this.#tell();
  }

  /** The receiver has it, and nothing that is said about it gets through. @param {string} text @param {Direction} direction @param {{ client: WebSocket, relay: WebSocket }} pair */
  #lastWords(text, direction, { client, relay }) {
    const [to, from] = direction === 'to-relay' ? [relay, client] : [client, relay];
    from.terminate();
    // A closing handshake comes behind the frame, so the frame has arrived.
    to.send(text, () => (direction === 'to-relay' ? to.close(1000) : to.terminate()));
  }

  #tell() {
    for (const watch of [...this.watchers]) watch();
  }
}
