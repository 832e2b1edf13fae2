// Two people, one relay: node examples/two-clients.mjs [ws://127.0.0.1:3002]
import { once } from 'node:events';
import { WebSocket } from 'ws';

const url = process.argv[2] ?? 'ws://127.0.0.1:3002';
const alice = '0xa11ce00000000000000000000000000000000001';
const bob = '0xb0b0000000000000000000000000000000000002';

/** @param {string} name @param {string} address */
async function signIn(name, address) {
  const socket = new WebSocket(url);
  socket.on('message', (frame) => console.log(`${name} ←`, String(frame)));
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'auth', address }));
  await once(socket, 'message');
  return socket;
}

const sender = await signIn('alice', alice);
const message = {
  type: 'message',
  to: bob,
  content: 'ciphertext',
  messageId: `hello-${Date.now()}`,
  timestamp: Date.now(),
};
sender.send(JSON.stringify(message)); // Bob is offline: the relay answers `queued` …
await once(sender, 'message');
const recipient = await signIn('bob  ', bob); // … and `delivered` as soon as Bob's client has it.
recipient.on('message', () =>
  recipient.send(JSON.stringify({ type: 'read_receipt', to: alice, messageId: message.messageId })),
);
sender.on('message', (frame) => JSON.parse(String(frame)).type === 'read' && process.exit(0));
