// @ts-check
// Strangers flood the mailbox of somebody who is away, first one, then many at once, each from an IP address of its own and as
// fast as its limits let it; a contact of hers sends meanwhile, and every message must be accepted within 2 s. All limits are
// the defaults. After npm run build: node bench/flood.mjs [senders = 1000] [memory|everysec|always = memory]
// (`ulimit -n` above the senders; Linux, whose 127.0.0.0/8 are all its own)
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { WebSocket } from 'ws';
import { RelayNode } from '../test/drill/relay-node.mjs';
import { freePort, startRedis } from './redis.mjs';

const SENDERS = Number(process.argv[2] ?? 1_000);
const STORAGE = process.argv[3] ?? 'memory';
const SECONDS = 10;
const ACCEPTED_WITHIN_MS = 2_000;
const CONTACT_EVERY_MS = 100;
const PER_SECOND = 20;
const BURST = 200;
const SETTINGS = {
  AUTH_MODE: 'signed',
  PUBLIC_DOMAIN: 'relay.example',
  SEND_RATE_PER_SECOND: String(PER_SECOND),
  SEND_BURST: String(BURST),
  SEND_RATE_PER_IP: '200',
  MAX_CONNECTIONS_PER_IP: '200',
  MAX_OFFLINE_MESSAGES: '1000',
  SENDER_SHARE: '0.5',
};
/** Numbers of persons beside the strangers. */
const [OWNER, CONTACT, LONER] = [100_000, 100_001, 100_002];
const CONTENT = 'x'.repeat(300);

const hex = (/** @type {Iterable<number>} */ bytes) => Buffer.from([...bytes]).toString('hex');

/** @typedef {{ type: string, code?: string, messageId?: string, id?: string }} Answer */

/** Somebody with a key and one device, from an IP address of its own. */
class Person {
  /** @type {Record<string, number>} what it was answered */
  answers = {};
  /** How often the store refused, or did not say. */
  refusals = 0;
  /** @type {Map<string, { sendAgain: () => void, done: () => void }>} */
  #waiting = new Map();

  /** @param {number} n */
  constructor(n) {
    this.secret = keccak_256(Buffer.from(`person ${n}`));
    this.address = `0x${hex(keccak_256(secp256k1.getPublicKey(this.secret, false).subarray(1)).subarray(12))}`;
    this.localAddress = `127.${1 + (n >> 16)}.${(n >> 8) & 255}.${1 + (n & 127)}`;
  }

  /** @param {string} url @returns {Promise<void>} */
  signIn(url) {
    return new Promise((resolve, reject) => {
      this.socket = new WebSocket(url, { perMessageDeflate: false, localAddress: this.localAddress });
      this.socket.on('open', () => this.send({ type: 'hello', v: 2, address: this.address, deviceId: 'phone' }));
      this.socket.on('error', reject);
      this.socket.on('close', (code) => reject(new Error(`closed with ${code}`)));
      this.socket.on('message', (/** @type {Buffer} */ data) => {
        const frame = /** @type {Answer & { nonce: string }} */ (JSON.parse(data.toString()));
        if (frame.type === 'auth_success') resolve();
        else if (frame.type === 'challenge') this.#prove(frame.nonce);
        else this.#answered(frame);
      });
    });
  }

  /** @param {object} frame */
  send(frame) {
    this.socket?.send(JSON.stringify(frame));
  }

  /** Sends again what was refused, as clients do. @param {string} to @param {string} messageId @returns {Promise<number>} ms until it was accepted */
  async accepted(to, messageId) {
    const since = performance.now();
    await new Promise((resolve) => {
      const send = () => this.send({ type: 'message', to, messageId, content: CONTENT });
      this.#waiting.set(messageId, {
        sendAgain: () => setTimeout(send, CONTACT_EVERY_MS),
        done: () => resolve(undefined),
      });
      send();
    });
    return performance.now() - since;
  }

  /** @param {string} nonce */
  #prove(nonce) {
    const digest = keccak_256(keccak_256(Buffer.from(nonce)));
    const signed = secp256k1.sign(digest, this.secret, { prehash: false, format: 'recovered' });
    const signature = `0x${hex(signed.subarray(1))}${hex(signed.subarray(0, 1))}`;
    this.send({ type: 'auth', address: this.address, scheme: 'idena', signature });
  }

  /** @param {Answer} frame */
  #answered({ type, code, messageId = '', id }) {
    const answer = code ?? type;
    this.answers[answer] = (this.answers[answer] ?? 0) + 1;
    if (id !== undefined) this.send({ type: 'ack', upTo: id });
    const waiting = this.#waiting.get(messageId);
    if (waiting === undefined) return;
    if (type === 'queued' || type === 'delivered') {
      this.#waiting.delete(messageId);
      waiting.done();
    } else if (type === 'error') {
      this.refusals++;
      waiting.sendAgain();
    }
  }
}

/** In a thread of its own, so that what the flood costs this program is not taken for the relay's. @param {string} url @param {string} owner */
async function measureContact(url, owner) {
  const contact = new Person(CONTACT);
  await contact.signIn(url);
  const measure = async (/** @type {string} */ name) => {
    /** @type {number[]} */
    const times = [];
    contact.refusals = 0;
    const endsAt = performance.now() + SECONDS * 1_000;
    for (let n = 0; performance.now() < endsAt; n++) {
      times.push(await contact.accepted(owner, `of-contact-${name}-${n}`));
      await sleep(CONTACT_EVERY_MS);
    }
    parentPort?.postMessage({ times, refusals: contact.refusals });
  };
  parentPort?.on('message', (/** @type {string} */ name) => void measure(name));
  parentPort?.postMessage('ready');
}

/** @param {Worker} worker @returns {Promise<{ times: number[], refusals: number }>} */
const messageOf = (worker) => new Promise((resolve) => worker.once('message', resolve));

/** @param {Worker} contact @param {Person} owner @param {Person[]} strangers @param {string} name */
async function flood(contact, owner, strangers, name) {
  let isOver = false;
  let sent = 0;
  /** @param {Person} stranger */
  const keepSending = async (stranger) => {
    await sleep(Math.random() * 1_000);
    // What it may send at once, then what it may in the long run.
    for (let n = 0; !isOver; n++) {
      stranger.send({ type: 'message', to: owner.address, messageId: `${name}-${n}`, content: CONTENT });
      sent++;
      if (n >= BURST) await sleep(1_000 / PER_SECOND);
      else if (n % 10 === 9) await sleep(10);
    }
  };
  const flooding = strangers.map(keepSending);
  contact.postMessage(name);
  const { times, refusals } = await messageOf(contact);
  isOver = true;
  await Promise.all(flooding);
  await sleep(500);
  /** @type {Record<string, number>} */
  const answers = {};
  for (const stranger of strangers) {
    for (const [answer, count] of Object.entries(stranger.answers)) answers[answer] = (answers[answer] ?? 0) + count;
    stranger.socket?.removeAllListeners('close').terminate();
  }
  const sorted = times.sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => (sorted[Math.floor(sorted.length * share)] ?? NaN).toFixed(1);
  const longest = sorted.at(-1) ?? Infinity;
  console.log(
    `${name}: ${strangers.length} strangers sent ${sent} in ${SECONDS} s, answered ${JSON.stringify(answers)}`,
  );
  console.log(
    `  ${sorted.length} messages of the contact accepted, ms: median ${at(0.5)}, p95 ${at(0.95)}, longest ${longest.toFixed(1)}; refused and sent again ${refusals}`,
  );
  return longest;
}

async function main() {
  const redis = STORAGE === 'everysec' || STORAGE === 'always' ? await startRedis(STORAGE) : null;
  const script = new URL('../dist/main.js', import.meta.url).pathname;
  const storage = redis === null ? {} : { STORAGE: 'redis', REDIS_URL: redis.url };
  const relay = new RelayNode({ main: script, port: await freePort(), env: { ...SETTINGS, ...storage } });
  try {
    await relay.start();
    const owner = new Person(OWNER);
    await owner.signIn(relay.url);
    // She wrote to her contact once, and is away.
    await owner.accepted(new Person(CONTACT).address, 'hello');
    owner.socket?.removeAllListeners('close').terminate();
    const contact = new Worker(new URL(import.meta.url), { workerData: { url: relay.url, owner: owner.address } });
    await messageOf(contact);
    const single = new Person(LONER);
    const strangers = Array.from({ length: SENDERS }, (_, n) => new Person(n));
    for (const stranger of [single, ...strangers]) await stranger.signIn(relay.url);
    const longest = [await flood(contact, owner, [single], 'one'), await flood(contact, owner, strangers, 'many')];
    await contact.terminate();
    if (Math.max(...longest) > ACCEPTED_WITHIN_MS) process.exitCode = 1;
  } finally {
    await relay.stop('SIGTERM');
    await redis?.stop();
  }
}

if (isMainThread) await main();
else {
  const { url, owner } = /** @type {{ url: string, owner: string }} */ (workerData);
  await measureContact(url, owner);
}
