import type { Address } from '@relay/protocol';
import { randomBytes } from 'node:crypto';
import { MemoryRateLimits } from '../../src/limits/rate-limits.memory.js';
import { RedisRateLimits } from '../../src/limits/rate-limits.redis.js';
import { SignInLimits } from '../../src/limits/sign-in-limits.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import { addressOf } from '../support/classic-client.js';
import { call } from '../support/http-call.js';
import { RedisServer, usesRedis } from '../support/redis-server.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const ALICE = addressOf(1) as Address;
const LIMIT = { name: 'test', points: 3, windowMs: 60_000, whenDown: 'closed' } as const;

describe('limits of several nodes', () => {
  const shared = usesRedis();
  let redis: RedisServer;
  const clients: RedisClient[] = [];

  beforeAll(async () => {
    redis = await shared;
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });

  const node = async (prefix: string, url = redis.url): Promise<RedisRateLimits> => {
    const client = await RedisClient.connect(url, prefix);
    clients.push(client);
    return new RedisRateLimits(client);
  };
  const newPrefix = () => `${randomBytes(6).toString('hex')}:`;

  it('are one: what one took, another has not', async () => {
    const prefix = newPrefix();
    const [left, right] = await Promise.all([node(prefix), node(prefix)]);
    const [a, b] = [left.limiter(LIMIT), right.limiter(LIMIT)];
    expect(await a.take('ip')).toMatchObject({ isAllowed: true, limit: 3, remaining: 2 });
    expect(await b.take('ip')).toMatchObject({ isAllowed: true, remaining: 1 });
    expect(await a.look('ip')).toMatchObject({ isAllowed: true, remaining: 1 });
    expect(await a.take('ip')).toMatchObject({ isAllowed: true, remaining: 0 });
    const refused = await b.take('ip');
    expect(refused).toMatchObject({ isAllowed: false, remaining: 0 });
    expect(refused.resetMs).toBeGreaterThan(50_000);
    expect(refused.resetMs).toBeLessThanOrEqual(60_000);
    expect(await b.look('ip')).toMatchObject({ isAllowed: false });
    expect(await a.take('another')).toMatchObject({ isAllowed: true, remaining: 2 });
  });

  it('count REST requests together, and say when to come again', async () => {
    const prefix = newPrefix();
    await redis.command('SET', `${prefix}clock`, '1');
    const env = { STORAGE: 'redis', REDIS_URL: redis.url, REDIS_KEY_PREFIX: prefix, RATE_LIMIT_MAX_REQUESTS: '4' };
    const relays = await Promise.all([startRelay({ env }), startRelay({ env })]);
    try {
      const answers: Response[] = [];
      for (let i = 0; i < 6; i++) answers.push(await fetch(`${relays[i % 2]!.url}/api/messages/${ALICE}/queue-size`));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 429, 429]);
      expect(answers.map(({ headers }) => headers.get('ratelimit-remaining'))).toEqual(['3', '2', '1', '0', '0', '0']);
      const after = Number(answers[5]!.headers.get('retry-after'));
      expect(after).toBeGreaterThan(50);
      expect(after).toBeLessThanOrEqual(60);
    } finally {
      await Promise.all(relays.map((relay: RunningRelay) => relay.stop()));
    }
  });

  it.each(['memory', 'redis'])('of one name count together: %s', async (storage) => {
    const limits = storage === 'memory' ? new MemoryRateLimits() : await node(newPrefix());
    const [open, closed] = (['local', 'closed'] as const).map((whenDown) =>
      limits.limiter({ name: 'rest', points: 2, windowMs: 60_000, whenDown }),
    );
    expect(await open!.take('ip')).toMatchObject({ isAllowed: true });
    expect(await closed!.take('ip')).toMatchObject({ isAllowed: true });
    expect(await open!.take('ip')).toMatchObject({ isAllowed: false });
  });

  describe('of wrong proofs', () => {
    it.each(['memory', 'redis'])('keep a network apart, and an address within it: %s', async (storage) => {
      const limits = new SignInLimits(storage === 'memory' ? new MemoryRateLimits() : await node(newPrefix()));
      expect(await limits.mayTry('ip', ALICE)).toBe(0);
      for (let i = 0; i < 10; i++) await limits.failed('ip', ALICE);
      expect(await limits.mayTry('ip', ALICE)).toBeGreaterThan(50_000);
      expect(await limits.mayTry('ip')).toBe(0);
      expect(await limits.mayTry('elsewhere', ALICE)).toBe(0);
      for (let i = 0; i < 50; i++) await limits.failed('ip');
      expect(await limits.mayTry('ip')).toBeGreaterThan(50_000);
      expect(await limits.mayTry('elsewhere')).toBe(0);
    });
  });

  it('without their store keep calls out that are an operator’s or change who one is, however their paths are written', async () => {
    const own = await RedisServer.start();
    const env = { STORAGE: 'redis', REDIS_URL: own.url, BROWSER_SIGN_IN: 'true' };
    const relay = await startRelay({ env });
    try {
      await own.kill();
      const isCounted = async (path: string) => {
        const { status, headers } = await call(relay.port, { path });
        return [
          path,
          status === 503 && headers['ratelimit-limit'] === undefined ? 'closed' : headers['ratelimit-limit'],
        ];
      };
      const closed = [
        '/api/public-keys/x',
        '/api/devices',
        '/api/messages/stats/all',
        '/api/status/online/all',
        '/auth/v1/session',
      ];
      for (const path of closed) {
        for (const spelled of [path, `${path}/`, path.toUpperCase()]) {
          expect(await isCounted(spelled)).toEqual([spelled, 'closed']);
        }
      }
      for (const path of [
        `/api/status/${ALICE}`,
        '/api/messages/stats',
        '/api/nowhere/public-keys',
        '/auth/v1/start',
        '/auth/v1/callback',
      ]) {
        expect(await isCounted(path)).toEqual([path, '1000000']);
      }
    } finally {
      await relay.stop();
      await own.close();
    }
  });

  it('without their store are closed, or open within what one node counts, as each was made', async () => {
    const own = await RedisServer.start();
    try {
      const limits = await node(newPrefix(), own.url);
      const closed = limits.limiter(LIMIT);
      const local = limits.limiter({ ...LIMIT, whenDown: 'local' });
      const signIns = new SignInLimits(limits);
      await own.kill();
      await expect(closed.take('ip')).rejects.toMatchObject({ code: 'store_unavailable' });
      await expect(signIns.mayTry('ip')).rejects.toMatchObject({ code: 'store_unavailable' });
      for (let i = 0; i < 3; i++) expect(await local.take('ip')).toMatchObject({ isAllowed: true });
      expect(await local.take('ip')).toMatchObject({ isAllowed: false });
    } finally {
      await own.close();
    }
  });
});
