import { randomBytes } from 'node:crypto';
import { RedisBackplane } from '../../src/backplane/backplane.redis.js';
import { type RedisQueueOptions, RedisQueueRepository } from '../../src/queue/queue.repository.redis.js';
import { RedisContactRepository } from '../../src/contacts/contact.repository.redis.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import type { RedisTarget } from '../../src/redis/redis-target.redis.js';
import { StoreClock } from '../../src/redis/store-clock.redis.js';
import type { ManualClock } from './manual-clock.js';

export interface OpenQueue {
  readonly queue: RedisQueueRepository;
  readonly contacts: RedisContactRepository;
  readonly client: RedisClient;
  readonly backplane: RedisBackplane;
  close(): Promise<void>;
}

type Rules = Pick<RedisQueueOptions, 'retentionMs' | 'historyMs' | 'maxReceipts' | 'maxDevices'>;

/** A node's view of the mailboxes in a real Redis, under a prefix of its own unless one is given. */
export async function openQueue(
  redis: Pick<RedisTarget, 'url' | 'clusterNodes'>,
  clock: ManualClock,
  rules: Rules,
  // Whose parts look like the names of keys: scripts must not take them for those.
  prefix = `${randomBytes(6).toString('hex')}:mb:tot:`,
): Promise<OpenQueue> {
  const client = await RedisClient.connect({ url: redis.url, clusterNodes: redis.clusterNodes ?? [] }, prefix);
  const backplane = await RedisBackplane.open({ client });
  const storeClock = new StoreClock(clock, clock.now());
  const queue = new RedisQueueRepository({ client, backplane, clock: storeClock, ...rules, ledgerMaxAgeMs: 0 });
  const close = async (): Promise<void> => {
    backplane.close();
    await client.close();
  };
  return { queue, contacts: new RedisContactRepository(client, storeClock), client, backplane, close };
}
