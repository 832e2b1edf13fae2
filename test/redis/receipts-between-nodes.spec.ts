import type { Address } from '@relay/protocol';
import { Backplane } from '../../src/backplane/backplane.js';
import { bucketOf } from '../../src/redis/redis-key.redis.js';
import { addressOf, type ClassicClient } from '../support/classic-client.js';
import { Device } from '../support/device.js';
import type { ManualClock } from '../support/manual-clock.js';
import { openQueue } from '../support/redis-queue.js';
import { eventually, type RedisServer, usesRedis } from '../support/redis-server.js';
import type { RunningRelay } from '../support/relay.js';
import { startTwoNodes } from '../support/two-nodes.js';

const ALICE = addressOf(1);
const BOB = addressOf(2);
const CAROL = addressOf(3);
const LIMITS = { maxMessages: 1000, maxBytes: 1e9, senderShare: 1, overflow: 'reject' } as const;
const RULES = { retentionMs: 1e9, historyMs: 0, maxReceipts: 100, maxDevices: 10 };

/** Alice is on the left, Bob on the right. What came by the mailbox has an id. */
describe('a receipt between two nodes', () => {
  const shared = usesRedis();
  let redis: RedisServer;
  let clock: ManualClock;
  let prefix: string;
  let left: RunningRelay;
  let right: RunningRelay;

  beforeEach(async () => {
    redis = await shared;
    ({ clock, prefix, left, right } = await startTwoNodes(redis));
  });

  afterEach(async () => {
    await Promise.all([left.stop(), right.stop()]);
  });

  const nameOf = (node: RunningRelay): string => node.app.get(Backplane).node;
  const owed = async (): Promise<number> =>
    Number(await redis.command('HLEN', `${prefix}out:{${bucketOf(BOB as Address)}}`));
  const isOwed = () => eventually('it is owed', async () => (await owed()) === 1);
  const nothingIsOwed = () => eventually('nothing is owed', async () => (await owed()) === 0);
  const tellLeft = (letters: unknown[]) => right.app.get(Backplane).tell(nameOf(left), 'r', JSON.stringify(letters));
  const bobsPhone = () => Device.open(right.wsUrl, BOB, 'phone', { acknowledges: false });

  const deliveredTo = (client: ClassicClient, messageId: string) =>
    client.ofType('delivered').filter((frame) => frame.messageId === messageId);

  /** Word that the left node hears and does nothing about: it is killed at that moment. */
  function loseLetters(): void {
    left.app.get(Backplane).listen('r', () => undefined);
  }

  /** Word that came to the left node is looked at later. */
  function holdLetters(): () => void {
    const backplane = left.app.get<unknown>(Backplane) as { heard(kind: string, ...rest: unknown[]): void };
    const heard = backplane.heard.bind(backplane);
    const letters: (() => void)[] = [];
    backplane.heard = (kind, ...rest) => {
      if (kind === 'r') letters.push(() => heard(kind, ...rest));
      else heard(kind, ...rest);
    };
    return () => letters.forEach((go) => go());
  }

  /** To whom the right node sends word. */
  function lettersOfTheRight(): string[] {
    const nodes: string[] = [];
    const backplane = right.app.get(Backplane);
    const tell = backplane.tell.bind(backplane);
    backplane.tell = (...letter) => {
      nodes.push(letter[0]);
      return tell(...letter);
    };
    return nodes;
  }

  it('goes straight to who waits for it, once, and is settled when it has arrived', async () => {
    const alice = await left.signIn(ALICE);
    const bob = await bobsPhone();
    alice.message(BOB, 'm1');
    alice.message(BOB, 'm2');
    const [, last] = await bob.client.waitForCount('message', 2);
    bob.ack(last!.id);
    await alice.waitFor('delivered', { messageId: 'm2' });
    await nothingIsOwed();
    await alice.settled();
    expect(alice.ofType('delivered')).toMatchObject([{ messageId: 'm1' }, { messageId: 'm2' }]);
    for (const frame of alice.ofType('delivered')) expect(frame).not.toHaveProperty('id');
    expect(alice.ofType('queued')).toEqual([]);
  });

  it('stays owed until its sender confirms that it came', async () => {
    const alice = await left.signIn(ALICE);
    const bob = await right.signIn(BOB);
    alice.socket.pause();
    alice.message(BOB, 'm1');
    await bob.waitFor('message');
    await isOwed();
    alice.kill();
    await eventually('she is gone', async () => {
      await right.run('look for missed mail');
      const reply = await fetch(`${right.url}/api/status/${ALICE}`);
      return !((await reply.json()) as { online: boolean }).online;
    });
    clock.advance(15_000);
    await right.run('pass on receipts');
    const back = await left.signIn(ALICE);
    expect(await back.waitFor('delivered', { messageId: 'm1' })).toHaveProperty('id');
    await nothingIsOwed();
  });

  it('is passed on by another when it is due, where the node of the sender ended in between', async () => {
    const alice = await left.signIn(ALICE);
    await right.signIn(BOB);
    loseLetters();
    alice.message(BOB, 'm1');
    await isOwed();
    await right.run('pass on receipts');
    expect(alice.ofType('delivered')).toEqual([]);
    clock.advance(15_000);
    await right.run('pass on receipts');
    expect(await alice.waitFor('delivered', { messageId: 'm1' })).toHaveProperty('id');
    await nothingIsOwed();
  });

  it('goes by the mailbox at once where the node that appended is gone, or of a version that knows no letters', async () => {
    const alice = await left.signIn(ALICE);
    await right.signIn(BOB);
    const older = await openQueue(redis, clock, RULES, prefix);
    // Its own channel is what it does not know.
    const { node } = older.backplane;
    older.backplane.close();
    await eventually('it listens no more', async () => !(await left.app.get(Backplane).tell(node, 'r', '[]')));
    const message = { from: ALICE as Address, messageId: 'm1', content: 'x', timestamp: 1, ttlMs: 1e6 };
    await older.queue.append(BOB as Address, message, LIMITS);
    expect(await alice.waitFor('delivered', { messageId: 'm1' })).toHaveProperty('id');
    await nothingIsOwed();
    await older.close();
  });

  it('goes by the mailbox where it comes after the answer', async () => {
    const alice = await left.signIn(ALICE);
    const bob = await bobsPhone();
    alice.message(BOB, 'm1');
    const { id } = await bob.client.waitFor('message');
    const letters = lettersOfTheRight();
    await eventually('queued', async () => {
      clock.advance(300);
      await left.run('answer sends');
      await alice.settled();
      return alice.ofType('queued').length === 1;
    });
    bob.ack(id);
    expect(await alice.waitFor('delivered', { messageId: 'm1' })).toHaveProperty('id');
    await nothingIsOwed();
    expect(deliveredTo(alice, 'm1')).toHaveLength(1);
    expect(letters).toEqual([]);
  });

  it('comes once to each device of a sender who has one on either node', async () => {
    const phone = await Device.open(left.wsUrl, ALICE, 'phone');
    const laptop = await Device.open(right.wsUrl, ALICE, 'laptop');
    await right.signIn(BOB);
    phone.client.message(BOB, 'm1');
    await phone.client.waitFor('delivered', { messageId: 'm1' });
    await laptop.client.waitFor('delivered', { messageId: 'm1' });
    await nothingIsOwed();
    for (const { client } of [phone, laptop]) {
      await client.settled();
      expect(deliveredTo(client, 'm1')).toHaveLength(1);
      expect(client.ofType('queued')).toEqual([]);
    }
  });

  it('comes to the device that is away, too, when it is back', async () => {
    const laptop = await Device.open(left.wsUrl, ALICE, 'laptop');
    const phone = await Device.open(left.wsUrl, ALICE, 'phone');
    await laptop.client.close();
    await right.signIn(BOB);
    phone.client.message(BOB, 'm1');
    await phone.client.waitFor('delivered', { messageId: 'm1' });
    await nothingIsOwed();
    const back = await Device.open(left.wsUrl, ALICE, 'laptop');
    await back.client.waitFor('delivered', { messageId: 'm1' });
  });

  it('finds a sender that meanwhile went over to the other node', async () => {
    const before = await left.signIn(ALICE);
    const bob = await bobsPhone();
    before.message(BOB, 'm1');
    const { id } = await bob.client.waitFor('message');
    await before.close();
    const alice = await right.signIn(ALICE);
    const letters = lettersOfTheRight();
    bob.ack(id);
    await alice.waitFor('delivered', { messageId: 'm1' });
    await nothingIsOwed();
    await alice.settled();
    expect(deliveredTo(alice, 'm1')).toHaveLength(1);
    expect(letters).toEqual([]);
  });

  it('comes before `read`, also where word of it comes after', async () => {
    const alice = await left.signIn(ALICE);
    const bob = await bobsPhone();
    const goOn = holdLetters();
    alice.message(BOB, 'm1');
    const { id } = await bob.client.waitFor('message');
    bob.ack(id);
    await isOwed();
    bob.client.send({ type: 'read_receipt', to: ALICE, messageId: 'm1' });
    await alice.waitFor('read', { messageId: 'm1' });
    goOn();
    await nothingIsOwed();
    await alice.settled();
    const told = alice.frames.filter((frame) => frame.messageId === 'm1').map(({ type }) => type);
    expect(told).toEqual(['delivered', 'read']);
  });

  it('turns no tick back where the sender goes over while word of it is on its way', async () => {
    const before = await Device.open(left.wsUrl, ALICE, 'phone');
    const bob = await bobsPhone();
    const goOn = holdLetters();
    before.client.message(BOB, 'm1');
    const { id } = await bob.client.waitFor('message');
    bob.ack(id);
    await isOwed();
    await before.client.close();
    const { client: alice } = await Device.open(right.wsUrl, ALICE, 'phone');
    bob.client.send({ type: 'read_receipt', to: ALICE, messageId: 'm1' });
    await alice.waitFor('read', { messageId: 'm1' });
    goOn();
    await nothingIsOwed();
    await alice.settled();
    await alice.close();
    const again = await Device.open(right.wsUrl, ALICE, 'phone');
    await again.synced();
    expect([...deliveredTo(alice, 'm1'), ...deliveredTo(again.client, 'm1')]).toEqual([]);
  });

  it('is understood beside what nobody understands', async () => {
    const alice = await left.signIn(ALICE);
    const bob = await bobsPhone();
    alice.message(BOB, 'm1');
    await bob.client.waitFor('message');
    const letter = { mailbox: BOB, messages: [{ from: ALICE, messageId: 'm1' }], owed: null };
    const strange = [null, {}, { ...letter, owed: 7 }, { ...letter, messages: [{}] }];
    await tellLeft([...strange, letter]);
    await alice.waitFor('delivered', { messageId: 'm1' });
    expect(alice.ofType('delivered')).toHaveLength(1);
  });

  it('goes by the mailbox from a node on whose way out the sender still is', async () => {
    const alice = await left.signIn(ALICE);
    const bob = await bobsPhone();
    alice.message(BOB, 'm1');
    const { id } = await bob.client.waitFor('message');
    left.app.get(Backplane).endHearing();
    await eventually('it hears no more', async () => !(await tellLeft([])));
    bob.ack(id);
    expect(await alice.waitFor('delivered', { messageId: 'm1' })).toHaveProperty('id');
    await nothingIsOwed();
  });

  it('turns no tick back, however late it comes to a sender that connected again', async () => {
    const before = await left.signIn(ALICE);
    const bob = await bobsPhone();
    const goOn = holdLetters();
    before.message(BOB, 'm1');
    const { id } = await bob.client.waitFor('message');
    bob.ack(id);
    await isOwed();
    bob.client.send({ type: 'read_receipt', to: ALICE, messageId: 'm1' });
    await before.waitFor('read', { messageId: 'm1' });
    await before.settled();
    await before.close();
    const alice = await left.signIn(ALICE);
    goOn();
    await nothingIsOwed();
    await alice.settled();
    expect(deliveredTo(alice, 'm1')).toEqual([]);
  });

  it('of one acknowledgement for senders on both nodes is settled for each of them', async () => {
    const alice = await left.signIn(ALICE);
    const carol = await right.signIn(CAROL);
    const bob = await bobsPhone();
    loseLetters();
    alice.message(BOB, 'of-alice');
    await bob.client.waitForCount('message', 1);
    carol.message(BOB, 'of-carol');
    const [, last] = await bob.client.waitForCount('message', 2);
    bob.ack(last!.id);
    await carol.waitFor('delivered', { messageId: 'of-carol' });
    // What is hers is settled; that of Alice went to a node that ended.
    await eventually('one is owed', async () => (await owed()) === 1);
    clock.advance(15_000);
    await right.run('pass on receipts');
    await alice.waitFor('delivered', { messageId: 'of-alice' });
    await nothingIsOwed();
    await carol.settled();
    expect(carol.ofType('delivered')).toHaveLength(1);
  });

  it('is one message of many to the node', async () => {
    const alice = await left.signIn(ALICE);
    const bob = await bobsPhone();
    const letters = lettersOfTheRight();
    for (let i = 0; i < 20; i++) alice.message(BOB, `m${i}`);
    const all = await bob.client.waitForCount('message', 20);
    bob.ack(all.at(-1)!.id);
    await alice.waitForCount('delivered', 20);
    expect(letters).toEqual([nameOf(left)]);
  });
});
