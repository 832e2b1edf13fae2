import { type Address, RelayError } from '@relay/protocol';
import type { EntryId } from '../../src/queue/entry-id.js';
import type { MessageEntry, NewMessage } from '../../src/queue/queue.repository.js';
import { QueueService } from '../../src/queue/queue.service.js';
import { bucketOf } from '../../src/redis/redis-key.redis.js';
import { addressOf } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { ALICE, BOB, BOX, message, ROOMY, RULES, storeIn } from '../support/one-mailbox.js';
import { type OpenQueue, openQueue } from '../support/redis-queue.js';
import { eventually, type RedisServer, usesRedis } from '../support/redis-server.js';

/** What only Redis can get wrong: buckets, and nodes that take what is owed from each other; the rules are in the contract suite. */
describe('receipts that nobody passed on', () => {
  const shared = usesRedis();
  let redis: RedisServer;
  let clock: ManualClock;
  let node: OpenQueue;

  beforeEach(async () => {
    redis = await shared;
    clock = new ManualClock();
    node = await openQueue(redis, clock, RULES);
  });

  afterEach(() => node.close());

  const store = (messageId: string, more?: Partial<NewMessage>): Promise<MessageEntry> =>
    storeIn(node.queue, messageId, more);

  const acknowledge = (upTo: EntryId, messages: MessageEntry[]) =>
    node.queue.acknowledge(BOX, { device: 'phone', upTo, messages: [messages] });

  const tag = `{${bucketOf(BOX)}}`;

  it('are named again after a while: their node was killed between the acknowledgement and them', async () => {
    const entries = [await store('one'), await store('two', { from: BOB })];
    await acknowledge(entries[1]!.id, entries);
    expect(await node.queue.owed()).toEqual([]);
    clock.advance(15_000);
    const other = await openQueue(redis, clock, RULES, node.client.prefix);
    const found = await other.queue.owed();
    // Nobody else takes them meanwhile.
    expect(await node.queue.owed()).toEqual([]);
    const receipt = (messageId: string) => ({ kind: 'delivered', peer: BOX, messageId });
    expect(found.flatMap(({ receipts }) => receipts)).toMatchObject([
      { to: ALICE, receipt: receipt('one') },
      { to: BOB, receipt: receipt('two') },
    ]);
    // That node does not pass them on either.
    clock.advance(9_999);
    expect(await node.queue.owed()).toEqual([]);
    clock.advance(1);
    expect(await node.queue.owed()).toHaveLength(1);
    await node.queue.settle(found.map(({ owed }) => owed));
    clock.advance(60_000);
    expect(await node.queue.owed()).toEqual([]);
    await other.close();
  });

  /** Mailboxes whose buckets are asked in the same call, and one of a later call. */
  const together = [addressOf(10), addressOf(11)] as [Address, Address];
  const later = addressOf(200) as Address;

  async function owe(box: Address): Promise<void> {
    const appended = await node.queue.append(box, message('one'), ROOMY);
    if (appended.kind !== 'stored') throw new Error(appended.kind);
    const { entry } = appended;
    await node.queue.acknowledge(box, { device: 'phone', upTo: entry.id, messages: [[entry]] });
  }

  const peersOf = async (): Promise<Address[]> =>
    (await node.queue.owed()).flatMap(({ receipts }) => receipts.map(({ receipt }) => receipt.peer));

  it('are found behind those that nobody can pass on, though some of these are due each time', async () => {
    await owe(together[0]);
    await owe(later);
    clock.advance(5_000);
    await owe(together[1]);
    clock.advance(10_000);
    expect(await peersOf()).toEqual([together[0]]);
    clock.advance(5_000);
    expect(await peersOf()).toEqual([later]);
    expect(await peersOf()).toEqual([together[1]]);
  });

  it('are found beside and behind a bucket that does not answer', async () => {
    await owe(together[0]);
    await owe(later);
    clock.advance(15_000);
    await redis.command('SET', `${node.client.prefix}out:{${bucketOf(together[1])}}`, 'a string');
    expect(await peersOf()).toEqual([together[0]]);
    expect(await peersOf()).toEqual([later]);
    await expect(node.queue.owed()).rejects.toThrow();
    clock.advance(10_000);
    expect(await peersOf()).toEqual([later]);
  });

  it('are passed on but for those that cannot be, which are owed still', async () => {
    const boxes = Array.from({ length: 200 }, (_, i) => addressOf(100 + i) as Address);
    for (const box of boxes) await owe(box);
    clock.advance(15_000);
    const service = new QueueService(node.queue);
    const [bad, ...good] = boxes;
    const passedOn: Address[] = [];
    let isBad = true;
    service.observe({
      acknowledged: () => undefined,
      keepAfter: () => undefined,
      owed: (receipts) => {
        const { peer } = receipts[0]!.receipt;
        if (isBad && peer === bad) return Promise.reject(new RelayError('store_unavailable'));
        passedOn.push(peer);
        return Promise.resolve();
      },
    });
    await eventually('all others are passed on', async () => {
      await service.passOnOwed().catch(() => undefined);
      return passedOn.length === good.length;
    });
    expect(passedOn.sort()).toEqual(good.sort());
    isBad = false;
    clock.advance(10_000);
    await service.passOnOwed();
    expect(passedOn.slice(good.length)).toEqual([bad]);
    clock.advance(60_000);
    expect(await node.queue.owed()).toEqual([]);
  });

  it.each([
    ['one device', ['phone']],
    ['two devices', ['phone', 'laptop']],
  ])('are settled for each group by itself, with %s', async (_, devices) => {
    for (const device of devices) await node.queue.open(BOX, device);
    const one = await store('one');
    const two = await store('two', { from: BOB });
    const three = await store('three');
    const messages = [[one, three], [two]];
    const result = await node.queue.acknowledge(BOX, { device: 'phone', upTo: three.id, messages });
    const [first, second, ...more] = result.kind === 'acknowledged' ? result.owed : [];
    expect(more).toEqual([]);
    await node.queue.settle([first!]);
    clock.advance(15_000);
    expect(await node.queue.owed()).toMatchObject([
      { owed: second, receipts: [{ to: BOB, receipt: { kind: 'delivered', peer: BOX, messageId: 'two' } }] },
    ]);
    await node.queue.settle([second!]);
    clock.advance(60_000);
    expect(await node.queue.owed()).toEqual([]);
  });

  it('are found behind any number of others that are not due yet', async () => {
    const out = `${node.client.prefix}out:${tag}`;
    const item = (at: number) =>
      `${at} {"kind":"expired","at":1,"mailbox":"${BOX}","messages":[[1,"${ALICE}","${'x'.repeat(100)}"]]}`;
    for (let i = 0; i < 5000; i += 500) {
      const fields = Array.from({ length: 500 }, (_, j) => [`e${i + j}`, item(clock.now() + 1e9)]).flat();
      await redis.command('HSET', out, ...fields);
    }
    const due = Array.from({ length: 50 }, (_, i) => [`due${i}`, item(clock.now())]).flat();
    await redis.command('HSET', out, ...due);
    const found = new Set<string>();
    for (let round = 0; round < 60 && found.size < 50; round++) {
      const owed = await node.queue.owed();
      for (const one of owed) found.add(one.owed);
      await node.queue.settle(owed.map((one) => one.owed));
    }
    expect(found.size).toBe(50);
  });

  it('are not owed for what was silent, acknowledged before, or is known to be read', async () => {
    const entries = [
      await store('a'),
      await store('b', { ttlMs: 10 }),
      await store('c'),
      await store('d'),
      await store('e'),
    ];
    await node.queue.acknowledge(BOX, { device: 'laptop', upTo: entries[0]!.id });
    clock.advance(10);
    await node.queue.markRead(BOX, ALICE, 'c');
    await acknowledge(entries[4]!.id, entries);
    await node.queue.markRead(BOX, ALICE, 'd');
    clock.advance(15_000);
    const found = (await node.queue.owed()).flatMap(({ receipts }) => receipts.map(({ receipt }) => receipt));
    expect(found.filter(({ kind }) => kind === 'delivered').map(({ messageId }) => messageId)).toEqual(['e']);
    expect(
      found
        .filter(({ kind }) => kind === 'read')
        .map(({ messageId }) => messageId)
        .sort(),
    ).toEqual(['c', 'd']);
    expect(found.filter(({ kind }) => kind === 'expired').map(({ messageId }) => messageId)).toEqual(['b']);
  });
});
