import { randomBytes } from 'node:crypto';
import { RedisSignInLinkRepository } from '../../src/auth/sign-in-link.repository.redis.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import { ManualClock } from '../support/manual-clock.js';
import { sharedRedis, usesRedis } from '../support/redis-server.js';
import { signInLinkContract } from './sign-in-link.contract.js';

void usesRedis();

async function connect(prefix: string): Promise<RedisClient> {
  return RedisClient.connect((await sharedRedis()).url, prefix);
}

signInLinkContract('redis', async () => {
  const clock = new ManualClock();
  const prefix = `${randomBytes(4).toString('hex')}:`;
  const clients = await Promise.all([connect(prefix), connect(prefix), connect(prefix)]);
  return {
    nodes: clients.map((client) => new RedisSignInLinkRepository(client, clock)),
    clock,
    close: async () => void (await Promise.all(clients.map((client) => client.close()))),
  };
});

describe('sign-in links in Redis', () => {
  it('have no token in their keys or values, and go away by themselves', async () => {
    const redis = await sharedRedis();
    const prefix = `${randomBytes(4).toString('hex')}:`;
    const client = await connect(prefix);
    try {
      const links = new RedisSignInLinkRepository(client, new ManualClock());
      await links.begin('the-token', `0x${'a'.repeat(40)}` as never, 'nonce', 50_000);
      const [key = ''] = (await redis.command('KEYS', `${prefix}*`)) as string[];
      expect(key + String(await redis.command('GET', key))).not.toContain('the-token');
      expect(Number(await redis.command('PTTL', key))).toBeGreaterThan(40_000);
      await links.prove('the-token', 'nonce', 90_000);
      expect(Number(await redis.command('PTTL', key))).toBeGreaterThan(80_000);
    } finally {
      await client.close();
    }
  });

  it('that somebody damaged are none, and may begin anew', async () => {
    const redis = await sharedRedis();
    const prefix = `${randomBytes(4).toString('hex')}:`;
    const client = await connect(prefix);
    try {
      const links = new RedisSignInLinkRepository(client, new ManualClock());
      const begin = () => links.begin('token', `0x${'a'.repeat(40)}` as never, 'nonce', 50_000);
      await begin();
      const [key = ''] = (await redis.command('KEYS', `${prefix}*`)) as string[];
      await redis.command('SET', key, 'nonsense');
      expect(await links.find('token')).toBeNull();
      expect(await links.take('token')).toBeNull();
      expect(await begin()).toBe(true);
    } finally {
      await client.close();
    }
  });
});
