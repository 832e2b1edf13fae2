import { addressOf, ClassicClient } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const ALICE = addressOf(1);
const BOB = addressOf(2);
const CAROL = addressOf(3);

/** What the first relay's unmodified clients rely on, and what they get from this one. */
describe('clients of the first relay', () => {
  let clock: ManualClock;
  let relay: RunningRelay;

  beforeEach(async () => {
    clock = new ManualClock();
    relay = await startRelay({ clock });
  });

  afterEach(() => relay.stop());

  /** More than a send may wait for its recipient passes. */
  async function verdictsAreDue(): Promise<void> {
    clock.advance(300);
    await relay.run('answer sends');
  }

  describe('signing in', () => {
    it('is answered before anything else, with the address in lower case', async () => {
      const bob = await relay.signIn(BOB);
      bob.message(ALICE, 'm1');
      await bob.waitFor('queued');
      const mixedCase = `0x${ALICE.slice(2).toUpperCase()}`;
      const alice = await ClassicClient.signIn(relay.wsUrl, mixedCase);
      await alice.waitFor('message');
      expect(alice.frames[0]).toEqual({ type: 'auth_success', address: ALICE, timestamp: clock.now() });
    });

    it('works on /ws and with a query as well', async () => {
      const alice = await ClassicClient.signIn(`${relay.wsUrl}/ws?token=ignored`, ALICE);
      expect(alice.ofType('auth_success')).toHaveLength(1);
    });

    it('twice on one connection is refused, and the connection stays', async () => {
      const alice = await relay.signIn(ALICE);
      alice.send({ type: 'auth', address: BOB });
      expect(await alice.waitFor('error')).toMatchObject({ code: 'bad_message' });
      alice.message(CAROL, 'm1');
      await alice.waitFor('queued');
    });

    it('handles what was sent along with the sign-in, after it and in order', async () => {
      const alice = await ClassicClient.connect(relay.wsUrl);
      alice.send({ type: 'auth', address: ALICE });
      for (let i = 1; i <= 50; i++) alice.message(BOB, `m${i}`);
      await alice.waitForCount('queued', 50);
      expect(alice.frames[0]).toMatchObject({ type: 'auth_success' });
      const bob = await relay.signIn(BOB);
      await bob.waitForCount('message', 50);
      expect(bob.messageIds).toEqual(Array.from({ length: 50 }, (_, i) => `m${i + 1}`));
    });
  });

  describe('a message', () => {
    it('reaches a connected recipient, and its sender hears delivered and nothing else', async () => {
      const [alice, bob] = [await relay.signIn(ALICE), await relay.signIn(BOB)];
      alice.message(BOB, 'm1', { content: 'secret', timestamp: 1_234 });
      expect(await bob.waitFor('message')).toEqual({
        type: 'message',
        from: ALICE,
        content: 'secret',
        messageId: 'm1',
        timestamp: 1_234,
        id: expect.any(String) as unknown,
      });
      expect(await alice.waitFor('delivered')).toEqual({
        type: 'delivered',
        messageId: 'm1',
        to: BOB,
        timestamp: clock.now(),
      });
      await verdictsAreDue();
      await alice.settled();
      expect(alice.ofType('queued')).toEqual([]);
    });

    it('to somebody offline is queued; it arrives after the sign-in, once, marked as queued, and then it is delivered', async () => {
      const alice = await relay.signIn(ALICE);
      for (const id of ['m1', 'm2', 'm3']) alice.message(BOB, id);
      await alice.waitForCount('queued', 3);
      expect(alice.ofType('delivered')).toEqual([]);
      const bob = await relay.signIn(BOB);
      const messages = await bob.waitForCount('message', 3);
      expect(messages.map(({ messageId, queued }) => [messageId, queued])).toEqual([
        ['m1', true],
        ['m2', true],
        ['m3', true],
      ]);
      expect((await alice.waitForCount('delivered', 3)).map(({ messageId }) => messageId)).toEqual(['m1', 'm2', 'm3']);
      await bob.close();
      const again = await relay.signIn(BOB);
      await again.settled();
      expect(again.messageIds).toEqual([]);
    });

    it('without a timestamp gets the relay’s; every timestamp is a JSON integer', async () => {
      const [alice, bob] = [await relay.signIn(ALICE), await relay.signIn(BOB)];
      alice.message(BOB, 'm1', { timestamp: undefined });
      expect((await bob.waitFor('message')).timestamp).toBe(clock.now());
      bob.send({ type: 'read_receipt', to: ALICE, messageId: 'm1' });
      await alice.waitFor('read');
      await alice.settled();
      for (const { timestamp } of [...alice.frames, ...bob.frames]) expect(Number.isInteger(timestamp)).toBe(true);
    });

    it('to oneself arrives', async () => {
      const alice = await relay.signIn(ALICE);
      alice.message(ALICE, 'note');
      await alice.waitFor('message', { messageId: 'note' });
      await alice.waitFor('delivered', { messageId: 'note' });
    });

    it('keeps whatever its content is made of', async () => {
      const [alice, bob] = [await relay.signIn(ALICE), await relay.signIn(BOB)];
      const contents = ['{"a":1}', 'ключ 🔑', '\u0000\n\t"\\', '\ud800', 'x'.repeat(100_000), '\u2028é'.repeat(60)];
      contents.forEach((content, i) => alice.message(BOB, `m${i}`, { content }));
      const messages = await bob.waitForCount('message', contents.length);
      expect(messages.map(({ content }) => content)).toEqual(contents);
    });

    it('sent again with the same id is stored once and gets the same kind of answer', async () => {
      const alice = await relay.signIn(ALICE);
      for (let i = 0; i < 50; i++) alice.message(BOB, 'm1');
      await alice.waitForCount('queued', 50);
      const bob = await relay.signIn(BOB);
      await bob.waitFor('message');
      await alice.waitFor('delivered');
      alice.message(BOB, 'm1');
      await alice.waitForCount('delivered', 2);
      await bob.settled();
      expect(bob.messageIds).toEqual(['m1']);
    });

    it('with a used id and other content is a conflict', async () => {
      const alice = await relay.signIn(ALICE);
      alice.message(BOB, 'm1');
      await alice.waitFor('queued');
      alice.message(BOB, 'm1', { content: 'other' });
      expect(await alice.waitFor('error')).toMatchObject({
        code: 'id_conflict',
        messageId: 'm1',
        outcome: 'refused',
        retryable: false,
      });
    });

    it('with a missing field is refused in the words that those clients know', async () => {
      const alice = await relay.signIn(ALICE);
      alice.send({ type: 'message', to: BOB, messageId: 'm1' });
      expect(await alice.waitFor('error')).toMatchObject({
        code: 'bad_message',
        message: 'Invalid message format',
        messageId: 'm1',
        outcome: 'refused',
      });
    });
  });

  describe('the smaller frames', () => {
    it('typing is passed on', async () => {
      const [alice, bob] = [await relay.signIn(ALICE), await relay.signIn(BOB)];
      alice.send({ type: 'typing', to: BOB, isTyping: true });
      expect(await bob.waitFor('typing')).toEqual({ type: 'typing', from: ALICE, isTyping: true });
    });

    it('signals are passed on, up to 16 KiB, and never stored', async () => {
      const [alice, bob] = [await relay.signIn(ALICE), await relay.signIn(BOB)];
      const data = 'x'.repeat(16 * 1024);
      alice.send({ type: 'signal', to: BOB, data });
      expect(await bob.waitFor('signal')).toEqual({ type: 'signal', from: ALICE, data });
      alice.send({ type: 'signal', to: BOB, data: `${data}x` });
      expect(await alice.waitFor('error')).toMatchObject({ code: 'too_large' });
      alice.send({ type: 'signal', to: CAROL, data });
      await alice.settled();
      const carol = await relay.signIn(CAROL);
      await carol.settled();
      expect(carol.ofType('signal')).toEqual([]);
    });

    it('an application ping is answered', async () => {
      const alice = await relay.signIn(ALICE);
      alice.send({ type: 'ping' });
      expect(await alice.waitFor('pong')).toEqual({ type: 'pong', timestamp: clock.now() });
    });

    it('an unknown type is an error and no more', async () => {
      const alice = await relay.signIn(ALICE);
      alice.send({ type: 'teleport' });
      expect(await alice.waitFor('error')).toMatchObject({ code: 'unsupported' });
      await alice.settled();
    });
  });

  describe('receipts', () => {
    it('tell the sender what was read', async () => {
      const [alice, bob] = [await relay.signIn(ALICE), await relay.signIn(BOB)];
      alice.message(BOB, 'm1');
      await bob.waitFor('message');
      bob.send({ type: 'read_receipt', to: ALICE, messageId: 'm1' });
      const read = await alice.waitFor('read');
      expect(read).toEqual({ type: 'read', from: BOB, messageId: 'm1', timestamp: clock.now() });
    });

    it('wait for a sender who is offline, delivered before read', async () => {
      const alice = await relay.signIn(ALICE);
      alice.message(BOB, 'm1');
      await alice.waitFor('queued');
      await alice.close();
      const bob = await relay.signIn(BOB);
      await bob.waitFor('message');
      await bob.settled();
      bob.send({ type: 'read_receipt', to: ALICE, messageId: 'm1' });
      await bob.settled();
      const again = await relay.signIn(ALICE);
      await again.waitFor('read');
      expect(again.frames.map(({ type }) => type)).toEqual(['auth_success', 'delivered', 'read']);
      expect(again.frames[1]).toMatchObject({ messageId: 'm1', to: BOB });
      expect(again.frames[2]).toMatchObject({ messageId: 'm1', from: BOB });
      await again.settled();
      await again.close();
      const third = await relay.signIn(ALICE);
      await third.settled();
      expect(third.frames.map(({ type }) => type)).toEqual(['auth_success', 'pong']);
    });

    it('never say delivered after read, even where the reading was told first', async () => {
      const alice = await relay.signIn(ALICE);
      const bob = await ClassicClient.signIn(relay.wsUrl, BOB, { autoPong: false });
      alice.message(BOB, 'm1');
      await bob.waitFor('message');
      bob.send({ type: 'read_receipt', to: ALICE, messageId: 'm1' });
      await alice.waitFor('read');
      bob.send({ type: 'ping' });
      const { id } = await bob.waitFor('message');
      bob.socket.pong(id);
      await bob.settled();
      await verdictsAreDue();
      await alice.settled();
      expect(alice.frames.map(({ type }) => type)).toEqual(['auth_success', 'delivered', 'read', 'pong']);
    });

    it('come once, however often the recipient says it has read', async () => {
      const [alice, bob] = [await relay.signIn(ALICE), await relay.signIn(BOB)];
      alice.message(BOB, 'm1');
      await bob.waitFor('message');
      for (let i = 0; i < 3; i++) bob.send({ type: 'read_receipt', to: ALICE, messageId: 'm1' });
      bob.message(ALICE, 'afterwards');
      await alice.waitFor('message', { messageId: 'afterwards' });
      await alice.waitFor('read');
      await alice.settled();
      expect(alice.ofType('read')).toHaveLength(1);
    });

    it('are not believed for messages that were never sent', async () => {
      const [alice, bob] = [await relay.signIn(ALICE), await relay.signIn(BOB)];
      alice.message(CAROL, 'm1');
      await alice.waitFor('queued');
      bob.send({ type: 'read_receipt', to: ALICE, messageId: 'm1' });
      await bob.settled();
      await alice.settled();
      expect(alice.ofType('read')).toEqual([]);
      expect(bob.ofType('error')).toEqual([]);
    });
  });

  describe('several connections of one address', () => {
    it('all receive; one goes, the other still receives and the user is still online', async () => {
      const [alice, phone, laptop] = [await relay.signIn(ALICE), await relay.signIn(BOB), await relay.signIn(BOB)];
      alice.message(BOB, 'm1');
      await Promise.all([phone.waitFor('message'), laptop.waitFor('message')]);
      await phone.close();
      const status = (await (await fetch(`${relay.url}/api/status/${BOB}`)).json()) as { online: boolean };
      expect(status.online).toBe(true);
      alice.message(BOB, 'm2');
      await laptop.waitFor('message', { messageId: 'm2' });
      expect(phone.messageIds).toEqual(['m1']);
    });

    it('do not throw each other out', async () => {
      const all = await Promise.all(Array.from({ length: 10 }, () => relay.signIn(BOB)));
      for (const client of all) await client.settled();
      expect(all.every(({ socket }) => socket.readyState === socket.OPEN)).toBe(true);
    });

    it('hear of a message delivered while the sending connection was away', async () => {
      const sending = await relay.signIn(ALICE);
      const other = await relay.signIn(ALICE);
      sending.message(BOB, 'm1');
      await sending.waitFor('queued');
      await sending.close();
      await relay.signIn(BOB);
      expect(await other.waitFor('delivered')).toMatchObject({ messageId: 'm1', to: BOB });
    });

    it('each get everything, though one reads slowly while the other keeps up', async () => {
      const alice = await relay.signIn(ALICE);
      const quick = await relay.signIn(BOB);
      const slow = await ClassicClient.signIn(relay.wsUrl, BOB, { autoPong: false });
      for (let i = 1; i <= 200; i++) alice.message(BOB, `m${i}`);
      await quick.waitForCount('message', 200);
      await alice.waitForCount('delivered', 200);
      await slow.settled();
      expect(slow.messageIds).toHaveLength(64);
      await relay.run('purge mailboxes');
      slow.socket.on('ping', (payload) => slow.socket.pong(payload));
      slow.socket.pong(slow.ofType('message').at(-1)!.id);
      await slow.waitForCount('message', 200);
      expect(slow.messageIds).toEqual(quick.messageIds);
    });
  });

  describe('a slow connection', () => {
    it('gets everything, though the quick one beside it has acknowledged all and left', async () => {
      const alice = await relay.signIn(ALICE);
      const quick = await relay.signIn(BOB);
      const slow = await ClassicClient.signIn(relay.wsUrl, BOB, { autoPong: false });
      for (let i = 1; i <= 200; i++) alice.message(BOB, `m${i}`);
      await alice.waitForCount('delivered', 200);
      await quick.close();
      await slow.settled();
      slow.socket.on('ping', (payload) => slow.socket.pong(payload));
      slow.socket.pong(slow.ofType('message').at(-1)!.id);
      await slow.waitForCount('message', 200);
      expect(slow.ofType('gap')).toEqual([]);
    });
  });

  describe('ephemeral messages', () => {
    it('reach whoever is connected, are confirmed by them, and are not stored', async () => {
      const [alice, bob] = [await relay.signIn(ALICE), await relay.signIn(BOB)];
      alice.message(BOB, 'e1', { ephemeral: true });
      expect(await bob.waitFor('message')).toEqual({
        type: 'message',
        from: ALICE,
        content: 'content of e1',
        messageId: 'e1',
        timestamp: 1_700_000_000_000,
      });
      expect(await alice.waitFor('delivered')).toMatchObject({ messageId: 'e1', to: BOB });
      const { totalMessages } = (await (await fetch(`${relay.url}/api/messages/stats/all`)).json()) as {
        totalMessages: number;
      };
      expect(totalMessages).toBe(0);
    });

    it('to somebody offline are refused at once', async () => {
      const alice = await relay.signIn(ALICE);
      alice.message(BOB, 'e1', { ephemeral: true });
      expect(await alice.waitFor('error')).toMatchObject({
        code: 'recipient_offline',
        messageId: 'e1',
        outcome: 'refused',
      });
      const bob = await relay.signIn(BOB);
      await bob.settled();
      expect(bob.messageIds).toEqual([]);
    });

    it('are never called delivered where nobody confirmed', async () => {
      const alice = await relay.signIn(ALICE);
      const bob = await ClassicClient.signIn(relay.wsUrl, BOB, { autoPong: false });
      alice.message(BOB, 'e1', { ephemeral: true });
      await bob.waitFor('message');
      clock.advance(10_000);
      await relay.run('answer ephemeral sends');
      expect(await alice.waitFor('error')).toMatchObject({ code: 'recipient_offline', outcome: 'unknown' });
      expect(alice.ofType('delivered')).toEqual([]);
    });
  });

  describe('presence subscriptions', () => {
    it('tell the state now and every change', async () => {
      const alice = await relay.signIn(ALICE);
      alice.send({ type: 'subscribe_presence', addresses: [BOB, CAROL] });
      await alice.waitForCount('presence', 2);
      expect(alice.ofType('presence')).toEqual([
        { type: 'presence', address: BOB, status: 'offline' },
        { type: 'presence', address: CAROL, status: 'offline' },
      ]);
      const bob = await relay.signIn(BOB);
      await alice.waitFor('presence', { address: BOB, status: 'online' });
      await bob.close();
      expect((await alice.waitForCount('presence', 4)).at(-1)).toEqual({
        type: 'presence',
        address: BOB,
        status: 'offline',
        lastSeen: clock.now(),
      });
    });

    it('say nothing when one of two connections goes', async () => {
      const [alice, phone, laptop] = [await relay.signIn(ALICE), await relay.signIn(BOB), await relay.signIn(BOB)];
      alice.send({ type: 'subscribe_presence', addresses: [BOB] });
      await alice.waitFor('presence');
      await phone.close();
      await laptop.settled();
      await alice.settled();
      expect(alice.ofType('presence')).toHaveLength(1);
    });

    it('end when they are ended', async () => {
      const alice = await relay.signIn(ALICE);
      alice.send({ type: 'subscribe_presence', addresses: [BOB] });
      await alice.waitFor('presence');
      alice.send({ type: 'unsubscribe_presence', addresses: [BOB] });
      await alice.settled();
      await relay.signIn(BOB);
      await alice.settled();
      expect(alice.ofType('presence')).toHaveLength(1);
    });

    it('show a hidden address as offline', async () => {
      const [alice, bob] = [await relay.signIn(ALICE), await relay.signIn(BOB)];
      alice.send({ type: 'subscribe_presence', addresses: [BOB] });
      await alice.waitFor('presence', { status: 'online' });
      bob.send({ type: 'set_presence', visible: false });
      expect((await alice.waitForCount('presence', 2))[1]).toEqual({
        type: 'presence',
        address: BOB,
        status: 'offline',
      });
      bob.send({ type: 'set_presence', visible: true });
      expect((await alice.waitForCount('presence', 3))[2]).toMatchObject({ status: 'online' });
    });

    it('are 500 at most', async () => {
      const alice = await relay.signIn(ALICE);
      const addresses = Array.from({ length: 500 }, (_, i) => addressOf(1000 + i));
      alice.send({ type: 'subscribe_presence', addresses });
      await alice.waitForCount('presence', 500);
      alice.send({ type: 'subscribe_presence', addresses: [BOB] });
      expect(await alice.waitFor('error')).toMatchObject({ code: 'too_large' });
      alice.send({ type: 'subscribe_presence', addresses: [...addresses, BOB] });
      expect(await alice.waitForCount('error', 2)).toHaveLength(2);
    });
  });
});
