import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RelayProcess, ROOT } from '../support/relay-process.js';
import { eventually, RedisServer } from '../support/redis-server.js';

const PASSWORD = 'hunter2';

/** The built relay, which is expected not to start. */
function startAndEnd(env: Record<string, string>): { status: number | null; stdout: string; stderr: string } {
  const fixed = { NODE_ENV: 'production', AUTH_MODE: 'open', HOST: '127.0.0.1', PORT: '0', METRICS_PORT: '0' };
  return spawnSync(process.execPath, [join(ROOT, 'dist/main.js')], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH, STORAGE: 'redis', REDIS_WAIT_SECONDS: '0', ...fixed, ...env },
    encoding: 'utf8',
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
}

describe('the built relay with Redis', () => {
  let redis: RedisServer;
  let directory: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'relay-redis-start-'));
    redis = await RedisServer.start({ password: PASSWORD });
  });
  afterAll(async () => {
    await redis.close();
    rmSync(directory, { recursive: true });
  });

  it.each([
    ['away', 69, () => ({ REDIS_URL: `redis://:${PASSWORD}@127.0.0.1:1` }), 'ECONNREFUSED'],
    ['protected by another password', 78, () => ({ REDIS_URL: `redis://:x${PASSWORD}@${redis.address}` }), 'password'],
    ['evicting', 78, () => ({ REDIS_URL: redis.url }), 'allkeys-lru'],
  ])('does not start with one that is %s, and says why without a stack', async (_, code, env, reason) => {
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    const { status, stdout, stderr } = startAndEnd(env());
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    expect(status).toBe(code);
    expect(stderr).toMatch(/^Cannot start:\n {2}- .*\n$/);
    expect(stderr).toContain(reason);
    expect(stdout).not.toContain('StartError');
    expect(stdout + stderr).not.toContain(PASSWORD);
  });

  it('gives up on one that accepts and says nothing', async () => {
    const silent: Server = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const { status, stderr } = startAndEnd({ REDIS_URL: `redis://127.0.0.1:${port}` });
    silent.close();
    expect(status).toBe(69);
    expect(stderr).toContain('does not answer');
  });

  it('is not ready while Redis is away, is ready again afterwards, and ends in order', async () => {
    writeFileSync(join(directory, 'url'), `${redis.url}\n`);
    const relay = await RelayProcess.start({ STORAGE: 'redis', REDIS_URL_FILE: join(directory, 'url') });
    const status = async () => (await fetch(`${relay.url}/health/ready`)).status;
    expect(await status()).toBe(200);
    await redis.kill();
    await eventually('not to be ready', async () => (await status()) === 503);
    await redis.restart();
    await eventually('to be ready', async () => (await status()) === 200);
    expect(await relay.stop()).toBe(0);
    const connected = await redis.command('CLIENT', 'LIST');
    expect(connected).not.toContain('name=relay');
  });
});
