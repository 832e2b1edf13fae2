// @ts-check
/**
 * The yardstick: the least that a relay of this protocol on `ws` can do, in memory and without one promise.
 * `PORT` (3100), `HOST` (127.0.0.1); `--batch` or BATCH=1 writes once per socket and turn of the event loop.
 */
import { WebSocketServer } from 'ws';

/** @typedef {{ type: string, address?: unknown, to?: string, content?: string, messageId?: string, timestamp?: number }} Frame */
/** @typedef {import('ws').WebSocket & { _socket: import('node:net').Socket }} Peer  `ws` has no public way to its socket */

const port = Number(process.env.PORT ?? 3100);
const host = process.env.HOST ?? '127.0.0.1';
const batch = process.argv.includes('--batch') || process.env.BATCH === '1';

/** @type {Map<string, Peer>} */
const online = new Map();
/** @type {Map<string, string[]>} what waits for an address, as the frames to send */
const mailboxes = new Map();

/** @type {Set<import('node:net').Socket>} */
const corked = new Set();

function uncorkAll() {
  for (const socket of corked) socket.uncork();
  corked.clear();
}

/** @type {(peer: Peer, text: string) => void} */
function send(peer, text) {
  const socket = peer._socket;
  if (batch && !corked.has(socket)) {
    socket.cork();
    // setImmediate runs after every socket readable in this turn has been read.
    if (corked.add(socket).size === 1) setImmediate(uncorkAll);
  }
  peer.send(text);
}

/** @type {(data: import('ws').RawData) => Frame} */
function parse(data) {
  const text = /** @type {Buffer} */ (data);
  /** @type {unknown} */
  const frame = JSON.parse(text.toString());
  return /** @type {Frame} */ (frame);
}

/** @type {(peer: Peer, address: string) => void} */
function signIn(peer, address) {
  online.set(address, peer);
  send(peer, JSON.stringify({ type: 'auth_success', address, timestamp: Date.now() }));
  for (const text of mailboxes.get(address) ?? []) send(peer, text);
  mailboxes.delete(address);
}

/** @type {(peer: Peer, from: string, frame: Frame) => void} */
function route(peer, from, { to: addressee, content, messageId, timestamp }) {
  if (!addressee || !content || !messageId) {
    return send(peer, JSON.stringify({ type: 'error', message: 'Invalid message format', messageId }));
  }
  const to = addressee.toLowerCase();
  const now = Date.now();
  const text = JSON.stringify({ type: 'message', from, content, messageId, timestamp: timestamp ?? now });
  const recipient = online.get(to);
  if (recipient !== undefined) {
    send(recipient, text);
  } else {
    const mailbox = mailboxes.get(to);
    if (mailbox === undefined) mailboxes.set(to, [text]);
    else mailbox.push(text);
  }
  const type = recipient === undefined ? 'queued' : 'delivered';
  send(peer, JSON.stringify({ type, messageId, to, timestamp: now }));
}

const server = new WebSocketServer({
  port,
  host,
  backlog: 4096,
  clientTracking: false,
  perMessageDeflate: false,
});

server.on('connection', (/** @type {Peer} */ peer) => {
  let address = '';
  peer.on('message', (data) => {
    let frame;
    try {
      frame = parse(data);
    } catch {
      return peer.close(1007);
    }
    if (address === '') {
      if (frame.type !== 'auth' || typeof frame.address !== 'string') return peer.close(4401);
      address = frame.address.toLowerCase();
      return signIn(peer, address);
    }
    if (frame.type === 'message') return route(peer, address, frame);
    if (frame.type === 'ping') send(peer, JSON.stringify({ type: 'pong', timestamp: Date.now() }));
  });
  peer.on('close', () => {
    if (online.get(address) === peer) online.delete(address);
  });
  peer.on('error', () => undefined); // a peer that resets its connection is no fault of the router
});

server.on('listening', () => {
  console.log(`router${batch ? ', batched' : ''}: listening on ws://${host}:${port}/`);
});
process.on('SIGTERM', () => process.exit(0));
