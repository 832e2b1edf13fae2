import type { Address, RelayError } from '@relay/protocol';
import type { RedisClient, Script } from '../../src/redis/redis-client.redis.js';
import { slotOf } from '../../src/redis/redis-key.redis.js';
import { eventually, RedisCluster, RedisSentinels, type RedisServer } from '../support/redis-server.js';
import { BackplaneNode } from '../support/backplane-node.js';

const COUNT: Script = { name: 'count', lua: "return redis.call('INCR', KEYS[1])" };
const PEOPLE = Array.from({ length: 300 }, (_, i) => `0x${i.toString(16).padStart(40, '0')}` as Address);
/** A key in the slot of everything of that address. */
const keyOf = (address: Address) => `n:{${Number.parseInt(address.slice(-3), 16) % 1024}}`;
const backOf = (client: RedisClient) => new Promise<void>((resolve) => client.onReady(resolve));

describe('two nodes of a relay', () => {
  let here: BackplaneNode;
  let there: BackplaneNode;

  const isHeard = async (to: Address) => (await here.backplane.send('mailbox', to, 'f', to)) === 1;
  const areHeard = async () => (await Promise.all(PEOPLE.map(isHeard))).every(Boolean);

  afterEach(() => Promise.all([here.close(), there.close()]));

  it('follow Sentinels to another primary, with scripts and subscriptions', async () => {
    const sentinels = await RedisSentinels.start();
    const target = { url: 'redis://unused', sentinels: sentinels.sentinels };
    [here, there] = await Promise.all([BackplaneNode.start(target), BackplaneNode.start(target)]);
    try {
      await here.client.run(COUNT, ['n'], []);
      await Promise.all(PEOPLE.map((to) => there.backplane.join('mailbox', to)));
      const back = backOf(here.client);
      await sentinels.killPrimary();
      await back;
      expect(await here.client.command('ROLE')).toEqual(expect.arrayContaining(['master']));
      expect(await here.client.run(COUNT, ['m'], [])).toBe(1);
      await there.isBack(1);
      expect(await areHeard()).toBe(true);
      await there.hears(PEOPLE.at(-1)!);
    } finally {
      await sentinels.close();
    }
  });

  it('work in every slot of a Cluster, and follow a slot that moves and a primary that fails', async () => {
    const cluster = await RedisCluster.start();
    const target = { url: 'redis://unused', clusterNodes: cluster.addresses };
    [here, there] = await Promise.all([BackplaneNode.start(target), BackplaneNode.start(target)]);
    const { client } = here;
    const count = () => Promise.all(PEOPLE.map((to) => client.run(COUNT, [keyOf(to)], [])));
    try {
      expect(await count()).toEqual(PEOPLE.map(() => 1));
      for (const to of PEOPLE.slice(0, 10)) {
        const primary = await cluster.primaryOf(slotOf(keyOf(to)));
        expect(client.primaryOf(keyOf(to))).toBe(primary.address);
        expect(await client.commandBeside(keyOf(to), 'PUBSUB', 'SHARDNUMSUB', keyOf(to))).toEqual([keyOf(to), 0]);
      }
      expect(await client.commandEverywhere('PING')).toEqual(['PONG', 'PONG', 'PONG']);

      await Promise.all(PEOPLE.map((to) => there.backplane.join('mailbox', to)));
      expect(await areHeard()).toBe(true);
      // Each primary has its own connection, so there is no order between them.
      await eventually('all', () => Promise.resolve(new Set(there.heard).size === PEOPLE.length));

      const moved = PEOPLE[7]!;
      await moveSlot(cluster, slotOf(keyOf(moved)));
      await eventually('the moved one to be heard', () => isHeard(moved));
      await there.isBack(1);

      const back = backOf(client);
      await cluster.killPrimaryOf(slotOf(keyOf(PEOPLE[1]!)));
      const refused = await Promise.allSettled([client.run(COUNT, [keyOf(PEOPLE[1]!)], [])]);
      expect(refused[0]).toMatchObject({ reason: { code: 'store_unavailable' } satisfies Partial<RelayError> });
      await back;
      for (const value of await eventually('every slot', count)) expect(value).toBeGreaterThan(1);
      await eventually('all to be heard', areHeard);
      await there.isBack(2);
    } finally {
      await cluster.close();
    }
  });
});

/** With all that is in it. */
async function moveSlot(cluster: RedisCluster, slot: number): Promise<void> {
  const from = await cluster.primaryOf(slot);
  const to = cluster.nodes.slice(0, 3).find((node) => node !== from)!;
  const [toId, fromId] = (await Promise.all([to, from].map((node) => node.command('CLUSTER', 'MYID')))) as string[];
  const setSlot = (node: RedisServer, ...how: string[]) => node.command('CLUSTER', 'SETSLOT', String(slot), ...how);
  await setSlot(to, 'IMPORTING', fromId!);
  await setSlot(from, 'MIGRATING', toId!);
  const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', String(slot), '100')) as string[];
  await from.command('MIGRATE', '127.0.0.1', String(to.port), '', '0', '1000', 'KEYS', ...keys);
  for (const node of [to, from]) await setSlot(node, 'NODE', toId!);
}
