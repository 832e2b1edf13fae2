import { BUCKETS } from '../../src/redis/redis-key.redis.js';
import { RedisCluster, usesRedis } from '../support/redis-server.js';
import { ManualClock } from '../support/manual-clock.js';
import { openQueue } from '../support/redis-queue.js';
import { CONTRACT, queueContract } from './queue.contract.js';

const redis = usesRedis();

queueContract('redis', async (options) => {
  const clock = new ManualClock();
  const { queue, contacts, close } = await openQueue(await redis, clock, { ...CONTRACT, ...options });
  return { queue, contacts, clock, ledgerParts: BUCKETS, close };
});

describe('on a Cluster of three primaries', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await RedisCluster.start({ replicas: 0 });
  });

  afterAll(() => cluster.close());

  queueContract('redis cluster', async (options) => {
    const clock = new ManualClock();
    const [url = ''] = cluster.urls;
    const target = { url, clusterNodes: cluster.addresses };
    const { queue, contacts, close } = await openQueue(target, clock, { ...CONTRACT, ...options });
    return { queue, contacts, clock, ledgerParts: BUCKETS, close };
  });
});
