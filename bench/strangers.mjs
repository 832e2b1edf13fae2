// Somebody holds as many sockets open as it can and says nothing, from one IP address; people sign in meanwhile, from the same
// address and from another: node bench/strangers.mjs [sockets = 5000] (after npm run build; `ulimit -n` above the sockets)
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { RelayNode } from '../test/drill/relay-node.mjs';

const SOCKETS = Number(process.argv[2] ?? 5_000);
const SECONDS = 20;
const SIGN_IN_WITHIN_MS = 2_000;
const UPGRADE =
  'GET / HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';

const main = new URL('../dist/main.js', import.meta.url).pathname;
const env = { AUTH_MODE: 'signed', PUBLIC_DOMAIN: 'relay.example', MAX_CONNECTIONS_PER_IP: '200' };
const relay = new RelayNode({ main, port: 25_303, env });
const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
const hex = (/** @type {Iterable<number>} */ bytes) => Buffer.from([...bytes]).toString('hex');

let isOver = false;
let opened = 0;
/** @type {Set<import('node:net').Socket>} */
const strangers = new Set();

/** Opens, says nothing, and comes again when it is ended. */
function stranger() {
  const socket = connect({ host: '127.0.0.1', port: 25_303, localAddress: '127.0.0.1' });
  strangers.add(socket);
  socket.on('connect', () => socket.write(UPGRADE));
  socket.once('data', () => opened++);
  socket.on('error', () => undefined);
  socket.on('close', () => {
    strangers.delete(socket);
    if (!isOver) setTimeout(stranger, 100);
  });
}

/** How long a person takes to sign in with a key, with as many attempts as a client makes. @type {(n: number, localAddress: string) => Promise<number>} */
async function signIn(n, localAddress) {
  const secret = keccak_256(Buffer.from(`person ${n}`));
  const address = `0x${hex(keccak_256(secp256k1.getPublicKey(secret, false).subarray(1)).subarray(12))}`;
  const startedAt = performance.now();
  for (;;) {
    const isIn = await new Promise((resolve) => {
      const socket = new WebSocket(relay.url, { perMessageDeflate: false, localAddress });
      socket.on('open', () => socket.send(JSON.stringify({ type: 'hello', v: 2, address, deviceId: 'phone' })));
      socket.on('error', () => resolve(false));
      socket.on('close', () => resolve(false));
      socket.on('message', (/** @type {Buffer} */ data) => {
        const frame = /** @type {{ type: string, nonce: string }} */ (JSON.parse(data.toString()));
        if (frame.type === 'auth_success') {
          resolve(true);
          socket.close();
        } else if (frame.type === 'challenge') {
          const digest = keccak_256(keccak_256(Buffer.from(frame.nonce)));
          const signed = secp256k1.sign(digest, secret, { prehash: false, format: 'recovered' });
          const signature = `0x${hex(signed.subarray(1))}${hex(signed.subarray(0, 1))}`;
          socket.send(JSON.stringify({ type: 'auth', address, scheme: 'idena', signature }));
        }
      });
    });
    if (isIn) return performance.now() - startedAt;
    await sleep(50);
  }
}

try {
  await relay.start();
  for (let i = 0; i < SOCKETS; i++) stranger();
  await sleep(2_000);
  /** @type {Record<string, number[]>} */
  const times = { '127.0.0.1': [], '127.0.0.2': [] };
  const endsAt = performance.now() + SECONDS * 1000;
  for (let n = 0; performance.now() < endsAt; n++) {
    for (const [from, took] of Object.entries(times)) took.push(await signIn(n, from));
    await sleep(100);
  }
  console.log(`${SOCKETS} sockets that say nothing came ${opened} times within ${SECONDS} s`);
  let worst = 0;
  for (const [from, took] of Object.entries(times)) {
    const sorted = took.sort((a, b) => a - b);
    worst = Math.max(worst, sorted.at(-1) ?? Infinity);
    const median = sorted[Math.floor(sorted.length / 2)] ?? NaN;
    console.log(
      `${sorted.length} sign-ins from ${from}, ms: median ${median.toFixed(0)}, longest ${sorted.at(-1)?.toFixed(0)}`,
    );
  }
  if (worst > SIGN_IN_WITHIN_MS) process.exitCode = 1;
} finally {
  isOver = true;
  for (const socket of strangers) socket.destroy();
  await relay.stop('SIGTERM');
}
