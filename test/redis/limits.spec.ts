import { type Address, RelayError } from '@relay/protocol';
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
const BOB = addressOf(2) as Address;
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

  it.each(['memory', 'redis'])('take back what was given back, and no more than was taken: %s', async (storage) => {
    const limits = storage === 'memory' ? new MemoryRateLimits() : await node(newPrefix());
    const limiter = limits.limiter({ ...LIMIT, isReturned: true });
    // As of a window that is over.
    await limiter.giveBack('ip', 2);
    for (let i = 0; i < 3; i++) expect(await limiter.take('ip')).toMatchObject({ isAllowed: true });
    expect(await limiter.take('ip')).toMatchObject({ isAllowed: false });
    await limiter.giveBack('ip', 2);
    expect(await limiter.look('ip')).toMatchObject({ isAllowed: true, remaining: 1 });
    expect(await limiter.take('ip')).toMatchObject({ isAllowed: true });
    expect(await limiter.take('ip')).toMatchObject({ isAllowed: false });
    await limiter.giveBack('ip', 100);
    for (let i = 0; i < 3; i++) expect(await limiter.take('ip')).toMatchObject({ isAllowed: true });
    expect(await limiter.take('ip')).toMatchObject({ isAllowed: false });
  });

  describe('of sign-ins', () => {
    const wrong = () => Promise.reject(new RelayError('auth_failed'));
    const right = () => Promise.resolve('right');
    const codes = (attempts: readonly Promise<unknown>[]): Promise<string[]> =>
      Promise.all(attempts.map((each) => each.then(String, (error: RelayError) => error.code)));
    const many = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));
    const looked = (all: readonly string[]): number => all.filter((code) => code !== 'rate_limited').length;
    const make = async (storage: string, firstPerHour = 0) =>
      new SignInLimits(storage === 'memory' ? new MemoryRateLimits() : await node(newPrefix()), firstPerHour);

    it.each(['memory', 'redis'])('keep a network apart, and an address within it: %s', async (storage) => {
      const limits = await make(storage);
      expect(await limits.mayTry('ip', ALICE)).toBe(0);
      await codes(many(10, () => limits.attempt('ip', ALICE, wrong)));
      expect(await limits.mayTry('ip', ALICE)).toBeGreaterThan(50_000);
      expect(await limits.mayTry('ip', BOB)).toBe(0);
      expect(await limits.mayTry('elsewhere', ALICE)).toBe(0);
      await codes(many(50, (i) => limits.attempt('ip', addressOf(i + 10) as Address, wrong)));
      expect(await limits.mayTry('ip', BOB)).toBeGreaterThan(50_000);
      expect(await limits.mayTry('elsewhere', BOB)).toBe(0);
    });

    it.each(['memory', 'redis'])('look at no more wrong proofs when they all come at once: %s', async (storage) => {
      const limits = await make(storage);
      expect(looked(await codes(many(100, () => limits.attempt('ip', ALICE, wrong))))).toBe(10);
      const attempts = many(200, (i) => limits.attempt('ip', addressOf(i + 10) as Address, wrong));
      expect(looked(await codes(attempts))).toBe(50);
    });

    it('look at no more of them when they come to several nodes at once', async () => {
      const prefix = newPrefix();
      const nodes = await Promise.all(many(3, () => node(prefix)));
      const limits = nodes.map((each) => new SignInLimits(each, 0));
      const attempts = many(150, (i) => limits[i % 3]!.attempt('ip', addressOf(i + 10) as Address, wrong));
      const all = await codes(attempts);
      expect(looked(all)).toBeLessThanOrEqual(60);
      // Of those that were looked at at that moment, some may have been refused for each other.
      expect(looked(all)).toBeGreaterThan(48);
    });

    it.each(['memory', 'redis'])(
      'keep nobody out who proves what they say, however many at once: %s',
      async (storage) => {
        const limits = await make(storage);
        const attempts = many(200, (i) => limits.attempt('ip', i % 2 === 0 ? ALICE : (addressOf(i) as Address), right));
        expect(await codes(attempts)).toEqual(many(200, () => 'right'));
        // Nor does it count that the relay did not look.
        const busy = () => Promise.reject(new RelayError('unavailable'));
        expect(new Set(await codes(many(100, () => limits.attempt('ip', ALICE, busy))))).toEqual(
          new Set(['unavailable']),
        );
        expect(looked(await codes(many(100, () => limits.attempt('ip', ALICE, wrong))))).toBe(10);
      },
    );

    it.each(['memory', 'redis'])('let so many addresses of a network begin in an hour: %s', async (storage) => {
      const limits = await make(storage, 3);
      const attempts = many(20, () => limits.begin('ip').then(() => 'begun'));
      expect(looked(await codes(attempts))).toBe(3);
      await expect(limits.begin('ip')).rejects.toMatchObject({
        details: { retryAfterMs: expect.any(Number) as number },
      });
      expect(await limits.mayBegin('ip')).toBeGreaterThan(3_500_000);
      expect(await limits.mayBegin('ip')).toBeLessThanOrEqual(3_600_000);
      expect(await limits.mayBegin('elsewhere')).toBe(0);
      await limits.begin('elsewhere');
      const unlimited = await make(storage, 0);
      await Promise.all(many(200, () => unlimited.begin('ip')));
    });

    it('count those who begin on all nodes together', async () => {
      const prefix = newPrefix();
      const [left, right] = (await Promise.all([node(prefix), node(prefix)])).map((each) => new SignInLimits(each, 2));
      await left!.begin('ip');
      await right!.begin('ip');
      await expect(left!.begin('ip')).rejects.toMatchObject({ code: 'rate_limited' });
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
      const signIns = new SignInLimits(limits, 1);
      await own.kill();
      await expect(closed.take('ip')).rejects.toMatchObject({ code: 'store_unavailable' });
      await expect(signIns.mayTry('ip', ALICE)).rejects.toMatchObject({ code: 'store_unavailable' });
      const attempt = signIns.attempt('ip', ALICE, () => Promise.resolve());
      await expect(attempt).rejects.toMatchObject({ code: 'store_unavailable' });
      await expect(signIns.begin('ip')).rejects.toMatchObject({ code: 'store_unavailable' });
      for (let i = 0; i < 3; i++) expect(await local.take('ip')).toMatchObject({ isAllowed: true });
      expect(await local.take('ip')).toMatchObject({ isAllowed: false });
    } finally {
      await own.close();
    }
  });
});
