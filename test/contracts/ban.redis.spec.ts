import type { Address } from '@relay/protocol';
import { randomBytes } from 'node:crypto';
import { RedisBanRepository } from '../../src/bans/ban.repository.redis.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import { addressOf } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { sharedRedis, usesRedis } from '../support/redis-server.js';
import { banContract } from './ban.contract.js';

void usesRedis();

const open = async () => {
  const clock = new ManualClock();
  const client = await RedisClient.connect((await sharedRedis()).url, `${randomBytes(4).toString('hex')}:`);
  return { bans: new RedisBanRepository(client, clock), clock, client, close: () => client.close() };
};

banContract('redis', open);

describe('bans in Redis', () => {
  it('that somebody wrote by hand and cannot be read ban nobody, and keep no other from counting', async () => {
    const { bans, client, close } = await open();
    await bans.put(addressOf(1) as Address, '');
    await client.command('HSET', `${client.prefix}ban`, 'everybody', '1 x', addressOf(2), 'not a time', 'mark', 'x');
    expect([...(await bans.since(null))!.bans.keys()]).toEqual([addressOf(1)]);
    await close();
  });
});
