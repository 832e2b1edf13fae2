// @ts-check
/** The servers that are compared: how each is started, when it is ready, how it ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort, onCore, startRedis } from './redis.mjs';
import { Client } from './websocket.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const READY_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 5_000;

/** Limits out of the way: what is measured is the work of the relay, not its refusals. */
const RELAY_SETTINGS = {
  AUTH_MODE: 'open',
  LOG_LEVEL: 'warn',
  SEND_RATE_PER_SECOND: '1000000',
  SEND_BURST: '1000000',
  MAX_CONNECTIONS_PER_IP: '100000',
  SEND_RATE_PER_IP: '0',
  MAX_CONNECTIONS: '100000',
};

/** As `npm start` starts it. */
const RELAY = { script: 'dist/main.js', flags: ['--max-semi-space-size=32'] };
const ROUTER = { script: 'bench/router.mjs', flags: [] };
const ON_REDIS = { ...RELAY_SETTINGS, STORAGE: 'redis' };

/**
 * `redis`: with one of its own, which writes its file to disk that often.
 * @typedef {{ title: string, script: string, flags: string[], settings: Record<string, string>, redis?: import('./redis.mjs').Fsync }} Server
 */

/** @type {Record<string, Server>} */
export const SERVERS = {
  router: { title: 'bare `ws` router, a write per frame', ...ROUTER, settings: {} },
  batched: { title: 'bare `ws` router, a write per turn', ...ROUTER, settings: { BATCH: '1' } },
  relay: { title: 'the relay, in memory', ...RELAY, settings: RELAY_SETTINGS },
  everysec: { title: 'the relay, Redis `everysec`', ...RELAY, settings: ON_REDIS, redis: 'everysec' },
  always: { title: 'the relay, Redis `always`', ...RELAY, settings: ON_REDIS, redis: 'always' },
};

/** @typedef {{ url: string, pid: number, redisPid?: number, output: () => string, stop: () => Promise<void> }} Running */

/**
 * @param {string} name @param {Record<string, string>} settings  on top of its own
 * @returns {Promise<Running>}
 */
export async function start(name, settings) {
  const server = SERVERS[name];
  if (server === undefined) throw new Error(`no server is called ${name}: ${Object.keys(SERVERS).join(', ')}`);
  if (server.redis === undefined) return startProcess(name, server, settings);
  const redis = await startRedis(server.redis);
  try {
    const running = await startProcess(name, server, { ...settings, REDIS_URL: redis.url });
    const stop = () => running.stop().finally(redis.stop);
    return { ...running, redisPid: redis.pid, stop };
  } catch (error) {
    await redis.stop();
    throw error;
  }
}

/**
 * @param {string} name @param {Server} server @param {Record<string, string>} settings
 * @returns {Promise<Running>}
 */
async function startProcess(name, server, settings) {
  const port = await freePort();
  const [command = '', ...args] = [...onCore(0), process.execPath, ...server.flags, server.script];
  const env = {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: String(port),
    METRICS_PORT: '0',
  };
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...env, ...server.settings, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => (output = (output + data).slice(-4000)));
  }
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill); // whatever ends us, no server of ours stays behind
  const exited = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    const killer = setTimeout(kill, STOP_WITHIN_MS);
    await exited;
    clearTimeout(killer);
    process.off('exit', kill);
  };
  const url = `ws://127.0.0.1:${port}/`;
  try {
    await Promise.race([ready(url), exited.then(() => Promise.reject(new Error('it ended')))]);
  } catch (error) {
    await stop();
    throw new Error(`${name} did not start: ${String(error)}\n${output}`, { cause: error });
  }
  return { url, pid: child.pid ?? 0, output: () => output, stop };
}

/** Ready means that somebody can sign in; no server tells us so from outside, hence the repeated attempts. @param {string} url */
async function ready(url) {
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    const client = new Client(new URL(url));
    try {
      await client.opened;
      await client.signIn(`0x${'b'.repeat(40)}`);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    } finally {
      client.close();
    }
    await sleep(50);
  }
}
