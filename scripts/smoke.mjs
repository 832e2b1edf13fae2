// Starts the built relay as an operator would, speaks to it over WebSocket and REST, and stops it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';

const PATIENCE_MS = 60_000;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const alice = `0x${'a1'.repeat(20)}`;
const bob = `0x${'b0'.repeat(20)}`;

const relay = spawn(process.execPath, [join(root, 'dist/main.js')], {
  env: {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
    AUTH_MODE: 'open',
    PORT: '0',
    HOST: '127.0.0.1',
    METRICS_PORT: '0',
  },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const giveUp = setTimeout(() => {
  console.error(`no result within ${PATIENCE_MS} ms`);
  relay.kill('SIGKILL');
  process.exitCode = 1;
}, PATIENCE_MS);

try {
  const url = await listening();
  const sender = await signIn(url, alice);
  sender.send(
    JSON.stringify({ type: 'message', to: bob, content: 'ciphertext', messageId: 'smoke', timestamp: Date.now() }),
  );
  await frame(sender, 'queued');
  const recipient = await signIn(url, bob, 'message');
  await frame(sender, 'delivered');
  /** @type {any} */
  const health = await (await fetch(`${url}/health`)).json();
  expect(health.status === 'ok' && health.connections === 2 && health.queuedMessages === 0, JSON.stringify(health));
  relay.kill('SIGTERM');
  const [[senderCode], [recipientCode], [exitCode]] = await Promise.all([
    once(sender, 'close'),
    once(recipient, 'close'),
    once(relay, 'exit'),
  ]);
  expect(senderCode === 1012 && recipientCode === 1012, `close codes ${senderCode}, ${recipientCode}`);
  expect(exitCode === 0, `exit code ${exitCode}`);
  console.log('smoke: 1 message queued, delivered and confirmed; drained with 1012; exit code 0');
} catch (error) {
  console.error(error);
  relay.kill('SIGKILL');
  process.exitCode = 1;
} finally {
  clearTimeout(giveUp);
}

/** @returns {Promise<string>} */
async function listening() {
  for await (const line of createInterface({ input: relay.stdout })) {
    const entry = JSON.parse(line);
    if (entry.msg === 'relay listening') return entry.url;
  }
  throw new Error('the relay ended before it listened');
}

/**
 * @param {string} url @param {string} address
 * @param {string} [until] the frame to wait for
 */
async function signIn(url, address, until = 'auth_success') {
  const socket = new WebSocket(url.replace('http', 'ws'));
  await once(socket, 'open');
  const arrived = frame(socket, until);
  socket.send(JSON.stringify({ type: 'auth', address }));
  await arrived;
  return socket;
}

/** @param {WebSocket} socket @param {string} type @returns {Promise<void>} */
function frame(socket, type) {
  return new Promise((resolve) => {
    socket.on('message', function listen(data) {
      if (JSON.parse(String(data)).type !== type) return;
      socket.off('message', listen);
      resolve();
    });
  });
}

/** @param {boolean} condition @param {string} what */
function expect(condition, what) {
  if (!condition) throw new Error(`unexpected: ${what}`);
}
