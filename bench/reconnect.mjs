// A node is killed, and all its clients come back to the other with their tokens, while that one goes on with its own traffic:
// node bench/reconnect.mjs [clients = 10000] (after npm run build; needs redis-server, and `ulimit -n` above the clients)
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { WebSocket } from 'ws';
import { RedisProcess } from '../test/drill/redis-process.mjs';
import { RelayNode } from '../test/drill/relay-node.mjs';

const CLIENTS = Number(process.argv[2] ?? 10_000);
const PAIRS = 25;
const SENDS_PER_SECOND = 200;
const SIGN_INS_AT_ONCE = 64;
const ALL_BACK_WITHIN_S = 60;
const P99_BELOW_MS = 1_000;
const FIRST_RETRY_WITHIN_MS = 5_000;

const main = new URL('../dist/main.js', import.meta.url).pathname;
const redis = new RedisProcess(25_379);
const env = { STORAGE: 'redis', REDIS_URL: redis.url, AUTH_MODE: 'signed', PUBLIC_DOMAIN: 'relay.example' };
const doomed = new RelayNode({ main, port: 25_301, env });
const other = new RelayNode({ main, port: 25_302, env });
const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
const hex = (/** @type {Iterable<number>} */ bytes) => Buffer.from([...bytes]).toString('hex');

/**
 * @typedef {{ secret: Uint8Array, address: string, token?: string | undefined, socket?: WebSocket, challenges: number }} User
 * @typedef {{ type: string, nonce: string, token?: string, id?: string, content: string }} Frame
 */

/** @type {(n: number) => User} */
function userOf(n) {
  const secret = keccak_256(Buffer.from(`user ${n}`));
  const key = secp256k1.getPublicKey(secret, false);
  return { secret, address: `0x${hex(keccak_256(key.subarray(1)).subarray(12))}`, challenges: 0 };
}

/** @type {(nonce: string, user: User) => object} */
function answerTo(nonce, { address, secret }) {
  const digest = keccak_256(keccak_256(Buffer.from(nonce)));
  const recovered = secp256k1.sign(digest, secret, { prehash: false, format: 'recovered' });
  return {
    type: 'auth',
    address,
    scheme: 'idena',
    signature: `0x${hex(recovered.subarray(1))}${hex(recovered.subarray(0, 1))}`,
  };
}

/** Resolves when it is in, rejects when it is closed before; signs only where it is asked to. @type {(url: string, user: User, heard?: (frame: Frame) => void) => Promise<void>} */
function open(url, user, heard = () => undefined) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    const send = (/** @type {object} */ frame) => socket.send(JSON.stringify(frame));
    const { address, token } = user;
    socket.on('open', () => send({ type: 'hello', v: 2, address, deviceId: 'phone', token }));
    socket.on('error', () => undefined);
    socket.on('close', reject);
    socket.on('message', (/** @type {Buffer} */ data) => {
      const frame = /** @type {Frame} */ (JSON.parse(data.toString()));
      if (frame.type === 'challenge') {
        user.challenges++;
        send(answerTo(frame.nonce, user));
      } else if (frame.type === 'auth_success') {
        user.token = frame.token ?? user.token;
        user.socket = socket;
        resolve();
      } else if (frame.id !== undefined) send({ type: 'ack', upTo: frame.id });
      heard(frame);
    });
  });
}

/** As clients should: at a random time at first, then later and later. @type {(url: string, user: User) => Promise<void>} */
async function comeBack(url, user) {
  for (let withinMs = FIRST_RETRY_WITHIN_MS; ; withinMs = Math.min(30_000, withinMs * 2)) {
    await sleep(Math.random() * withinMs);
    try {
      return await open(url, user);
    } catch {
      attempts++;
    }
  }
}

/** @type {(url: string, users: readonly User[]) => Promise<void>} */
async function signInAll(url, users) {
  const waiting = [...users];
  const worker = async () => {
    for (let user = waiting.pop(); user !== undefined; user = waiting.pop()) await open(url, user);
  };
  await Promise.all(Array.from({ length: SIGN_INS_AT_ONCE }, worker));
}

let attempts = 0;
/** @type {number[]} */
const latencies = [];
const percentile = (/** @type {readonly number[]} */ values, /** @type {number} */ part) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * part)] ?? NaN;

async function startTraffic() {
  /** @type {[User, User][]} */
  const pairs = Array.from({ length: PAIRS }, (_, i) => [userOf(1e6 + 2 * i), userOf(1e6 + 2 * i + 1)]);
  const hears = (/** @type {Frame} */ frame) => {
    if (frame.type === 'message') latencies.push(performance.now() - Number(frame.content));
  };
  for (const [from, to] of pairs) await Promise.all([open(other.url, from), open(other.url, to, hears)]);
  let n = 0;
  return setInterval(() => {
    const pair = pairs[n++ % PAIRS];
    if (pair === undefined) return;
    const [from, to] = pair;
    const message = { type: 'message', to: to.address, messageId: `m${n}`, content: String(performance.now()) };
    from.socket?.send(JSON.stringify(message));
  }, 1000 / SENDS_PER_SECOND);
}

try {
  await redis.start();
  await Promise.all([doomed.start(), other.start()]);
  const users = Array.from({ length: CLIENTS }, (_, i) => userOf(i));
  const signedInAt = performance.now();
  await signInAll(doomed.url, users);
  const signInSeconds = (performance.now() - signedInAt) / 1000;
  console.log(
    `${CLIENTS} signed in within ${signInSeconds.toFixed(1)} s, ${Math.round(CLIENTS / signInSeconds)} a second`,
  );

  const timer = await startTraffic();
  await sleep(3_000);
  const before = latencies.splice(0);
  const gone = users.map(({ socket }) => new Promise((resolve) => socket?.once('close', resolve)));
  const killedAt = performance.now();
  await Promise.all([doomed.stop('SIGKILL'), ...gone]);
  const back = users.map(async (user) => {
    await comeBack(other.url, user);
    return (performance.now() - killedAt) / 1000;
  });
  const times = await Promise.all(back);
  const during = latencies.splice(0);
  clearInterval(timer);

  const last = Math.max(...times);
  const p99 = percentile(during, 0.99);
  const asked = users.filter(({ challenges }) => challenges !== 1).length;
  console.log(
    `all back within ${last.toFixed(1)} s (half of them within ${percentile(times, 0.5).toFixed(1)} s), ${attempts} attempts failed, ${asked} had to sign again`,
  );
  console.log(
    `live traffic, ms: p50 ${percentile(before, 0.5).toFixed(1)} p99 ${percentile(before, 0.99).toFixed(1)} before; p50 ${percentile(during, 0.5).toFixed(1)} p99 ${p99.toFixed(1)} meanwhile (${during.length} messages)`,
  );
  const isFine = last <= ALL_BACK_WITHIN_S && p99 < P99_BELOW_MS && asked === 0 && during.length > 0;
  if (!isFine) process.exitCode = 1;
} finally {
  await Promise.all([doomed.stop('SIGKILL'), other.stop('SIGKILL')]);
  await redis.kill();
  setTimeout(() => process.exit(), 500);
}
