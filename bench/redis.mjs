// @ts-check
/** A Redis (or Valkey) of our own for one measurement: started with the settings of docker-compose.yml, `appendfsync` apart, ended and removed after it. */
import { Redis } from 'ioredis';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_WITHIN_MS = 10_000;
const STOP_WITHIN_MS = 5_000;

/** @typedef {'everysec' | 'always'} Fsync */
/** @typedef {{ url: string, port: number, pid: number, client: Redis, stop: () => Promise<void> }} RunningRedis */

/** The prefix that keeps a process on one core, or nothing where the system has no such core or tool. @param {number} core */
export function onCore(core) {
  const prefix = ['taskset', '-c', String(core)];
  return spawnSync('taskset', [...prefix.slice(1), 'true']).status === 0 ? prefix : [];
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

/** Its name, where one of version 7 or newer is on the PATH. */
export function redisCommand() {
  return ['redis-server', 'valkey-server'].find((command) => {
    const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
    return Number(/ v=(\d+)/.exec(stdout ?? '')?.[1] ?? 0) >= 7;
  });
}

/**
 * @param {Fsync} fsync
 * @returns {Promise<RunningRedis>}
 */
export async function startRedis(fsync) {
  const found = redisCommand();
  if (found === undefined) throw new Error('no redis-server 7.0 or newer is on the PATH');
  const folder = mkdtempSync(join(tmpdir(), 'relay-bench-'));
  const port = await freePort();
  const settings = {
    bind: '127.0.0.1',
    port: String(port),
    dir: folder,
    save: '',
    appendonly: 'yes',
    appendfsync: fsync,
    'stream-node-max-bytes': '512',
    'maxmemory-policy': 'noeviction',
    'auto-aof-rewrite-min-size': '256mb',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const [command = '', ...args] = [...onCore(1), found, ...flags];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => (output = (output + data).slice(-4000)));
  }
  const kill = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', kill); // whatever ends us, no Redis of ours and no gigabyte stays behind
  const exited = once(child, 'exit');
  const client = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: null, retryStrategy: () => 50 });
  client.on('error', () => undefined); // while it starts; a command that fails says so itself
  const stop = async () => {
    client.disconnect();
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
    await exited;
    clearTimeout(killer);
    process.off('exit', kill);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const ended = exited.then(() => Promise.reject(new Error('it ended')));
    const late = sleep(READY_WITHIN_MS).then(() => Promise.reject(new Error('it does not answer')));
    late.catch(() => undefined);
    await Promise.race([client.ping(), ended, late]);
    ended.catch(() => undefined);
  } catch (error) {
    await stop();
    throw new Error(`${found} did not start: ${String(error)}\n${output}`, { cause: error });
  }
  return { url: `redis://127.0.0.1:${port}`, port, pid: child.pid ?? 0, client, stop };
}

/** A number from INFO. @type {(client: Redis, section: string, field: string) => Promise<number>} */
export async function info(client, section, field) {
  const text = await client.info(section);
  return Number(new RegExp(`^${field}:([\\d.]+)`, 'm').exec(text)?.[1] ?? NaN);
}

/** What Redis itself says it has used, all threads, user and system. @param {Redis} client */
export async function redisCpuMicros(client) {
  const text = await client.info('cpu');
  const seconds = ['used_cpu_user', 'used_cpu_sys'].map((name) =>
    Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1] ?? NaN),
  );
  return seconds.reduce((sum, each) => sum + each, 0) * 1e6;
}

/** @typedef {{ command: string, calls: number, micros: number }} CommandCost */

/** What each command has cost since the last CONFIG RESETSTAT, the dearest first. @param {Redis} client @returns {Promise<CommandCost[]>} */
export async function commandCosts(client) {
  const text = await client.info('commandstats');
  const found = [...text.matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm)];
  return found
    .map(([, command = '', calls, micros]) => ({ command, calls: Number(calls), micros: Number(micros) }))
    .sort((a, b) => b.micros - a.micros);
}
