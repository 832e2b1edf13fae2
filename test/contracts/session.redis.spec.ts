import { randomBytes } from 'node:crypto';
import { RedisSessionRepository } from '../../src/auth/session.repository.redis.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import type { RedisTarget } from '../../src/redis/redis-target.redis.js';
import { StoreClock } from '../../src/redis/store-clock.redis.js';
import { ManualClock } from '../support/manual-clock.js';
import { RedisCluster, usesRedis } from '../support/redis-server.js';
import { sessionContract, type SessionsUnderTest } from './session.contract.js';

const redis = usesRedis();

async function open(target: RedisTarget): Promise<SessionsUnderTest> {
  const clock = new ManualClock();
  const client = await RedisClient.connect(target, `${randomBytes(4).toString('hex')}:`);
  const sessions = new RedisSessionRepository(client, new StoreClock(clock, clock.now()));
  return { sessions, clock, close: () => client.close() };
}

sessionContract('redis', async () => open({ url: (await redis).url }));

describe('on a Cluster of three primaries', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await RedisCluster.start({ replicas: 0 });
  }, 30_000);

  afterAll(() => cluster.close());

  sessionContract('redis cluster', () => open({ url: cluster.urls[0] ?? '', clusterNodes: cluster.addresses }));
});
