import { type Address, RelayError } from '@relay/protocol';
import type { EventEmitter } from 'node:events';
import type { Topic } from '../../src/backplane/backplane.js';
import { bucketOf } from '../../src/redis/redis-key.redis.js';
import { eventually, RedisServer } from '../support/redis-server.js';
import { BackplaneNode as Node, PREFIX } from '../support/backplane-node.js';

const address = (n: number) => `0x${n.toString(16).padStart(40, '0')}` as Address;
const ALICE = address(0xa11ce);
const BOB = address(0xb0b);

const channelOf = (topic: Topic, to: Address) =>
  `${PREFIX}${topic === 'mailbox' ? 'mb' : 'pr'}:{${bucketOf(to)}}:${to}`;

describe('the backplane on Redis', () => {
  let redis: RedisServer;
  let here: Node;
  let there: Node;

  /** How many nodes Redis counts there. */
  const countOf = async (topic: Topic, to: Address): Promise<number> => {
    const [, count] = (await redis.command('PUBSUB', 'SHARDNUMSUB', channelOf(topic, to))) as [string, number];
    return count;
  };
  const becomes = (count: number, to = ALICE) =>
    eventually(`${count} nodes`, async () => (await countOf('mailbox', to)) === count);

  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.close());

  beforeEach(async () => {
    [here, there] = await Promise.all([Node.start(redis.url), Node.start(redis.url)]);
  });
  afterEach(() => Promise.all([here.close(), there.close()]));

  it('names each node anew', () => {
    expect(here.backplane.node).toMatch(/^[\w-]{8}$/);
    expect(here.backplane.node).not.toBe(there.backplane.node);
  });

  it('is heard by the other nodes that joined, and not by the one that says it', async () => {
    await Promise.all([here.backplane.join('mailbox', ALICE), there.backplane.join('mailbox', ALICE)]);
    expect(await here.backplane.send('mailbox', ALICE, 'f', '{"type":"typing"} grüße')).toBe(1);
    await there.hears('grüße');
    expect(there.heard).toEqual([`f ${ALICE} {"type":"typing"} grüße`]);
    expect(here.heard).toEqual([]);
  });

  it('keeps topics and addresses apart, and says that nobody heard', async () => {
    await there.backplane.join('presence', ALICE);
    expect(await here.backplane.send('mailbox', ALICE, 'f', 'x')).toBe(0);
    expect(await here.backplane.send('presence', BOB, 'p', 'x')).toBe(0);
    expect(await here.backplane.send('presence', ALICE, 'p', 'online')).toBe(1);
    await there.hears('online');
    expect(there.heard).toEqual([`p ${ALICE} online`]);
  });

  it('tells one node alone, and says where there is none', async () => {
    const third = await Node.start(redis.url);
    try {
      expect(await here.backplane.tell(there.backplane.node, 'f', 'for there')).toBe(true);
      await there.hears('for there');
      expect(there.heard).toEqual([`f ${there.backplane.node} for there`]);
      expect(third.heard).toEqual([]);
    } finally {
      await third.close();
    }
    await eventually('nobody is there', async () => !(await here.backplane.tell(third.backplane.node, 'f', 'x')));
  });

  it('is heard before ioredis takes it apart', async () => {
    const { subscribers } = there.backplane as unknown as { subscribers: Map<string, { redis: EventEmitter }> };
    const events: unknown[] = [];
    for (const subscriber of subscribers.values()) subscriber.redis.on('smessage', (event) => events.push(event));
    expect(subscribers.size).toBe(1);
    await here.backplane.tell(there.backplane.node, 'f', 'straight');
    await there.hears('straight');
    expect(events).toEqual([]);
  });

  it('says who it is that tells', async () => {
    const heard: string[] = [];
    there.backplane.listen('r', (_, payload, node) => heard.push(`${payload} of ${node}`));
    await here.backplane.tell(there.backplane.node, 'r', 'word');
    await eventually('it came', () => Promise.resolve(heard.length > 0));
    expect(heard).toEqual([`word of ${here.backplane.node}`]);
  });

  it('can be told again after subscriptions were lost', async () => {
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually('it is back', () => here.backplane.tell(there.backplane.node, 'f', 'again'));
    await there.hears('again');
  });

  it('hears what a script publishes in the same format, empty payloads included', async () => {
    await here.backplane.join('mailbox', ALICE);
    await redis.command('SPUBLISH', channelOf('mailbox', ALICE), 'otherXXX' + 'p');
    await redis.command('SPUBLISH', channelOf('mailbox', ALICE), 'otherXXX' + 'e1-1 body');
    await here.hears('body');
    expect(here.heard).toEqual([`p ${ALICE} `, `e ${ALICE} 1-1 body`]);
  });

  it('is not ended by what makes no sense, nor by a listener that fails', async () => {
    here.backplane.listen('d', () => {
      throw new Error('a bug');
    });
    await here.backplane.join('mailbox', ALICE);
    for (const text of ['', 'x', 'otherXXX', 'otherXXXd', 'otherXXX?y', 'otherXXXfok']) {
      await redis.command('SPUBLISH', channelOf('mailbox', ALICE), text);
    }
    await here.hears('ok');
  });

  it('counts joins, and tells whether Redis counts this node', async () => {
    expect(here.backplane.isJoined('mailbox', ALICE)).toBe(false);
    const first = here.backplane.join('mailbox', ALICE);
    expect(here.backplane.isJoined('mailbox', ALICE)).toBe(false);
    await Promise.all([first, here.backplane.join('mailbox', ALICE)]);
    expect(here.backplane.isJoined('mailbox', ALICE)).toBe(true);
    here.backplane.leave('mailbox', ALICE);
    await here.backplane.join('mailbox', BOB);
    expect(await countOf('mailbox', ALICE)).toBe(1);
    here.backplane.leave('mailbox', ALICE);
    await becomes(0);
    expect(here.backplane.isJoined('mailbox', ALICE)).toBe(false);
    here.backplane.leave('mailbox', ALICE);
    expect(await there.backplane.send('mailbox', ALICE, 'f', 'x')).toBe(0);
  });

  it.each([
    ['join leave', 0],
    ['join leave join', 1],
    ['join | leave join', 1],
    ['join | leave | join', 1],
    ['join | leave | join leave', 0],
    ['join join leave | leave join | leave', 0],
    ['join | leave | join | leave | join', 1],
  ])('ends as it was last wanted: %s (| is the next turn)', async (wishes, expected) => {
    const joins: Promise<void>[] = [];
    for (const wish of wishes.split(' ')) {
      if (wish === 'join') joins.push(here.backplane.join('mailbox', ALICE));
      else if (wish === 'leave') here.backplane.leave('mailbox', ALICE);
      else await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(joins);
    // In order after whatever was sent before.
    await here.backplane.join('mailbox', BOB);
    expect(await countOf('mailbox', ALICE)).toBe(expected);
    expect(here.backplane.isJoined('mailbox', ALICE)).toBe(expected === 1);
  });

  it('joins 5 000 at once, in few commands', async () => {
    const before = Number(await redis.info('total_commands_processed'));
    await Promise.all(Array.from({ length: 5000 }, (_, i) => here.backplane.join('mailbox', address(i))));
    expect(Number(await redis.info('total_commands_processed')) - before).toBeLessThan(30);
    expect(await countOf('mailbox', address(4999))).toBe(1);
    expect(await there.backplane.send('mailbox', address(1234), 'f', 'x')).toBe(1);
    for (let i = 0; i < 5000; i++) here.backplane.leave('mailbox', address(i));
    await becomes(0, address(0));
    expect(await redis.command('PUBSUB', 'SHARDCHANNELS', 'test:mb:*')).toEqual([]);
  });

  it('is delayed only by subscriptions that are cut again and again', async () => {
    await there.backplane.join('mailbox', ALICE);
    for (let times = 1; times <= 3; times++) {
      const cut = redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      // While it is away, or not yet: it is joined in any case.
      await Promise.all([cut, there.backplane.join('mailbox', address(times))]);
      await there.isBack(times);
      expect(await here.backplane.send('mailbox', ALICE, 'f', `${times}`)).toBe(1);
      expect(await here.backplane.send('mailbox', address(times), 'f', `${times}`)).toBe(1);
      await there.hears(`${times}`);
    }
  });

  it('refuses to join while Redis is away, and has joined all the same when it is back', async () => {
    await there.backplane.join('mailbox', ALICE);
    await redis.kill();
    await eventually('the loss', () => Promise.resolve(!there.backplane.isJoined('mailbox', ALICE)));
    const refused = await Promise.allSettled([there.backplane.join('mailbox', BOB)]);
    expect(refused[0]).toMatchObject({ reason: expect.any(RelayError) as RelayError });
    await redis.restart();
    await there.isBack(1);
    expect(there.backplane.isJoined('mailbox', BOB)).toBe(true);
    await eventually('a connection for commands', async () => {
      return (await here.backplane.send('mailbox', BOB, 'f', 'x')) === 1;
    });
    await there.hears('x');
  });

  it('leaves nothing behind when it is closed, and answers who still waits', async () => {
    await here.backplane.join('mailbox', ALICE);
    const waiting = Promise.allSettled([here.backplane.join('mailbox', BOB)]);
    await here.close();
    expect(await waiting).toMatchObject([{ status: 'rejected' }]);
    await becomes(0);
  });

  it('says at the start that its user may not subscribe', async () => {
    await redis.command('ACL', 'SETUSER', 'mute', 'on', '>p', '~*', '+@all', 'resetchannels');
    await expect(Node.start(redis.url.replace('//', '//mute:p@'))).rejects.toMatchObject({
      exitCode: 78,
      reasons: [expect.stringContaining('SSUBSCRIBE')],
    });
  });
});
