// What the picture of the dashboard shows: people who come, write, go and are refused, and nodes and a Redis that fail.
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { MemoryStore } from '@relay/client';
import { newIdentity } from '@relay/client/identity';
import { connect } from '@relay/client/node';
import { WebSocket } from 'ws';
import { History } from '../test/drill/history.mjs';
import { Load } from '../test/drill/load.mjs';
import { Population } from '../test/drill/population.mjs';

/**
 * @typedef {import('../test/drill/random.mjs').Random} Random
 * @typedef {import('../test/drill/redis-process.mjs').RedisProcess} RedisProcess
 * @typedef {import('../test/drill/relay-node.mjs').RelayNode} RelayNode
 * @typedef {{ redis: RedisProcess, nodes: readonly [RelayNode, RelayNode, RelayNode] }} World
 */

const DOMAIN = 'relay.example';
const ADMIN_TOKEN = 'only-for-this-picture-0123456789abcdef';
/** Low enough that what is done here runs into them. */
export const TRAFFIC_LIMITS = {
  SEND_RATE_PER_SECOND: '20',
  SEND_BURST: '40',
  MAX_OFFLINE_MESSAGES: '400',
  RATE_LIMIT_MAX_REQUESTS: '100',
  DRAIN_SECONDS: '8',
  PUBLIC_DOMAIN: DOMAIN,
  ADMIN_TOKEN,
};
const SHAPE = { addresses: 80, twoDevices: 25, classicOnly: false, salt: 1 };
const ARRIVALS_PER_SECOND = 4;
const AWAY = Array.from({ length: 8 }, (_, i) => `0xa3${(i + 1).toString(16).padStart(38, '0')}`);
const DEAF = `0xdeaf${'0'.repeat(36)}`;
const CHATTERER = `0xc4a7${'0'.repeat(36)}`;
const SIGNERS = 6;
/** So that what happened last is in a scrape. */
const LAST_SCRAPE_MS = 3_000;

/** Takes 107 s. @param {World} world @param {Random} random */
export async function makeTraffic({ redis, nodes }, random) {
  const urls = nodes.map(({ url }) => url);
  const population = new Population(SHAPE, { urls, history: new History(), random: random.fork('clients') });
  const quiet = new Load(population, random.fork('quiet'), 30);
  const lively = new Load(population, random.fork('lively'), 45, 'lively');
  const [first, second, third] = nodes;
  /** Second of the run → what happens then. @type {readonly [number, () => unknown][]} */
  const happenings = [
    [0, () => arrive(population)],
    [2, () => quiet.start()],
    [4, () => signAndWrite(urls)],
    [8, () => writeToAway(first.url, random.fork('away'))],
    [12, () => neverAcknowledge(first.url)],
    [25, () => lively.start()],
    [26, () => population.live()],
    [30, () => signInWrongly(third.url)],
    [35, () => writeTooFast(first.url)],
    [42, () => askTooOften(third.url)],
    [50, () => second.stop('SIGKILL')],
    [62, () => second.start()],
    [66, () => lively.stop()],
    [72, () => redis.pause()],
    [75, () => redis.resume()],
    [80, () => writeTooFast(second.url)],
    [84, () => drain(third.url)],
    [95, () => third.stop('SIGTERM')],
    [99, () => third.start()],
    [104, () => quiet.stop()],
  ];
  await happenInTurn(happenings);
}

/** Does not wait for what takes longer; ends with what failed first. @param {readonly [number, () => unknown][]} happenings */
async function happenInTurn(happenings) {
  const startedAt = performance.now();
  /** @type {unknown[]} */
  const failures = [];
  for (const [second, happen] of happenings) {
    await pause(Math.max(0, startedAt + second * 1000 - performance.now()));
    Promise.resolve(happen()).catch((/** @type {unknown} */ error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
  await pause(LAST_SCRAPE_MS);
  if (failures.length > 0) throw failures[0];
}

/** @param {Population} population */
async function arrive(population) {
  for (const client of population.clients) {
    client.start();
    await pause(1000 / ARRIVALS_PER_SECOND);
  }
}

/** People who prove their addresses, write to the next one each second, and sometimes start their application again. @param {readonly string[]} urls */
async function signAndWrite(urls) {
  const devices = Array.from({ length: SIGNERS }, () => ({ identity: newIdentity(), store: new MemoryStore() }));
  const open = (/** @type {number} */ n) =>
    connect({ ...devices[n], url: urls[n % urls.length] ?? '', domain: DOMAIN, onMessage: () => undefined });
  const clients = await Promise.all(devices.map((_, n) => open(n)));
  for (let second = 1; ; second++) {
    const n = second % SIGNERS;
    for (const [i, client] of clients.entries()) {
      // What was not accepted when a node ended is sent again by the client itself.
      const { address } = devices[(i + 1) % SIGNERS]?.identity ?? client;
      await client.send(address, `${second} ${'x'.repeat(300)}`);
    }
    await pause(1000);
    if (second % 3 !== 0) continue;
    await clients[n]?.close();
    clients[n] = await open(n);
  }
}

/** Mail for people who are away, for the first of them more than may wait. @param {string} url @param {Random} random */
async function writeToAway(url, random) {
  const socket = await signIn(url, `0xfa${'0'.repeat(38)}`);
  for (let n = 0; socket.readyState === WebSocket.OPEN; n++) {
    const to = random.chance(0.5) ? AWAY[0] : random.pick(AWAY);
    send(socket, { to, messageId: `away-${n}`, content: 'x'.repeat(random.between(100, 900)) });
    if (n % 4 === 0) send(socket, { to, messageId: `typing-${n}`, content: 'typing', ephemeral: true });
    await pause(65);
  }
}

/** One that is sent more and more, and acknowledges none of it: ended after a minute. @param {string} url */
async function neverAcknowledge(url) {
  await signIn(url, DEAF, { type: 'hello', v: 2, address: DEAF, deviceId: 'phone', window: 32 });
  const writer = await signIn(url, `0xfb${'0'.repeat(38)}`);
  for (let n = 0; n < 120; n++) {
    send(writer, { to: DEAF, messageId: `deaf-${n}`, content: 'x'.repeat(200) });
    await pause(400);
  }
}

/** @param {string} url */
async function writeTooFast(url) {
  const socket = await signIn(url, CHATTERER);
  for (let second = 0; second < 12; second++) {
    for (let i = 0; i < 45; i++) {
      send(socket, { to: AWAY[1 + (i % 4)], messageId: `fast-${url}-${second}-${i}`, content: 'x'.repeat(50) });
    }
    await pause(1000);
  }
  socket.close();
}

/** With a signature by nobody. @param {string} url */
async function signInWrongly(url) {
  const signature = `0x${'1b'.repeat(65)}`;
  for (let n = 0; n < 60; n++) {
    const hello = { type: 'hello', v: 2, address: DEAF, deviceId: `other-${n % 3}`, challenge: true };
    const socket = await signIn(url, DEAF, hello);
    socket.send(JSON.stringify({ type: 'auth', address: DEAF, scheme: 'idena', signature }));
    await once(socket, 'close');
    await pause(200);
  }
}

/** @param {string} url of the WebSocket */
async function askTooOften(url) {
  for (let n = 0; n < 250; n++) {
    await fetch(`${url.replace('ws', 'http')}/api/status/${CHATTERER}`);
    await pause(30);
  }
}

/** As an operator does before the node is stopped. @param {string} url of the WebSocket */
async function drain(url) {
  const api = `${url.replace('ws', 'http')}/admin/api`;
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  /** @type {{ nodes: { node: string, isThis: boolean }[] }} */
  const overview = /** @type {any} */ (await (await fetch(`${api}/overview`, { headers })).json());
  const here = overview.nodes.find(({ isThis }) => isThis);
  const { status } = await fetch(`${api}/nodes/${here?.node ?? ''}/drain`, { method: 'PUT', headers });
  if (status !== 200) throw new Error(`the order to drain was answered with ${status}`);
}

/** @type {(url: string, address: string, frame?: object) => Promise<WebSocket>} */
async function signIn(url, address, frame = { type: 'auth', address }) {
  const socket = await opened(url);
  socket.send(JSON.stringify(frame));
  await once(socket, 'message');
  return socket;
}

/** @param {string} url */
async function opened(url) {
  const socket = new WebSocket(url);
  // A node that is killed is meant to be.
  socket.on('error', () => undefined);
  await once(socket, 'open');
  return socket;
}

/** @param {WebSocket} socket @param {object} message */
function send(socket, message) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'message', ...message }));
}
