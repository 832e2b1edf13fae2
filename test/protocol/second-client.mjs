// A client of the relay without its SDK, driven by the suite as docs/other-languages.md says.
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

const FOR_GOOD = [1000, 1002, 1003, 1007, 1008, 1009, 4400, 4401, 4403, 4409, 4440];
const RANKS = { queued: 1, delivered: 2, read: 3, expired: 3, failed: 3 };
const deviceId = randomUUID();
const outbox = new Map(); // messageId → frame, until the relay has said what became of it
const ranks = new Map(); // messageId → the highest rank that was told
const inbox = new Map(); // sender and messageId → whether the application has saved it
let entries = []; // of this connection, in order: { id, key }, not acknowledged yet
let [attempt, waitMs] = [0, 0];
let me, socket, token, isSignedIn;

const keyOf = ({ from, messageId }) => `${from} ${messageId}`;
const say = (event, more) => console.log(JSON.stringify({ event, ...more }));
const transmit = (frame) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify(frame));

function open() {
  socket = new WebSocket(me.url);
  socket.on('open', () => transmit({ type: 'hello', v: 2, address: me.address, deviceId, token }));
  socket.on('message', (text) => receive(JSON.parse(text)));
  socket.on('error', () => undefined);
  socket.on('close', closed);
}

function closed(code) {
  isSignedIn = false;
  entries = [];
  if (FOR_GOOD.includes(code)) return say('stopped', { code });
  setTimeout(open, Math.max(waitMs, Math.random() * Math.min(30_000, 250 * 2 ** attempt++)));
  waitMs = 0;
}

function receive(frame) {
  if (frame.type === 'challenge') sign(frame);
  if (frame.type === 'auth_success') signedIn(frame);
  if (frame.type === 'going_away') waitMs = frame.reconnectAfterMs;
  if (frame.type === 'message') handOver(frame);
  if (frame.type === 'error') refused(frame);
  if (['queued', 'delivered', 'read', 'expired'].includes(frame.type)) tell(frame.messageId, frame.type);
  if (frame.id === undefined) return;
  entries.push({ id: frame.id, key: frame.type === 'message' && keyOf(frame) });
  acknowledge();
}

// Another relay could pass its own challenge on and use the answer: so only what names the relay that is meant.
function sign({ nonce }) {
  if (nonce.startsWith(`relay:signin-${me.domain}-${me.address}-`)) say('sign', { nonce });
  else socket.close();
}

function signedIn(frame) {
  isSignedIn = true;
  attempt = 0;
  token = frame.token ?? token;
  for (const message of outbox.values()) transmit(message);
}

function handOver({ from, messageId, content }) {
  if (inbox.has(keyOf({ from, messageId }))) return;
  inbox.set(keyOf({ from, messageId }), false);
  say('message', { from, messageId, content });
}

// Everything up to the first message that the application has not saved.
function acknowledge() {
  const unsaved = entries.findIndex(({ key }) => key && !inbox.get(key));
  const done = entries.splice(0, unsaved < 0 ? entries.length : unsaved);
  if (done.length > 0) transmit({ type: 'ack', upTo: done.at(-1).id });
}

function tell(messageId, status, more) {
  outbox.delete(messageId);
  if (RANKS[status] <= (ranks.get(messageId) ?? 0)) return;
  ranks.set(messageId, RANKS[status]);
  say('status', { messageId, status, ...more });
}

function refused({ messageId, code, retryable, outcome, retryAfterMs = 1000 }) {
  if (!outbox.has(messageId)) return;
  if (!retryable && outcome !== 'unknown') return tell(messageId, 'failed', { code });
  setTimeout(() => isSignedIn && outbox.has(messageId) && transmit(outbox.get(messageId)), retryAfterMs);
}

const commands = {
  connect: (command) => open((me = command)),
  signature: ({ scheme, signature }) => transmit({ type: 'auth', address: me.address, scheme, signature }),
  send: ({ to, messageId, content }) => {
    outbox.set(messageId, { type: 'message', to, messageId, content, timestamp: Date.now() });
    if (isSignedIn) transmit(outbox.get(messageId));
  },
  saved: (message) => acknowledge(inbox.set(keyOf(message), true)),
  read: ({ from, messageId }) => transmit({ type: 'read_receipt', to: from, messageId }),
};
createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  commands[command.do](command);
});
