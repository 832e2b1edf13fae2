import type { Address } from '@relay/protocol';
import { randomBytes } from 'node:crypto';
import { RedisSignInLinkRepository } from '../../src/auth/sign-in-link.repository.redis.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RedisServer, sharedRedis, usesRedis } from '../support/redis-server.js';
import { signInLinkContract } from './sign-in-link.contract.js';

void usesRedis();

async function connect(prefix: string): Promise<RedisClient> {
  return RedisClient.connect((await sharedRedis()).url, prefix);
}

signInLinkContract('redis', async (maxLinks = 1000) => {
  const clock = new ManualClock();
  const prefix = `${randomBytes(4).toString('hex')}:`;
  const clients = await Promise.all([connect(prefix), connect(prefix), connect(prefix)]);
  return {
    nodes: clients.map((client) => new RedisSignInLinkRepository(client, clock, maxLinks)),
    clock,
    close: async () => void (await Promise.all(clients.map((client) => client.close()))),
  };
});

describe('sign-in links in Redis', () => {
  const ADDRESS = `0x${'a'.repeat(40)}` as Address;
  let redis: RedisServer;
  let client: RedisClient;
  let clock: ManualClock;
  let links: RedisSignInLinkRepository;

  beforeEach(async () => {
    redis = await sharedRedis();
    client = await connect(`${randomBytes(4).toString('hex')}:`);
    clock = new ManualClock();
    links = new RedisSignInLinkRepository(client, clock, 1000);
  });

  afterEach(() => client.close());

  const keys = async () => ((await redis.command('KEYS', `${client.prefix}*`)) as string[]).sort();
  const linksKey = () => `${client.prefix}lnk:{links}`;

  it('have no token in their keys or values, and go away by themselves', async () => {
    await links.begin('the-token', ADDRESS, 'nonce', 50_000);
    expect(await keys()).toEqual([linksKey(), `${linksKey()}:waiting`]);
    const held = [
      await redis.command('HGETALL', linksKey()),
      await redis.command('ZRANGE', `${linksKey()}:waiting`, '0', '-1'),
    ];
    expect(JSON.stringify(held)).not.toContain('the-token');
    for (const key of await keys()) expect(Number(await redis.command('PTTL', key))).toBeGreaterThan(40_000);
    await links.prove('the-token', 'nonce', 90_000);
    expect(await keys()).toEqual([linksKey(), `${linksKey()}:proven`]);
    for (const key of await keys()) expect(Number(await redis.command('PTTL', key))).toBeGreaterThan(80_000);
    await links.begin('another', ADDRESS, 'nonce', 50_000);
    expect(Number(await redis.command('PTTL', linksKey()))).toBeGreaterThan(80_000);
  });

  it('leave nothing behind, whichever way they end', async () => {
    for (const token of ['over', 'taken', 'dropped', 'proven and over'])
      await links.begin(token, ADDRESS, 'nonce', 1000);
    for (const token of ['taken', 'proven and over']) await links.prove(token, 'nonce', 1000);
    await links.take('taken');
    await links.drop('dropped');
    clock.advance(1000);
    await links.begin('last', ADDRESS, 'nonce', 1000);
    await links.prove('last', 'nonce', 1000);
    await links.take('last');
    expect(await keys()).toEqual([]);
  });

  it('that somebody damaged are none, and may begin anew', async () => {
    const begin = () => links.begin('token', ADDRESS, 'nonce', 50_000);
    await begin();
    const [field = ''] = (await redis.command('HKEYS', linksKey())) as string[];
    await redis.command('HSET', linksKey(), field, 'nonsense');
    expect(await links.find('token')).toBeNull();
    expect(await links.take('token')).toBeNull();
    expect(await begin()).toBe(true);
  });
});
