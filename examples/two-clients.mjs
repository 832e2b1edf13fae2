// Two people, one relay that believes what address one says (AUTH_MODE=open): node examples/two-clients.mjs [ws://127.0.0.1:3002]
import { once } from 'node:events';
import { WebSocket } from 'ws';

const url = process.argv[2] ?? 'ws://127.0.0.1:3002';
const alice = '0xa11ce00000000000000000000000000000000001';
const bob = '0xb0b0000000000000000000000000000000000002';

/** @param {string} name @param {string} address @param {(frame: any, socket: WebSocket) => void} hear */
async function signIn(name, address, hear) {
  const socket = new WebSocket(url);
  socket.on('message', (data) => {
    console.log(`${name} ←`, String(data));
    const frame = JSON.parse(String(data));
    if (frame.type === 'auth_failed' || frame.type === 'error') giveUp(`The relay refused: ${String(data)}`);
    hear(frame, socket);
  });
  socket.on('error', unreachable);
  await once(socket, 'open');
  socket.on('close', (code) => giveUp(`The relay closed the connection of ${name.trim()} with ${code}`));
  socket.send(JSON.stringify({ type: 'auth', address }));
}

/** @param {any} frame @param {WebSocket} socket */
function atAlice(frame, socket) {
  const message = { type: 'message', to: bob, content: 'ciphertext', messageId: `hello-${Date.now()}` };
  if (frame.type === 'auth_success') socket.send(JSON.stringify({ ...message, timestamp: Date.now() }));
  // Bob is offline, so the relay answers `queued`; he comes, and it says `delivered` once his client has the message.
  if (frame.type === 'queued') signIn('bob  ', bob, atBob).catch(unreachable);
  if (frame.type === 'read') process.exit(0);
}

/** @param {any} frame @param {WebSocket} socket */
function atBob({ type, messageId }, socket) {
  if (type === 'message') socket.send(JSON.stringify({ type: 'read_receipt', to: alice, messageId }));
}

/** @param {Error} error */
function unreachable(error) {
  giveUp(`No relay at ${url}: ${error.message}`);
}

/** @param {string} why */
function giveUp(why) {
  console.error(
    `${why}\nAnother relay: node examples/two-clients.mjs ws://HOST:PORT; it must run with AUTH_MODE=open.`,
  );
  process.exit(1);
}

await signIn('alice', alice, atAlice).catch(unreachable);
