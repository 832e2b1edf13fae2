import { usesRedis } from '../support/redis-server.js';
import { ManualClock } from '../support/manual-clock.js';
import { openQueue } from '../support/redis-queue.js';
import { CONTRACT, queueContract } from './queue.contract.js';

const redis = usesRedis();

queueContract('redis', async (options) => {
  const clock = new ManualClock();
  const { queue, close } = await openQueue(await redis, clock, { ...CONTRACT, ...options });
  return { queue, clock, close };
});
