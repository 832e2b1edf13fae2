import type { Address } from '@relay/protocol';
import { addressOf } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { openQueue } from '../support/redis-queue.js';
import { RedisCluster, sharedRedis, usesRedis } from '../support/redis-server.js';
import { bucketOf } from '../../src/redis/redis-key.redis.js';
import { mailboxSurveyContract } from './mailbox-survey.contract.js';

void usesRedis();

const RULES = { retentionMs: 3_600_000, historyMs: 0, maxReceipts: 100, maxDevices: 10 };

const open = async (redis: { url: string; clusterNodes?: readonly string[] }) => {
  const clock = new ManualClock();
  const opened = await openQueue({ clusterNodes: [], ...redis }, clock, RULES);
  return { ...opened, survey: opened.queue.survey(), clock };
};

mailboxSurveyContract('redis', async () => open({ url: (await sharedRedis()).url }));

describe('a survey of Redis', () => {
  it('passes over a state that cannot be read', async () => {
    const { survey, client, close } = await open({ url: (await sharedRedis()).url });
    const address = addressOf(1) as Address;
    const bucket = bucketOf(address);
    await client.command('ZADD', `${client.prefix}exp:{${bucket}}`, 1, address);
    for (const state of ['', '\u0001', 'nonsense']) {
      await client.command('HSET', `${client.prefix}st:{${bucket}}:${address}`, 's', state);
      expect(await survey.load(address)).toEqual({ address, messages: 0, bytes: 0, oldestAt: null });
    }
    await close();
  });
});

describe('on a Cluster of three primaries', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await RedisCluster.start({ replicas: 0 });
  });

  afterAll(() => cluster.close());

  mailboxSurveyContract('redis cluster', () => open({ url: cluster.urls[0] ?? '', clusterNodes: cluster.addresses }));
});
