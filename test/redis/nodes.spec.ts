import type { Address } from '@relay/protocol';
import { AuthService } from '../../src/auth/auth.service.js';
import { Backplane } from '../../src/backplane/backplane.js';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { Device } from '../support/device.js';
import type { ManualClock } from '../support/manual-clock.js';
import { eventually, type RedisServer, usesRedis } from '../support/redis-server.js';
import type { RunningRelay } from '../support/relay.js';
import { SignedDevice } from '../support/signed-device.js';
import { SigningKey } from '../support/signing.js';
import { startTwoNodes, type TwoNodes } from '../support/two-nodes.js';

const ALICE = addressOf(1);
const BOB = addressOf(2);
const range = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i + 1}`);

describe('several nodes', () => {
  const shared = usesRedis();
  let redis: RedisServer;
  let clock: ManualClock;
  let left: RunningRelay;
  let right: RunningRelay;
  let start: TwoNodes['start'];

  beforeEach(async () => {
    redis = await shared;
    ({ clock, left, right, start } = await startTwoNodes(redis));
  });

  afterEach(async () => {
    await Promise.all([left.stop(), right.stop()]);
  });

  const device = (node: RunningRelay, address: string, id: string, options = {}) =>
    Device.open(node.wsUrl, address, id, options);

  it('bring a message from one to the other, and its receipts back: delivered, not queued', async () => {
    const alice = await left.signIn(ALICE);
    const bob = await right.signIn(BOB);
    for (const id of range(50)) alice.message(BOB, id);
    await bob.waitForCount('message', 50);
    expect(bob.messageIds).toEqual(range(50));
    await alice.waitForCount('delivered', 50);
    bob.send({ type: 'read_receipt', to: ALICE, messageId: 'm1' });
    await alice.waitFor('read', { messageId: 'm1', from: BOB });
    await alice.settled();
    expect(alice.ofType('queued')).toEqual([]);
  });

  it('say queued after 300 ms where the other side does not acknowledge', async () => {
    const alice = await left.signIn(ALICE);
    const bob = await device(right, BOB, 'phone', { acknowledges: false });
    alice.message(BOB, 'm1');
    const { id } = await bob.client.waitFor('message');
    await eventually('queued', async () => {
      clock.advance(300);
      await left.run('answer sends');
      await alice.settled();
      return alice.ofType('queued').length === 1;
    });
    bob.ack(id);
    await alice.waitFor('delivered');
  });

  it('carry typing, signals and presence', async () => {
    const alice = await left.signIn(ALICE);
    alice.send({ type: 'subscribe_presence', addresses: [BOB] });
    await alice.waitFor('presence', { address: BOB, status: 'offline' });
    const bob = await right.signIn(BOB);
    await alice.waitFor('presence', { address: BOB, status: 'online' });
    bob.send({ type: 'typing', to: ALICE, isTyping: true });
    await alice.waitFor('typing', { from: BOB, isTyping: true });
    alice.send({ type: 'signal', to: BOB, data: 'v=0' });
    await bob.waitFor('signal', { from: ALICE, data: 'v=0' });
    bob.kill();
    await alice.until(() => alice.ofType('presence').length === 3, 'offline');
    expect(alice.ofType('presence').at(-1)).toMatchObject({ status: 'offline' });
  });

  it('carry ephemeral messages, and say who has none', async () => {
    const alice = await left.signIn(ALICE);
    alice.message(BOB, 'nobody', { ephemeral: true });
    await alice.waitFor('error', { messageId: 'nobody', code: 'recipient_offline', outcome: 'refused' });
    const bob = await right.signIn(BOB);
    alice.message(BOB, 'now', { ephemeral: true });
    await bob.waitFor('message', { messageId: 'now' });
    await alice.waitFor('delivered', { messageId: 'now' });
    expect(alice.ofType('queued')).toEqual([]);
  });

  it('let the newer connection of a device win, wherever it is', async () => {
    const older = await device(left, BOB, 'phone');
    const newer = await device(right, BOB, 'phone');
    expect(await older.client.closed()).toBe(4409);
    const alice = await left.signIn(ALICE);
    alice.message(BOB, 'm1');
    await newer.client.waitFor('message', { messageId: 'm1' });
    await alice.waitFor('delivered');
  });

  it('keep exactly one of fifty connections of a device that come to both at once', async () => {
    const opened = await Promise.allSettled(range(50).map((_, i) => device(i % 2 === 0 ? left : right, BOB, 'phone')));
    const clients = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value.client] : []));
    const open = (): ClassicClient[] => clients.filter(({ socket }) => socket.readyState === socket.OPEN);
    await eventually('one to stay', () => Promise.resolve(open().length === 1));
    const alice = await left.signIn(ALICE);
    alice.message(BOB, 'm1');
    await open()[0]!.waitFor('message', { messageId: 'm1' });
  });

  it('refuse the acknowledgement of a connection that was taken over unheard', async () => {
    const older = await device(left, BOB, 'phone', { acknowledges: false });
    const alice = await left.signIn(ALICE);
    alice.message(BOB, 'm1');
    const { id } = await older.client.waitFor('message');
    // The word of the other node is lost: nobody listens.
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const newer = await device(right, BOB, 'phone', { acknowledges: false });
    older.ack(id);
    expect(await older.client.closed()).toBe(4409);
    await newer.client.waitFor('message', { messageId: 'm1' });
    expect(alice.ofType('delivered')).toEqual([]);
  });

  it('T6: find what they were not told of: a lost wake-up costs seconds, not a message', async () => {
    const bob = await right.signIn(BOB);
    const alice = await left.signIn(ALICE);
    // Everything that the right node hears from now on is lost.
    const app = right.app.get<{ heard: unknown }>((await import('../../src/backplane/backplane.js')).Backplane);
    app.heard = () => undefined;
    for (const id of range(5)) alice.message(BOB, id);
    await alice.settled();
    await fetch(`${left.url}/api/messages/${BOB}/queue-size`);
    await bob.settled();
    expect(bob.messageIds).toEqual([]);
    await right.run('look for missed mail');
    await bob.waitForCount('message', 5);
    expect(bob.messageIds).toEqual(range(5));
  });

  /** Nothing that other nodes say to it from now on arrives. */
  async function deafen(node: RunningRelay): Promise<void> {
    node.app.get<{ heard: unknown }>((await import('../../src/backplane/backplane.js')).Backplane).heard = () =>
      undefined;
  }

  it('tell every device of a receipt, though one opened unheard on the other node', async () => {
    await deafen(left);
    const phone = await device(left, ALICE, 'phone');
    phone.client.message(BOB, 'm1');
    await phone.client.waitFor('queued');
    const laptop = await device(right, ALICE, 'laptop');
    await left.run('look for missed mail');
    const bob = await left.signIn(BOB);
    await bob.waitFor('message');
    await laptop.client.waitFor('delivered', { messageId: 'm1' });
    await phone.client.waitFor('delivered', { messageId: 'm1' });
  });

  it('trust nothing they knew while subscriptions were lost, until they looked', async () => {
    const { Backplane } = await import('../../src/backplane/backplane.js');
    const { QueueRepository } = await import('../../src/queue/queue.repository.js');
    const phone = await device(left, ALICE, 'phone');
    phone.client.message(BOB, 'm1');
    await phone.client.waitFor('queued');
    await deafen(left);
    left.app.get<{ glance: unknown }>(QueueRepository).glance = () => Promise.reject(new Error('not yet'));
    const heard = (): number => left.app.get(Backplane).hearing('mailbox', ALICE as Address);
    const before = heard();
    expect(before).toBeGreaterThan(0);
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually('subscriptions are back', () => Promise.resolve(heard() > before));
    const laptop = await device(right, ALICE, 'laptop');
    const bob = await left.signIn(BOB);
    await bob.waitFor('message');
    await laptop.client.waitFor('delivered', { messageId: 'm1' });
  });

  it('close the older connection of a device within a recheck where the word of the newer was lost', async () => {
    const older = await device(left, BOB, 'phone', { acknowledges: false });
    await deafen(left);
    const newer = await device(right, BOB, 'phone');
    await left.run('look for missed mail');
    expect(await older.client.closed()).toBe(4409);
    await right.run('look for missed mail');
    await newer.client.settled();
    expect(newer.client.socket.readyState).toBe(newer.client.socket.OPEN);
  });

  it('feel a block and its end within a recheck where the word of it was lost', async () => {
    const bob = await right.signIn(BOB);
    const alice = await right.signIn(ALICE);
    alice.send({ type: 'subscribe_presence', addresses: [BOB] });
    await alice.waitFor('presence', { status: 'online' });
    const list = (method: string) => fetch(`${left.url}/api/blocks/${ALICE}?owner=${BOB}`, { method });
    const typed = async (): Promise<number> => {
      alice.send({ type: 'typing', to: BOB, isTyping: true });
      await alice.settled();
      await bob.settled();
      return bob.ofType('typing').length;
    };
    await right.run('look for missed blocks');
    await deafen(right);
    await list('PUT');
    expect(await typed()).toBe(1);
    expect(alice.ofType('presence').at(-1)).toMatchObject({ status: 'online' });
    await right.run('look for missed blocks');
    expect(await typed()).toBe(1);
    await alice.until(() => alice.ofType('presence').at(-1)?.status === 'offline', 'offline');
    await list('DELETE');
    await right.run('look for missed blocks');
    expect(await typed()).toBe(2);
    await alice.until(() => alice.ofType('presence').at(-1)?.status === 'online', 'online');
  });

  it.each(['heard', 'unheard'])(
    'bring everything to a classic connection that lags, while one on the other node keeps up (%s)',
    async (word) => {
      const slow = await ClassicClient.connect(left.wsUrl, { address: BOB, autoPong: false });
      const pings: Buffer[] = [];
      slow.socket.on('ping', (payload: Buffer) => pings.push(payload));
      slow.send({ type: 'auth', address: BOB });
      await slow.waitFor('auth_success');
      if (word === 'unheard') await deafen(right);
      const quick = await right.signIn(BOB);
      const alice = await left.signIn(ALICE);
      for (const id of range(200)) alice.message(BOB, id);
      // What is not heard is found.
      if (word === 'unheard') {
        await alice.settled();
        await fetch(`${left.url}/api/messages/${BOB}/queue-size`);
        for (let i = 0; i < 10 && quick.messageIds.length < 200; i++) {
          await right.run('look for missed mail');
          await quick.settled();
        }
      }
      await quick.waitForCount('message', 200);
      await alice.waitForCount('delivered', 200);
      expect(slow.messageIds).toEqual(range(64));
      slow.socket.on('ping', (payload: Buffer) => slow.socket.pong(payload));
      slow.socket.pong(pings.at(-1));
      await slow.waitForCount('message', 200);
      expect(slow.messageIds).toEqual(range(200));
      expect(slow.ofType('gap')).toEqual([]);
    },
  );

  it('store the same message once, sent fifty times to both, and give one kind of answer', async () => {
    const senders = await Promise.all([left.signIn(ALICE), right.signIn(ALICE)]);
    for (let i = 0; i < 25; i++) for (const sender of senders) sender.message(BOB, 'm1');
    for (const sender of senders) await sender.waitForCount('queued', 25);
    const bob = await right.signIn(BOB);
    await bob.waitFor('message');
    await bob.settled();
    expect(bob.messageIds).toEqual(['m1']);
  });

  it('have everything again after all of them stopped: mail, keys, cursors, devices', async () => {
    const bob = await device(left, BOB, 'phone', { acknowledges: false });
    const alice = await right.signIn(ALICE);
    for (const id of range(20)) alice.message(BOB, id);
    const messages = await bob.client.waitForCount('message', 20);
    bob.ack(messages[4]!.id);
    await alice.waitFor('delivered', { messageId: 'm5' });
    const upload = { address: BOB, publicKey: 'key of bob' };
    const headers = { 'content-type': 'application/json' };
    await fetch(`${left.url}/api/public-keys`, { method: 'POST', headers, body: JSON.stringify(upload) });
    await Promise.all([left.stop(), right.stop()]);

    [left, right] = await Promise.all([start(), start()]);
    const again = await device(right, BOB, 'phone');
    expect(again.welcome.pending).toBe(15);
    await again.synced();
    expect(again.messageIds).toEqual(range(20).slice(5));
    const key = (await (await fetch(`${left.url}/api/public-keys/${BOB}`)).json()) as { publicKey: string };
    expect(key.publicKey).toBe('key of bob');
    const waiting = await left.signIn(ALICE);
    await waiting.waitFor('delivered', { messageId: 'm20' });
  });

  it('take a token that the other gave, and end it there within moments when it is revoked here', async () => {
    const key = SigningKey.of(1);
    const first = await SignedDevice.signIn(left.wsUrl, key);
    const second = await SignedDevice.resume(right.wsUrl, key, first.token);
    expect(await first.client.closed()).toBe(4409);
    await left.app.get(AuthService).revoke(key.address as Address, 'phone');
    expect(await second.client.closed()).toBe(4440);
    const third = await SignedDevice.connect(right.wsUrl, key);
    third.hello({ token: first.token });
    await third.prove();
  });

  it('hear of a revocation and of a first sign-in by asking, where the word of the other node is lost', async () => {
    const key = SigningKey.of(2);
    const believed = await right.signIn(key.address);
    const phone = await SignedDevice.connect(right.wsUrl, SigningKey.of(3));
    phone.hello({ challenge: true });
    await phone.prove();
    right.app.get<{ heard: unknown }>(Backplane).heard = () => undefined;
    await right.run('look for revoked sessions');
    await SignedDevice.signIn(left.wsUrl, key, 'tablet');
    await left.app.get(AuthService).revoke(phone.key.address as Address, 'phone');
    await Promise.all([believed.settled(), phone.client.settled()]);
    await right.run('look for revoked sessions');
    expect(await phone.client.closed()).toBe(4440);
    expect(await believed.closed()).toBe(4403);
  });

  it('answer a hung Redis within 10 s, are not ready, and go on by themselves', async () => {
    const alice = await left.signIn(ALICE);
    redis.pause();
    try {
      alice.message(BOB, 'm1');
      await alice.waitFor('error', { messageId: 'm1', code: 'store_unavailable', outcome: 'unknown', retryable: true });
      const ready = await fetch(`${left.url}/health/ready`);
      expect(ready.status).toBe(503);
    } finally {
      redis.resume();
    }
    await eventually('ready', async () => (await fetch(`${left.url}/health/ready`)).status === 200);
    // It ran when Redis woke, or not: sent again, it is there once.
    alice.message(BOB, 'm1');
    await alice.until(() => ['queued', 'delivered'].includes(alice.frames.at(-1)!.type), 'a verdict');
    const bob = await right.signIn(BOB);
    await bob.waitFor('message');
    await bob.settled();
    expect(bob.messageIds).toEqual(['m1']);
  });
});
