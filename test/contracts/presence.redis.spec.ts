import { randomBytes } from 'node:crypto';
import { RedisPresenceRepository } from '../../src/presence/presence.repository.redis.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import { ManualClock } from '../support/manual-clock.js';
import { sharedRedis, usesRedis } from '../support/redis-server.js';
import { LAST_SEEN_MS, presenceContract } from './presence.contract.js';

void usesRedis();

presenceContract('redis', async () => {
  const clock = new ManualClock();
  const client = await RedisClient.connect((await sharedRedis()).url, `${randomBytes(4).toString('hex')}:`);
  const presence = new RedisPresenceRepository({ client, clock, node: 'node', lastSeenMs: LAST_SEEN_MS });
  return { presence, clock, close: () => client.close() };
});
