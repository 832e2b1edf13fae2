import { randomBytes } from 'node:crypto';
import { RedisContactRepository } from '../../src/contacts/contact.repository.redis.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import { addressOf } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { RedisCluster, sharedRedis, usesRedis } from '../support/redis-server.js';
import { contactContract } from './contact.contract.js';

void usesRedis();

const open = async (target: { url: string; clusterNodes?: readonly string[] }) => {
  const clock = new ManualClock();
  const prefix = `${randomBytes(4).toString('hex')}:`;
  const client = await RedisClient.connect({ clusterNodes: [], ...target }, prefix);
  return { contacts: new RedisContactRepository(client, clock), clock, client, close: () => client.close() };
};

contactContract('redis', async () => open({ url: (await sharedRedis()).url }));

describe('contacts in Redis', () => {
  it('leave nothing behind but a count of the bucket and what an address knows, and that for a year', async () => {
    const { contacts, client, close } = await open({ url: (await sharedRedis()).url });
    const [alice, bob] = [addressOf(1), addressOf(2)] as never[];
    await contacts.put('blocked', alice!, bob!);
    await contacts.remove('blocked', alice!, bob!);
    await contacts.know(alice!, [bob!]);
    const keys = (await client.command('KEYS', `${client.prefix}*`)) as string[];
    const names = keys.map((key) => key.slice(client.prefix.length, client.prefix.length + 3));
    expect(names.sort()).toEqual(['blv', 'kno']);
    const known = keys.find((key) => key.includes('kno:'))!;
    expect(Number(await client.command('PTTL', known))).toBeGreaterThan(364 * 24 * 3_600_000);
    await close();
  });
});

describe('on a Cluster of three primaries', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await RedisCluster.start({ replicas: 0 });
  });

  afterAll(() => cluster.close());

  contactContract('redis cluster', () => open({ url: cluster.urls[0] ?? '', clusterNodes: cluster.addresses }));
});
