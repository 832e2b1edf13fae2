// @ts-check
/** The servers that are compared: how each is started and what it needs. */
import { cpus } from 'node:os';
import { brokerCommand, startBroker } from './broker.mjs';
import { freePort, onCore, redisCommand, startRedis } from './redis.mjs';
import { startProcess } from './server-process.mjs';

/** Limits out of the way: what is measured is the work of the relay, not its refusals. */
const RELAY_SETTINGS = {
  AUTH_MODE: 'open',
  LOG_LEVEL: 'warn',
  SEND_RATE_PER_SECOND: '1000000',
  SEND_BURST: '1000000',
  MAX_CONNECTIONS_PER_IP: '100000',
  SEND_RATE_PER_IP: '0',
  MAX_CONNECTIONS: '100000',
  // A sender may fill only a part of a mailbox, so the mailbox is larger than what it is to hold.
  MAX_OFFLINE_MESSAGES: '100000',
  MAX_QUEUE_BYTES: String(1 << 30),
};

/** As `npm start` starts it. */
const RELAY = { script: 'dist/main.js', flags: ['--max-semi-space-size=32'] };
const ROUTER = { script: 'bench/router.mjs', flags: [] };
const ON_REDIS = { ...RELAY_SETTINGS, STORAGE: 'redis' };
/** One core for Redis, one for the generator. */
const OTHER_CORES = 2;

/**
 * `script`: a server of Node; without, it is the broker. `redis`: with one of its own, which writes its file to disk that
 * often. `nodes`: so many of them, on that one Redis.
 * @typedef {{ title: string, short: string, script?: string, flags?: string[], settings?: Record<string, string>, redis?: import('./redis.mjs').Fsync, nodes?: number }} Server
 */

/** @param {number} nodes @returns {Server} */
function cluster(nodes) {
  const title = nodes === 1 ? 'one node' : `${nodes} nodes`;
  return { title, short: title, ...RELAY, settings: ON_REDIS, redis: 'everysec', nodes };
}

/** @type {Record<string, Server>} */
export const SERVERS = {
  router: { title: 'bare `ws` router, a write per frame', short: 'bare ws router', ...ROUTER, settings: {} },
  batched: {
    title: 'bare `ws` router, a write per turn',
    short: 'batched router',
    ...ROUTER,
    settings: { BATCH: '1' },
  },
  mqtt: { title: 'mosquitto, MQTT QoS 1, sessions kept', short: 'mosquitto' },
  relay: { title: 'the relay, in memory', short: 'relay, memory', ...RELAY, settings: RELAY_SETTINGS },
  everysec: {
    title: 'the relay, Redis `everysec`',
    short: 'relay, everysec',
    ...RELAY,
    settings: ON_REDIS,
    redis: 'everysec',
  },
  always: { title: 'the relay, Redis `always`', short: 'relay, always', ...RELAY, settings: ON_REDIS, redis: 'always' },
  nodes1: cluster(1),
  nodes2: cluster(2),
  nodes4: cluster(4),
};

/** Why it cannot run here, or null. @param {string} name */
export function missingFor(name) {
  const server = SERVERS[name];
  if (server === undefined) return `no server is called ${name}`;
  if (server.redis !== undefined && redisCommand() === undefined) return 'no redis-server 7.0 or newer is on the PATH';
  if (server.script === undefined && brokerCommand() === undefined) return 'no mosquitto is installed';
  return null;
}

/** Each node has a core to itself: else all share core 0, and what they could do together must be computed. @param {number} nodes */
export function hasCoresFor(nodes) {
  return cpus().length >= nodes + OTHER_CORES;
}

/** @typedef {{ url: string, urls: string[], pid: number, pids: number[], redisPid?: number, redis?: import('ioredis').Redis, output: () => string, stop: () => Promise<void> }} Running */

/**
 * @param {string} name @param {Record<string, string>} settings  on top of its own
 * @param {string[]} flags  for Node, on top of its own
 * @returns {Promise<Running>}
 */
export async function start(name, settings = {}, flags = []) {
  const server = SERVERS[name];
  if (server === undefined) throw new Error(`no server is called ${name}: ${Object.keys(SERVERS).join(', ')}`);
  if (server.script === undefined) return together([await startBroker()]);
  const own = { ...server, flags: [...(server.flags ?? []), ...flags] };
  if (server.redis === undefined) return together([await startNode(own, { name, settings, core: 0 })]);
  return startOnRedis(own, { name, settings, fsync: server.redis });
}

/** @type {(server: Server, how: { name: string, settings: Record<string, string>, fsync: import('./redis.mjs').Fsync }) => Promise<Running>} */
async function startOnRedis(server, { name, settings, fsync }) {
  const redis = await startRedis(fsync);
  const { nodes = 1 } = server;
  /** @type {import('./server-process.mjs').RunningProcess[]} */
  const all = [];
  const stop = async () => {
    await Promise.all(all.map((node) => node.stop()));
    await redis.stop();
  };
  try {
    for (let i = 0; i < nodes; i++) {
      const core = nodes > 1 && hasCoresFor(nodes) ? OTHER_CORES + i : 0;
      all.push(await startNode(server, { name, settings: { ...settings, REDIS_URL: redis.url }, core }));
    }
    return { ...together(all), redisPid: redis.pid, redis: redis.client, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @type {(server: Server, how: { name: string, settings: Record<string, string>, core: number }) => Promise<import('./server-process.mjs').RunningProcess>} */
async function startNode({ script = '', flags = [], settings: own }, { name, settings, core }) {
  const port = await freePort();
  const command = [...onCore(core), process.execPath, ...flags, script];
  const env = { NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port), METRICS_PORT: '0', ...own, ...settings };
  return startProcess({ name, url: `ws://127.0.0.1:${port}/`, command, env });
}

/** @param {import('./server-process.mjs').RunningProcess[]} all @returns {Running} */
function together(all) {
  const [first] = all;
  if (first === undefined) throw new Error('nothing was started');
  return {
    ...first,
    urls: all.map(({ url }) => url),
    pids: all.map(({ pid }) => pid),
    output: () => all.map((one) => one.output()).join('\n'),
  };
}
