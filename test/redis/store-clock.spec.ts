import { RedisClient } from '../../src/redis/redis-client.redis.js';
import { StoreClock } from '../../src/redis/store-clock.redis.js';
import { ManualClock } from '../support/manual-clock.js';
import { eventually, usesRedis } from '../support/redis-server.js';

const HOUR_MS = 3_600_000;

describe('the clock of the store', () => {
  const starting = usesRedis();
  let client: RedisClient;
  let prefix = 0;

  beforeEach(async () => {
    client = await RedisClient.connect((await starting).url, `clock${++prefix}:`);
  });
  afterEach(() => client.close());

  const saved = async () => Number(await client.command('GET', `${client.prefix}clock`));
  const redisNow = async () => {
    const [seconds, microseconds] = (await client.command('TIME')) as [string, string];
    return Number(seconds) * 1000 + Number(microseconds) / 1000;
  };

  it('shows whole milliseconds since its start, whatever the wall clock does', () => {
    const clock = new ManualClock();
    const store = new StoreClock(clock, 1_000);
    expect(store.now()).toBe(1_000);
    clock.advance(1.7);
    expect(store.now()).toBe(1_001);
    clock.jump(30 * 24 * HOUR_MS);
    expect(store.now()).toBe(1_001);
  });

  it('begins where Redis is', async () => {
    const before = Math.floor(await redisNow());
    const store = await StoreClock.open(client, new ManualClock());
    expect(store.now()).toBeGreaterThanOrEqual(before);
    expect(store.now()).toBeLessThanOrEqual(await redisNow());
    expect(await saved()).toBe(store.now());
  });

  it('is not behind a node that was ahead', async () => {
    const ahead = Math.floor(await redisNow()) + HOUR_MS;
    await client.command('SET', `${client.prefix}clock`, ahead);
    expect((await StoreClock.open(client, new ManualClock())).now()).toBe(ahead);
  });

  it('leaves its time behind, at most once a minute, and never an earlier one', async () => {
    const clock = new ManualClock();
    const store = await StoreClock.open(client, clock);
    const start = await saved();
    clock.advance(59_999);
    store.now();
    expect(await saved()).toBe(start);
    clock.advance(1);
    expect(store.now()).toBe(start + 60_000);
    await eventually('the new time', async () => (await saved()) === start + 60_000);
    await client.command('SET', `${client.prefix}clock`, start + HOUR_MS);
    clock.advance(60_000);
    store.now();
    expect(await saved()).toBe(start + HOUR_MS);
  });
});
