import { randomBytes } from 'node:crypto';
import { RedisKeyRepository } from '../../src/keys/key.repository.redis.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import { ManualClock } from '../support/manual-clock.js';
import { sharedRedis, usesRedis } from '../support/redis-server.js';
import { keyContract } from './key.contract.js';

void usesRedis();

keyContract('redis', async () => {
  const clock = new ManualClock();
  const client = await RedisClient.connect((await sharedRedis()).url, `${randomBytes(4).toString('hex')}:`);
  return { keys: new RedisKeyRepository(client, clock), clock, close: () => client.close() };
});
