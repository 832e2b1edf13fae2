// @ts-check
/**
 * Two relays on one Redis behind the proxies of deploy/proxies, as those files are but for ports and certificates: clients spread
 * over both, stay, reach each other, and move when one is killed or stopped. `node test/drill/proxies.mjs [--idle SECONDS] [caddy|nginx…]`;
 * what is not installed is said and left out. Exit 0: all that ran is well.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, URL } from 'node:url';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';
import { freePort, start, temporary } from './child.mjs';
import { Random } from './random.mjs';
import { RedisProcess } from './redis-process.mjs';
import { RelayNode } from './relay-node.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLIENTS = 40;
/** Of forty, on each of two: what `least_conn` must do at least. */
const FEWEST_ON_ONE = 15;
const READY_WITHIN_MS = 45_000;
const BACK_WITHIN_MS = 45_000;
const ANSWER_WITHIN_MS = 30_000;
const RETRY_MS = 250;

/** @typedef {{ url: string, stop(): Promise<void> }} Proxy */
/** @typedef {{ ports: [number, number], port: number, folder: string }} Place */

const { values, positionals } = parseArgs({
  options: { idle: { type: 'string', default: '5' } },
  allowPositionals: true,
});

/** @type {Record<string, { has: () => boolean, start: (place: Place) => Proxy }>} */
const PROXIES = {
  caddy: { has: () => spawnSync('caddy', ['version']).status === 0, start: startCaddy },
  nginx: { has: () => spawnSync('nginx', ['-v']).status === 0, start: startNginx },
};

/** @type {(file: string, place: Place) => string} */
function recipe(file, { ports }) {
  return readFileSync(join(ROOT, 'deploy/proxies', file), 'utf8')
    .replace('127.0.0.1:3002', `127.0.0.1:${ports[0]}`)
    .replace('127.0.0.1:3003', `127.0.0.1:${ports[1]}`);
}

/** @param {Place} place @returns {Proxy} */
function startCaddy(place) {
  const { port, folder } = place;
  const [, minor = '0'] = /v?2\.(\d+)/.exec(spawnSync('caddy', ['version'], { encoding: 'utf8' }).stdout) ?? [];
  const text = recipe('Caddyfile', place).replace('relay.example {', `http://127.0.0.1:${port} {`);
  const known = Number(minor) < 7 ? text.replace(/^\s*stream_close_delay.*\n/m, '') : text;
  const file = join(folder, 'Caddyfile');
  writeFileSync(file, `{\n\tadmin off\n}\n${known}`);
  const env = { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  return running(`ws://127.0.0.1:${port}`, start('caddy', ['run', '--adapter', 'caddyfile', '--config', file], env));
}

/** @param {Place} place @returns {Proxy} */
function startNginx(place) {
  const { port, folder } = place;
  const [key, certificate] = [join(folder, 'privkey.pem'), join(folder, 'fullchain.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const subject = ['-nodes', '-subj', '/CN=relay.example', '-days', '1', '-keyout', key, '-out', certificate];
  const made = spawnSync('openssl', ['req', '-x509', ...curve, ...subject], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  const text = recipe('nginx.conf', place)
    .replaceAll('/etc/ssl/relay', folder)
    .replace('/run/nginx-relay.pid', join(folder, 'pid'))
    .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`);
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, text);
  const args = ['-c', file, '-e', join(folder, 'error.log'), '-g', 'daemon off;'];
  return running(`wss://127.0.0.1:${port}`, start('nginx', args, { PATH: process.env.PATH }));
}

/** @type {(url: string, child: ReturnType<typeof start>) => Proxy} */
function running(url, child) {
  child.stdout.resume();
  child.stderr.resume();
  const stop = async () => {
    if (child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  };
  return { url, stop };
}

/** A classic client that comes back, as often as it must. */
class Visitor {
  /** @type {WebSocket | null} */
  socket = null;
  isIn = false;
  /** @type {number[]} */
  closes = [];
  lostAt = 0;
  /** @type {number[]} ms from the loss of a connection to the next sign-in */
  returns = [];
  /** @type {Set<string>} */
  delivered = new Set();
  #isDone = false;

  /** @param {string} url @param {string} address */
  constructor(url, address) {
    this.url = url;
    this.address = address;
  }

  connect() {
    if (this.#isDone) return;
    const socket = new WebSocket(this.url, { perMessageDeflate: false, rejectUnauthorized: false });
    this.socket = socket;
    socket.on('open', () => socket.send(JSON.stringify({ type: 'auth', address: this.address })));
    socket.on('message', (/** @type {Buffer} */ data) => this.#take(data.toString()));
    socket.on('error', () => undefined);
    socket.on('close', (code) => this.#closed(code));
  }

  /** @type {(to: string, messageId: string) => void} */
  send(to, messageId) {
    this.socket?.send(JSON.stringify({ type: 'message', to, content: 'x'.repeat(300), messageId }));
  }

  end() {
    this.#isDone = true;
    this.socket?.terminate();
  }

  /** @param {string} text */
  #take(text) {
    /** @type {unknown} */
    const parsed = JSON.parse(text);
    const { type, messageId = '' } = /** @type {{ type: string, messageId?: string }} */ (parsed);
    if (type === 'delivered') this.delivered.add(messageId);
    if (type !== 'auth_success') return;
    this.isIn = true;
    if (this.lostAt > 0) this.returns.push(Date.now() - this.lostAt);
    this.lostAt = 0;
  }

  /** @param {number} code */
  #closed(code) {
    if (this.#isDone) return;
    // Attempts that met nobody are no losses.
    if (this.isIn) this.closes.push(code);
    if (this.isIn) this.lostAt = Date.now();
    this.isIn = false;
    setTimeout(() => this.connect(), RETRY_MS);
  }
}

/** @type {(what: string, withinMs: number, condition: () => boolean | Promise<boolean>) => Promise<void>} */
async function until(what, withinMs, condition) {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs / 1000} s`);
    await sleep(50);
  }
}

/** @param {RelayNode} node */
async function connectionsOf(node) {
  const response = await globalThis.fetch(`${node.url.replace('ws', 'http')}/health`);
  /** @type {unknown} */
  const body = await response.json();
  return /** @type {{ connections: number }} */ (body).connections;
}

/** @type {(visitors: readonly Visitor[], round: string) => Promise<void>} */
async function sendAround(visitors, round) {
  visitors.forEach((visitor, i) => visitor.send(visitors[(i + 1) % visitors.length]?.address ?? '', `${round}-${i}`));
  const isTold = (/** @type {Visitor} */ visitor, /** @type {number} */ i) => visitor.delivered.has(`${round}-${i}`);
  await until(`messages ${round}`, ANSWER_WITHIN_MS, () => visitors.every(isTold));
}

/** @type {(name: string, proxy: Proxy, nodes: [RelayNode, RelayNode]) => Promise<string[]>} */
async function visit(name, proxy, [first, second]) {
  /** @type {string[]} */
  const found = [];
  const visitors = Array.from({ length: CLIENTS }, (_, i) => {
    return new Visitor(proxy.url, `0x${name === 'caddy' ? 'ca' : 'e1'}${(i + 1).toString(16).padStart(38, '0')}`);
  });
  const areIn = () => visitors.every(({ isIn }) => isIn);
  try {
    for (const visitor of visitors) {
      visitor.connect();
      await until('a client comes in', READY_WITHIN_MS, () => visitor.isIn);
    }
    const spread = [await connectionsOf(first), await connectionsOf(second)];
    if (spread.some((count) => count < FEWEST_ON_ONE)) throw new Error(`not spread: ${spread.join(' and ')}`);
    found.push(`spread ${spread.join(' and ')}`);
    await sendAround(visitors, 'before');
    await sleep(Number(values.idle) * 1000);
    const lost = visitors.filter(({ closes }) => closes.length > 0).length;
    if (lost > 0) throw new Error(`${lost} lost their connection in ${values.idle} s of silence`);
    found.push(`stayed ${values.idle} s in silence`);

    const onSecond = await connectionsOf(second);
    await first.stop('SIGKILL');
    const isNoticed = () => visitors.filter(({ closes }) => closes.length > 0).length === CLIENTS - onSecond;
    await until('those of the killed relay notice', BACK_WITHIN_MS, isNoticed);
    await until('they are back', BACK_WITHIN_MS, areIn);
    if ((await connectionsOf(second)) !== CLIENTS) throw new Error('not all are on the other');
    const returns = visitors.flatMap((visitor) => visitor.returns).sort((a, b) => a - b);
    found.push(`${returns.length} of a killed relay moved within ${returns.at(-1)} ms, the other ${onSecond} stayed`);
    await sendAround(visitors, 'killed');

    await first.start();
    await until('it is used again', READY_WITHIN_MS, async () => isUsed(proxy, first));
    for (const visitor of visitors) visitor.closes = [];
    const stopped = await second.stop('SIGTERM');
    await until('all moved', BACK_WITHIN_MS, async () => areIn() && (await connectionsOf(first)) >= CLIENTS);
    const closes = [...new Set(visitors.flatMap((visitor) => visitor.closes))];
    if (stopped !== 'exit 0' || closes.some((code) => code !== 1012))
      throw new Error(`stop: ${stopped}, closes ${closes.join()}`);
    found.push('all of a stopped relay moved, closed with 1012 alone');
    await sendAround(visitors, 'stopped');
    await second.start();
  } finally {
    for (const visitor of visitors) visitor.end();
  }
  return found;
}

/** Whether one more connection comes to that relay. @type {(proxy: Proxy, node: RelayNode) => Promise<boolean>} */
async function isUsed(proxy, node) {
  const before = await connectionsOf(node);
  const visitor = new Visitor(proxy.url, `0x${'7'.repeat(40)}`);
  visitor.connect();
  await until('one more comes in', READY_WITHIN_MS, () => visitor.isIn);
  const isMore = (await connectionsOf(node)) > before;
  visitor.end();
  return isMore;
}

async function main() {
  const wanted = positionals.length > 0 ? positionals : Object.keys(PROXIES);
  const random = new Random(process.pid);
  const redis = new RedisProcess(await freePort(random));
  await redis.start();
  const env = { STORAGE: 'redis', REDIS_URL: redis.url, TRUST_PROXY: '127.0.0.1' };
  const main = join(ROOT, 'dist/main.js');
  /** @type {[number, number]} */
  const ports = [await freePort(random), await freePort(random)];
  /** @type {[RelayNode, RelayNode]} */
  const nodes = [new RelayNode({ main, port: ports[0], env }), new RelayNode({ main, port: ports[1], env })];
  await Promise.all(nodes.map((node) => node.start()));
  let failed = 0;
  for (const name of wanted) {
    const known = PROXIES[name];
    if (known === undefined) throw new Error(`no proxy is called ${name}: ${Object.keys(PROXIES).join(', ')}`);
    if (!known.has()) {
      process.stdout.write(`skip  ${name}: not installed here\n`);
      continue;
    }
    const place = {
      ports,
      port: await freePort(random),
      folder: temporary(mkdtempSync(join(tmpdir(), 'drill-proxy-'))),
    };
    const proxy = known.start(place);
    try {
      process.stdout.write(`ok    ${name}: ${(await visit(name, proxy, nodes)).join('; ')}\n`);
    } catch (error) {
      failed++;
      process.stdout.write(`FAIL  ${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    }
    await proxy.stop();
    await Promise.all(nodes.map((node) => node.start()));
  }
  await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
  await redis.kill();
  return failed === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (/** @type {unknown} */ error) => {
    process.stderr.write(`proxies: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  },
);
