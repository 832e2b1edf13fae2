import { QueueRepository } from '../../src/queue/queue.repository.js';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { Device } from '../support/device.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const ALICE = addressOf(1);
const BOB = addressOf(2);

const range = (count: number, from = 1): string[] => Array.from({ length: count }, (_, i) => `m${i + from}`);

/** docs/protocol.md: what `hello` opens. */
describe('version 2', () => {
  let clock: ManualClock;
  let relay: RunningRelay;

  const start = async (env: Record<string, string> = {}): Promise<void> => {
    clock = new ManualClock();
    relay = await startRelay({ clock, env });
  };

  beforeEach(() => start());
  afterEach(() => relay.stop());

  const open = (address: string, deviceId: string, options = {}) =>
    Device.open(relay.wsUrl, address, deviceId, options);

  async function sendAll(ids: readonly string[], to = BOB): Promise<ClassicClient> {
    const alice = await relay.signIn(ALICE);
    for (const id of ids) alice.message(to, id);
    await alice.until(
      () => alice.frames.filter(({ type }) => type === 'queued' || type === 'delivered').length >= ids.length,
      'verdicts',
    );
    return alice;
  }

  describe('hello', () => {
    it('is welcomed with what the client must know', async () => {
      await sendAll(range(3));
      const bob = await open(BOB.toUpperCase().replace('0X', '0x'), 'phone', { window: 10 });
      expect(bob.welcome).toEqual({
        type: 'auth_success',
        address: BOB,
        timestamp: clock.now(),
        v: 2,
        deviceId: 'phone',
        sessionId: expect.any(String) as unknown,
        limits: { maxFrameBytes: 131072, window: 10, maxOfflineMessages: 1000, retentionHours: 168 },
        pending: 3,
      });
    });

    it.each([
      ['another version', { v: 3 }],
      ['no version', { v: undefined }],
      ['no device', { deviceId: undefined }],
      ['the device of classic clients', { deviceId: 'classic' }],
      ['a device that is a pattern', { deviceId: '*' }],
      ['a window of nothing', { window: 0 }],
      ['no address', { address: 'somebody' }],
    ])('is refused with %s, and told why', async (_, wrong) => {
      const client = await ClassicClient.connect(relay.wsUrl);
      client.send({ type: 'hello', v: 2, address: BOB, deviceId: 'phone', ...wrong });
      expect(await client.closed()).toBe(4401);
      expect(client.frames).toMatchObject([{ type: 'error', code: 'auth_failed' }]);
      expect(client.frames[0]!.message).toMatch(Object.keys(wrong)[0]!);
    });

    it('sends the backlog, says that it is complete, then goes on live', async () => {
      const alice = await sendAll(range(200));
      const bob = await open(BOB, 'phone');
      const { upTo } = await bob.synced();
      expect(bob.messageIds).toEqual(range(200));
      expect(bob.messages.every(({ queued }) => queued === true)).toBe(true);
      expect(upTo).toBe(bob.messages.at(-1)!.id);
      alice.message(BOB, 'live');
      expect(await bob.client.waitFor('message', { messageId: 'live' })).not.toHaveProperty('queued');
    });

    it('says at once that it is complete where nothing waits', async () => {
      const bob = await open(BOB, 'phone');
      expect(await bob.synced()).toEqual({ type: 'sync_complete', upTo: null });
      expect(bob.client.frames.map(({ type }) => type)).toEqual(['auth_success', 'sync_complete']);
    });

    it('of an eleventh device is refused', async () => {
      for (let i = 1; i <= 10; i++) await open(BOB, `device-${i}`);
      const client = await ClassicClient.connect(relay.wsUrl);
      client.send({ type: 'hello', v: 2, address: BOB, deviceId: 'device-11' });
      expect(await client.closed()).toBe(4403);
      expect(client.frames).toMatchObject([{ type: 'error', code: 'forbidden' }]);
      await open(BOB, 'device-3');
    });
  });

  describe('devices', () => {
    it('each get everything, also what the other has acknowledged long ago', async () => {
      const phone = await open(BOB, 'phone');
      const laptop = await open(BOB, 'laptop');
      laptop.client.kill();
      await sendAll(range(20));
      await phone.client.waitFor('message', { messageId: 'm20' });
      await phone.client.settled();
      const again = await open(BOB, 'laptop');
      await again.synced();
      expect(again.messageIds).toEqual(range(20));
    });

    it('have a connection each, of which the newest wins', async () => {
      const first = await open(BOB, 'phone');
      const other = await open(BOB, 'laptop');
      const second = await open(BOB, 'phone');
      expect(await first.client.closed()).toBe(4409);
      await sendAll(['m1']);
      await second.client.waitFor('message', { messageId: 'm1' });
      await other.client.waitFor('message', { messageId: 'm1' });
    });

    it('opened fifty times at once end with exactly one connection', async () => {
      const opened = await Promise.allSettled(Array.from({ length: 50 }, () => open(BOB, 'phone')));
      const clients = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value.client] : []));
      const closed = (client: ClassicClient) => client.socket.readyState >= client.socket.CLOSING;
      const last = clients.find((client) => !closed(client)) ?? clients[0]!;
      await sendAll(['m1']);
      await last.until(() => clients.filter((client) => !closed(client)).length === 1, 'one to stay');
      const [winner] = clients.filter((client) => !closed(client));
      await winner!.waitFor('message', { messageId: 'm1' });
    });

    it('live beside classic clients, which share a place of their own', async () => {
      const phone = await open(BOB, 'phone');
      const classic = await relay.signIn(BOB);
      await sendAll(['m1']);
      await phone.client.waitFor('message', { messageId: 'm1' });
      await classic.waitFor('message', { messageId: 'm1' });
    });

    it('that never come back close no mailbox: they lose the oldest, and are told', async () => {
      const lost = await open(BOB, 'lost');
      lost.client.kill();
      const phone = await open(BOB, 'phone');
      const alice = await relay.signIn(ALICE);
      for (let sent = 0; sent < 5000; sent += 250) {
        for (const id of range(250, sent + 1)) alice.message(BOB, id);
        await alice.waitFor('delivered', { messageId: `m${sent + 250}` });
      }
      expect(alice.ofType('error')).toEqual([]);
      await phone.client.waitFor('message', { messageId: 'm5000' });
      await phone.client.settled();
      const back = await open(BOB, 'lost');
      await back.synced();
      expect(back.client.frames.slice(1, 3)).toMatchObject([
        { type: 'gap', reason: 'dropped', count: 4000 },
        { type: 'message', messageId: 'm4001' },
      ]);
      expect(back.messageIds).toEqual(range(1000, 4001));
    });

    it('unseen for the retention hold nothing back any more', async () => {
      const lost = await open(BOB, 'lost');
      lost.client.kill();
      await lost.client.closed();
      clock.advance(171 * 3_600_000);
      const phone = await open(BOB, 'phone');
      await sendAll(['m1']);
      await phone.client.waitFor('message', { messageId: 'm1' });
      await phone.client.settled();
      const back = await open(BOB, 'lost');
      await back.synced();
      expect(back.messageIds).toEqual([]);
    });
  });

  describe('ack', () => {
    it('alone makes a message delivered: a pong does not', async () => {
      const bob = await open(BOB, 'phone', { acknowledges: false });
      const alice = await relay.signIn(ALICE);
      alice.message(BOB, 'm1');
      const { id } = await bob.client.waitFor('message');
      await bob.client.settled();
      await fetch(`${relay.url}/api/messages/${BOB}/queue-size`);
      clock.advance(300);
      await relay.run('answer sends');
      await alice.waitFor('queued', { messageId: 'm1' });
      expect(alice.ofType('delivered')).toEqual([]);
      bob.ack(id);
      await alice.waitFor('delivered', { messageId: 'm1' });
    });

    it('is cumulative', async () => {
      const bob = await open(BOB, 'phone', { acknowledges: false });
      const alice = await sendAll([]);
      for (const id of range(10)) alice.message(BOB, id);
      const messages = await bob.client.waitForCount('message', 10);
      bob.ack(messages[6]!.id);
      await alice.waitFor('delivered', { messageId: 'm7' });
      expect(alice.ofType('delivered').map(({ messageId }) => messageId)).toEqual(range(7));
      bob.client.kill();
      const again = await open(BOB, 'phone');
      await again.synced();
      expect(again.messageIds).toEqual(range(3, 8));
    });

    it('beyond what was sent is refused and moves nothing', async () => {
      await sendAll(range(20));
      const bob = await open(BOB, 'phone', { acknowledges: false, window: 5 });
      const messages = await bob.client.waitForCount('message', 5);
      const [ms, sequence] = (messages[4]!.id as string).split('-').map(Number) as [number, number];
      for (const ahead of [`${ms}-${sequence + 1}`, `${ms + 1}-${sequence}`, `${ms}-20`, `${ms}-999`]) {
        bob.ack(ahead);
        await bob.client.waitFor('error', { code: 'ack_ahead' });
      }
      await bob.client.settled();
      expect(bob.client.ofType('error')).toHaveLength(4);
      const size = await (await fetch(`${relay.url}/api/messages/${BOB}/queue-size`)).json();
      expect(size).toEqual({ address: BOB, queueSize: 20 });
    });

    it('of something older changes nothing, and is no mistake', async () => {
      const bob = await open(BOB, 'phone', { acknowledges: false });
      await sendAll([]);
      const alice = await relay.signIn(ALICE);
      for (const id of range(3)) alice.message(BOB, id);
      const messages = await bob.client.waitForCount('message', 3);
      bob.ack(messages[2]!.id);
      await alice.waitFor('delivered', { messageId: 'm3' });
      bob.ack(messages[0]!.id);
      await bob.client.settled();
      expect(bob.client.ofType('error')).toEqual([]);
    });

    it('moves the window: no more is sent than it holds', async () => {
      await sendAll(range(100));
      const bob = await open(BOB, 'phone', { acknowledges: false, window: 10 });
      await bob.client.waitForCount('message', 10);
      await bob.client.settled();
      expect(bob.messageIds).toEqual(range(10));
      bob.ack(bob.messages[3]!.id);
      await bob.client.waitForCount('message', 14);
      await bob.client.settled();
      expect(bob.messageIds).toEqual(range(14));
    });

    it('must come: a connection that acknowledges nothing for a minute is ended, and its mail stays', async () => {
      await sendAll(range(3));
      const bob = await open(BOB, 'phone', { acknowledges: false });
      await bob.client.waitForCount('message', 3);
      for (let seconds = 0; seconds < 62; seconds += 4) {
        clock.advance(4_000);
        await relay.run('watch connections');
        await Promise.race([bob.client.settled(), bob.client.closed()]);
        if (bob.client.socket.readyState !== bob.client.socket.OPEN) break;
      }
      expect(await bob.client.closed()).toBe(4413);
      const again = await open(BOB, 'phone');
      await again.synced();
      expect(again.messageIds).toEqual(range(3));
    });

    it('is not for classic clients', async () => {
      const classic = await relay.signIn(BOB);
      classic.send({ type: 'ack', upTo: '1-1' });
      await classic.waitFor('error', { code: 'unsupported' });
    });
  });

  describe('receipts', () => {
    it('reach every device of the sender, also one that was away', async () => {
      const phone = await open(ALICE, 'phone');
      const laptop = await open(ALICE, 'laptop');
      laptop.client.kill();
      await laptop.client.closed();
      const bob = await open(BOB, 'phone');
      phone.client.message(BOB, 'm1');
      await phone.client.waitFor('delivered', { messageId: 'm1' });
      bob.client.send({ type: 'read_receipt', to: ALICE, messageId: 'm1' });
      await phone.client.waitFor('read', { messageId: 'm1' });
      const again = await open(ALICE, 'laptop');
      await again.synced();
      const receipts = again.client.frames.filter(({ messageId }) => messageId === 'm1').map(({ type }) => type);
      expect(receipts).toEqual(['delivered', 'read']);
    });

    it('wait for a sender who is offline, delivered before read', async () => {
      const alice = await open(ALICE, 'phone');
      alice.client.message(BOB, 'm1');
      await alice.client.waitFor('queued');
      alice.client.kill();
      await alice.client.closed();
      const bob = await open(BOB, 'phone');
      await bob.client.waitFor('message', { messageId: 'm1' });
      bob.client.send({ type: 'read_receipt', to: ALICE, messageId: 'm1' });
      await bob.client.settled();
      const again = await open(ALICE, 'phone');
      await again.client.waitFor('read', { messageId: 'm1' });
      const types = again.client.frames
        .map(({ type }) => type)
        .filter((type) => type === 'delivered' || type === 'read');
      expect(types).toEqual(['delivered', 'read']);
    });
  });

  describe('history', () => {
    it('is unsupported where none is kept', async () => {
      const bob = await open(BOB, 'phone');
      bob.client.send({ type: 'history' });
      await bob.client.waitFor('error', { code: 'unsupported' });
    });

    it('gives back what was acknowledged, newest first, page by page', async () => {
      await relay.stop();
      await start({ HISTORY_RETENTION_HOURS: '1' });
      await sendAll(range(25));
      const bob = await open(BOB, 'phone');
      await bob.synced();
      await bob.client.settled();
      bob.client.send({ type: 'history', limit: 10 });
      const page = await bob.client.waitFor('history');
      const ids = (frame: typeof page) => (frame.entries as { messageId: string }[]).map(({ messageId }) => messageId);
      expect(ids(page)).toEqual(range(10, 16).reverse());
      expect((page.entries as unknown[])[0]).toEqual({
        type: 'message',
        id: bob.messages.at(-1)!.id,
        from: ALICE,
        content: 'content of m25',
        messageId: 'm25',
        timestamp: 1_700_000_000_000,
      });
      bob.client.send({ type: 'history', before: page.next, limit: 100 });
      const rest = (await bob.client.waitForCount('history', 2))[1]!;
      expect(ids(rest)).toEqual(range(15).reverse());
      expect(rest.next).toBeNull();
    });

    it('answers one request at a time, and refuses those beyond what may wait', async () => {
      await relay.stop();
      await start({ HISTORY_RETENTION_HOURS: '1' });
      await sendAll(range(60));
      const bob = await open(BOB, 'phone');
      await bob.synced();
      await bob.client.settled();
      const queue = relay.app.get<{ history: (...args: unknown[]) => Promise<unknown> }>(QueueRepository);
      const history = queue.history.bind(queue);
      let running = 0;
      let most = 0;
      queue.history = (...args) => {
        most = Math.max(most, ++running);
        return history(...args).finally(() => running--);
      };
      for (let i = 1; i <= 40; i++) bob.client.send({ type: 'history', limit: i });
      const answers = () => bob.client.ofType('history').length + bob.client.ofType('error').length;
      await bob.client.until(() => answers() === 40, 'answers');
      expect(most).toBe(1);
      const sizes = bob.client.ofType('history').map(({ entries }) => (entries as unknown[]).length);
      expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
      for (const error of bob.client.ofType('error')) {
        expect(error).toMatchObject({ code: 'rate_limited', retryable: true, retryAfterMs: 1000 });
      }
      bob.client.send({ type: 'history', limit: 50 });
      await bob.client.until(() => (bob.client.frames.at(-1)!.entries as unknown[])?.length === 50, 'the last');
    });
  });
});
