import { addressOf, ClassicClient } from '../support/classic-client.js';
import { BrokenLink } from '../support/broken-link.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const ALICE = addressOf(1);
const BOB = addressOf(2);
const MALLORY = addressOf(3);

const range = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i + 1}`);

/** The relay's promises (docs/protocol.md §2), each where it is hardest to keep. */
describe('the promises', () => {
  let clock: ManualClock;
  let relay: RunningRelay;

  const start = async (env: Record<string, string> = {}): Promise<void> => {
    clock = new ManualClock();
    relay = await startRelay({ clock, env });
  };

  afterEach(() => relay.stop());

  async function verdictsAreDue(): Promise<void> {
    // What was sent before is stored when a later question to the store is answered.
    await fetch(`${relay.url}/api/messages/${BOB}/queue-size`);
    clock.advance(300);
    await relay.run('answer sends');
  }

  async function queueFor(recipient: string, ids: readonly string[]): Promise<ClassicClient> {
    const alice = await relay.signIn(ALICE);
    for (const id of ids) alice.message(recipient, id);
    await alice.waitForCount('queued', ids.length);
    return alice;
  }

  describe('nothing accepted is lost', () => {
    beforeEach(() => start());

    it('when a client is killed again and again while its backlog is sent to it', async () => {
      await queueFor(BOB, range(500));
      const link = await BrokenLink.to(relay.port);
      const seen: unknown[] = [];
      for (let attempt = 0; attempt < 200 && new Set(seen).size < 500; attempt++) {
        link.cutAfterBytes(4_000 + attempt * 500);
        const bob = await ClassicClient.connect(link.url);
        bob.send({ type: 'auth', address: BOB });
        await bob.until(
          () => bob.messageIds.at(-1) === 'm500' || bob.socket.readyState === bob.socket.CLOSED,
          'the cut',
        );
        seen.push(...bob.messageIds);
        bob.kill();
        await bob.closed();
      }
      await link.close();
      expect([...new Set(seen)]).toEqual(range(500));
      const rest = await relay.signIn(BOB);
      await rest.settled();
      expect(rest.messageIds.every((id) => range(500).includes(id as string))).toBe(true);
    });

    it('when a client is killed in the middle: it gets the rest, and nothing that it confirmed', async () => {
      await queueFor(BOB, range(500));
      const bob = await relay.signIn(BOB);
      await bob.until(() => bob.messageIds.length >= 200, '200 messages');
      const confirmed = await (await fetch(`${relay.url}/api/messages/${BOB}/queue-size`)).json();
      bob.kill();
      const again = await relay.signIn(BOB);
      await again.waitFor('message', { messageId: 'm500' });
      const { queueSize } = confirmed as { queueSize: number };
      expect(again.messageIds.length).toBeLessThanOrEqual(queueSize);
      expect([...new Set([...bob.messageIds, ...again.messageIds])]).toEqual(range(500));
    });
  });

  describe('delivered is never said before a device has acknowledged', () => {
    beforeEach(() => start());

    it('to a link that dies silently: it is noticed within 35 s, and the message arrives after reconnecting', async () => {
      const alice = await relay.signIn(ALICE);
      const link = await BrokenLink.to(relay.port);
      const bob = await ClassicClient.signIn(link.url, BOB);
      alice.message(BOB, 'before');
      await alice.waitFor('delivered');
      link.die();
      alice.message(BOB, 'm1');
      await alice.settled();
      await verdictsAreDue();
      await alice.waitFor('queued', { messageId: 'm1' });

      const connections = async (): Promise<number> => {
        const health = await fetch(`${relay.url}/health`);
        return ((await health.json()) as { connections: number }).connections;
      };
      for (let second = 0; second < 35; second++) {
        if (second < 34) expect(await connections()).toBe(2);
        clock.advance(1000);
        alice.send({ type: 'ping' });
        await alice.waitForCount('pong', second + 2);
        await relay.run('watch connections');
      }
      expect(await connections()).toBe(1);
      expect(alice.ofType('delivered')).toHaveLength(1);

      link.heal();
      const again = await ClassicClient.signIn(link.url, BOB);
      expect(await again.waitFor('message')).toMatchObject({ messageId: 'm1', queued: true });
      await alice.waitFor('delivered', { messageId: 'm1' });
      bob.kill();
      await link.close();
    });

    it('to a client whose stack does not answer: queued after 300 ms, delivered when it does', async () => {
      const alice = await relay.signIn(ALICE);
      const bob = await ClassicClient.signIn(relay.wsUrl, BOB, { autoPong: false });
      let ping = '';
      bob.socket.on('ping', (payload) => (ping = payload.toString()));
      alice.message(BOB, 'm1');
      await bob.waitFor('message');
      await bob.settled();
      await relay.run('answer sends');
      await alice.settled();
      expect(alice.frames.map(({ type }) => type)).toEqual(['auth_success', 'pong']);
      await verdictsAreDue();
      await alice.waitFor('queued');
      bob.socket.pong(ping);
      await alice.waitFor('delivered');
    });

    it('nor for a pong that answers nothing, or more than was sent', async () => {
      const alice = await relay.signIn(ALICE);
      const bob = await ClassicClient.signIn(relay.wsUrl, BOB, { autoPong: false });
      alice.message(BOB, 'm1');
      const { id } = await bob.waitFor('message');
      const [ms] = (id as string).split('-');
      for (const forged of ['', `${ms}-2`, `${ms}-999999`, '9'.repeat(15) + '-9', 'nonsense', '/1', '1-1/9', '-1-1']) {
        bob.socket.pong(forged);
      }
      await bob.settled();
      await verdictsAreDue();
      await alice.waitFor('queued');
      await alice.settled();
      expect(alice.ofType('delivered')).toEqual([]);
      expect((await (await fetch(`${relay.url}/api/messages/${BOB}/queue-size`)).json()) as object).toMatchObject({
        queueSize: 1,
      });
    });

    it('is believed from the socket where the operator says so', async () => {
      await relay.stop();
      await start({ CLASSIC_ACK: 'socket' });
      const alice = await relay.signIn(ALICE);
      const bob = await ClassicClient.signIn(relay.wsUrl, BOB, { autoPong: false });
      let pings = 0;
      bob.socket.on('ping', () => pings++);
      alice.message(BOB, 'm1');
      await alice.waitFor('delivered');
      await bob.settled();
      expect(pings).toBe(0);
    });
  });

  describe('a full mailbox refuses, it never drops silently', () => {
    it('beyond its bound: the sender is told, and what was accepted arrives', async () => {
      await start({ MAX_OFFLINE_MESSAGES: '10', SENDER_SHARE: '1' });
      const alice = await queueFor(BOB, range(10));
      alice.message(BOB, 'm11');
      expect(await alice.waitFor('error')).toMatchObject({
        code: 'mailbox_full',
        messageId: 'm11',
        outcome: 'refused',
        retryable: true,
      });
      const bob = await relay.signIn(BOB);
      await bob.waitForCount('message', 10);
      expect(bob.messageIds).toEqual(range(10));
    });

    it('leaves room for others when one sender floods it', async () => {
      await start({ MAX_OFFLINE_MESSAGES: '10' });
      const mallory = await relay.signIn(MALLORY);
      for (const id of range(20)) mallory.message(BOB, id);
      await mallory.waitForCount('error', 15);
      expect(mallory.ofType('error')[0]).toMatchObject({ code: 'sender_share_full' });
      await queueFor(BOB, range(5));
    });

    it('drops the oldest only where the operator wants that, and tells the recipient', async () => {
      await start({ MAX_OFFLINE_MESSAGES: '10', SENDER_SHARE: '1', QUEUE_OVERFLOW: 'drop_oldest' });
      await queueFor(BOB, range(13));
      const bob = await relay.signIn(BOB);
      await bob.waitForCount('message', 10);
      expect(bob.frames[1]).toEqual({ type: 'gap', reason: 'dropped', count: 3 });
      expect(bob.messageIds).toEqual(range(13).slice(3));
    });
  });

  describe('order', () => {
    beforeEach(() => start({ SENDER_SHARE: '1' }));

    it('holds while a backlog is read and live messages keep coming', async () => {
      const alice = await queueFor(BOB, range(300));
      const connecting = relay.signIn(BOB);
      for (let i = 301; i <= 600; i++) alice.message(BOB, `m${i}`);
      const bob = await connecting;
      await bob.waitFor('message', { messageId: 'm600' });
      expect(bob.messageIds).toEqual(range(600));
    });

    it('is the same for every connection of the recipient, with several senders', async () => {
      const senders = await Promise.all([10, 11, 12, 13].map((n) => relay.signIn(addressOf(n))));
      const [one, two] = [await relay.signIn(BOB), await relay.signIn(BOB)];
      for (let i = 0; i < 100; i++) senders.forEach((sender, s) => sender.message(BOB, `s${s}-${i}`));
      await Promise.all([one.waitForCount('message', 400), two.waitForCount('message', 400)]);
      expect(one.messageIds).toEqual(two.messageIds);
      for (let s = 0; s < 4; s++) {
        const own = one.messageIds.filter((id) => (id as string).startsWith(`s${s}-`));
        expect(own).toEqual(Array.from({ length: 100 }, (_, i) => `s${s}-${i}`));
      }
    });
  });

  describe('the window', () => {
    beforeEach(() => start());

    it('keeps at most 64 entries on the way to a client that acknowledges nothing', async () => {
      await queueFor(BOB, range(200));
      const bob = await ClassicClient.signIn(relay.wsUrl, BOB, { autoPong: false });
      await bob.waitForCount('message', 64);
      await bob.settled();
      expect(bob.messageIds).toEqual(range(64));
      // The payload of the ping that came after it.
      bob.socket.pong(bob.ofType('message').at(-1)!.id);
      await bob.waitForCount('message', 128);
      await bob.settled();
      expect(bob.messageIds).toEqual(range(128));
    });

    it('bounds the pings on their way too, and a pong for a later one covers the earlier', async () => {
      const [alice, bob] = [
        await relay.signIn(ALICE),
        await ClassicClient.signIn(relay.wsUrl, BOB, { autoPong: false }),
      ];
      const pings: Buffer[] = [];
      bob.socket.on('ping', (payload) => pings.push(payload));
      for (const id of range(30)) {
        alice.message(BOB, id);
        await bob.waitFor('message', { messageId: id });
      }
      await bob.settled();
      expect(pings).toHaveLength(8);
      bob.socket.pong(pings[6]);
      await alice.waitForCount('delivered', 7);
      await bob.settled();
      bob.socket.pong(pings[8]);
      await alice.waitForCount('delivered', 30);
    });

    it('ends a connection that acknowledges nothing for 60 s, and its mail stays', async () => {
      await queueFor(BOB, range(3));
      const bob = await ClassicClient.signIn(relay.wsUrl, BOB, { autoPong: false });
      await bob.waitForCount('message', 3);
      for (let second = 1; second <= 60; second++) {
        expect(bob.socket.readyState).toBe(bob.socket.OPEN);
        clock.advance(1000);
        await bob.settled();
        await relay.run('watch connections');
      }
      expect(await bob.closed()).toBe(4413);
      const again = await relay.signIn(BOB);
      await again.waitForCount('message', 3);
    });
  });

  describe('no silent gap', () => {
    it('an expired message is told to its sender and, as a gap, to its recipient', async () => {
      await start();
      const alice = await relay.signIn(ALICE);
      alice.message(BOB, 'short', { ttlSeconds: 5 });
      alice.message(BOB, 'short too', { ttlSeconds: 5 });
      alice.message(BOB, 'long');
      await alice.waitForCount('queued', 3);
      clock.advance(5_000);
      await relay.run('purge mailboxes');
      expect(await alice.waitFor('expired')).toMatchObject({ messageId: 'short', to: BOB });
      expect(await alice.waitForCount('expired', 2)).toHaveLength(2);
      const bob = await relay.signIn(BOB);
      await bob.waitFor('message');
      expect(bob.frames.slice(1)).toEqual([
        { type: 'gap', reason: 'expired', count: 2 },
        expect.objectContaining({ messageId: 'long' }) as unknown,
      ]);
    });

    it('a message that expires on its way is expired and not delivered, though its recipient answers later', async () => {
      await start();
      const alice = await relay.signIn(ALICE);
      const bob = await ClassicClient.signIn(relay.wsUrl, BOB, { autoPong: false });
      alice.message(BOB, 'm1', { ttlSeconds: 5 });
      const { id } = await bob.waitFor('message');
      clock.advance(5_000);
      await relay.run('purge mailboxes');
      await alice.waitFor('expired');
      bob.socket.pong(id);
      await bob.settled();
      await alice.settled();
      expect(alice.ofType('delivered')).toEqual([]);
    });

    it('waits for a sender who is offline, and comes once', async () => {
      await start({ MESSAGE_RETENTION_HOURS: '1' });
      const alice = await queueFor(BOB, ['m1']);
      await alice.close();
      clock.advance(3_600_000);
      await relay.run('purge mailboxes');
      const again = await relay.signIn(ALICE);
      expect(await again.waitFor('expired')).toMatchObject({ messageId: 'm1', to: BOB });
      const bob = await relay.signIn(BOB);
      expect(await bob.waitFor('gap')).toEqual({ type: 'gap', reason: 'expired', count: 1 });
      await bob.settled();
      await bob.close();
      const third = await relay.signIn(BOB);
      await third.settled();
      expect(third.ofType('gap')).toEqual([]);
    });

    it('nothing expires when somebody sets the clock', async () => {
      await start();
      await queueFor(BOB, ['m1']);
      clock.jump(30 * 24 * 3_600_000);
      await relay.run('purge mailboxes');
      const bob = await relay.signIn(BOB);
      await bob.waitFor('message', { messageId: 'm1' });
      clock.jump(-60 * 24 * 3_600_000);
      await relay.run('watch connections');
      await bob.settled();
    });
  });

  describe('limits on sending', () => {
    it('beyond the burst a send is refused and told when to try again; the connection stays', async () => {
      await start({ SEND_RATE_PER_SECOND: '2', SEND_BURST: '5' });
      const alice = await relay.signIn(ALICE);
      for (const id of range(6)) alice.message(BOB, id);
      expect(await alice.waitFor('error')).toMatchObject({
        code: 'rate_limited',
        messageId: 'm6',
        outcome: 'refused',
        retryable: true,
        retryAfterMs: 500,
      });
      clock.advance(500);
      alice.message(BOB, 'm6');
      await alice.waitForCount('queued', 6);
    });

    it('is counted per address, not per connection', async () => {
      await start({ SEND_RATE_PER_SECOND: '1', SEND_BURST: '4' });
      const [one, two] = [await relay.signIn(ALICE), await relay.signIn(ALICE)];
      for (const id of range(4)) one.message(BOB, id);
      await one.waitForCount('queued', 4);
      two.message(BOB, 'm5');
      expect(await two.waitFor('error')).toMatchObject({ code: 'rate_limited' });
    });
  });

  describe('liveness', () => {
    beforeEach(() => start());

    it('keeps a client that only listens, for as long as it answers pings', async () => {
      const bob = await relay.signIn(BOB);
      let pings = 0;
      bob.socket.on('ping', () => pings++);
      for (let i = 1; i <= 10; i++) {
        const pinged = new Promise((resolve) => bob.socket.once('ping', resolve));
        for (let second = 1; second <= 25; second++) {
          clock.advance(1_000);
          await relay.run('watch connections');
        }
        await pinged;
        // Its pong has arrived when a later request of ours is answered.
        await fetch(`${relay.url}/health`);
      }
      expect(pings).toBe(10);
      expect(bob.socket.readyState).toBe(bob.socket.OPEN);
    });

    it('blames nobody for the time in which the relay itself was asleep', async () => {
      const bob = await relay.signIn(BOB);
      await relay.run('watch connections');
      clock.advance(3_600_000);
      await relay.run('watch connections');
      await bob.settled();
    });
  });
});
