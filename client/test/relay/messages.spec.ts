import { WebSocket } from 'ws';
import type { SocketConstructor } from '../../environment.js';
import { MemoryStore } from '../../store.memory.js';
import { addressOf } from '../../../test/support/classic-client.js';
import { type RunningRelay, startRelay } from '../../../test/support/relay.js';
import { Person, within } from '../support/person.js';
import { parseAddress } from '@relay/protocol';

const ALICE = parseAddress(addressOf(1))!;
const BOB = parseAddress(addressOf(2))!;

/** Sockets of one client, which a test cuts as a network does. */
function cuttable(): { WebSocket: SocketConstructor; cut: () => void } {
  const sockets: WebSocket[] = [];
  class Cuttable extends WebSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  }
  return { WebSocket: Cuttable as unknown as SocketConstructor, cut: () => sockets.at(-1)?.terminate() };
}

describe('the client, with a relay', () => {
  let relay: RunningRelay;
  const people: Person[] = [];

  beforeEach(async () => {
    relay = await startRelay({ env: { HISTORY_RETENTION_HOURS: '1' } });
  });

  afterEach(async () => {
    await Promise.all(people.splice(0).map(({ client }) => client.close()));
    await relay.stop();
  });

  async function join(address: string, options: Partial<Parameters<typeof Person.connect>[0]> = {}): Promise<Person> {
    const person = await Person.connect({ url: relay.wsUrl, address, ...options });
    people.push(person);
    return person;
  }

  describe('a message', () => {
    it('arrives, and its sender hears that it was delivered, then read', async () => {
      const alice = await join(ALICE);
      const bob = await join(BOB);
      const message = await alice.client.send(BOB, 'hello');
      expect(await within(message.delivered, 'delivered')).toMatchObject({ kind: 'delivered', peer: BOB });
      await bob.has(1);
      expect(bob.messages).toMatchObject([
        { from: ALICE, content: 'hello', messageId: message.messageId, key: `${ALICE}/${message.messageId}` },
      ]);
      expect(bob.client.markRead(bob.messages[0]!)).toBe(true);
      expect(await within(message.read, 'read')).toMatchObject({ kind: 'read', peer: BOB });
      expect(alice.client.outboxSize).toBe(0);
    });

    it('to somebody away is queued; it comes with the backlog, in order, and its sender is told', async () => {
      const alice = await join(ALICE);
      const sent = await Promise.all(Array.from({ length: 100 }, (_, i) => alice.client.send(BOB, String(i))));
      expect((await within(sent.at(-1)!.accepted, 'accepted')).kind).toBe('queued');
      const bob = await Person.open({ url: relay.wsUrl, address: BOB });
      people.push(bob);
      const progress: unknown[] = [];
      bob.client.on('progress', (event) => progress.push(event));
      bob.client.start();
      await bob.is('online');
      expect(bob.contents).toEqual(sent.map((_, i) => String(i)));
      expect(bob.messages.every(({ isQueued }) => isQueued)).toBe(true);
      expect(progress).toEqual(Array.from({ length: 101 }, (_, done) => ({ done, total: 100 })));
      await within(Promise.all(sent.map(({ delivered }) => delivered)), 'all delivered');
    });

    it('sent while offline waits in the outbox, also over a restart of the process, and is sent once', async () => {
      const store = new MemoryStore();
      const first = await Person.open({ url: relay.wsUrl, address: ALICE, store });
      await first.client.send(BOB, 'one', { messageId: 'own-id' });
      await first.client.send(BOB, 'two');
      expect(first.client.outboxSize).toBe(2);
      const alice = await join(ALICE, { store });
      expect(alice.client.deviceId).toBe(first.client.deviceId);
      const bob = await join(BOB);
      await bob.has(2);
      expect(bob.contents).toEqual(['one', 'two']);
      // A process that was killed before it knew what became of them sends them again.
      const again = await alice.client.send(BOB, 'one', { messageId: 'own-id' });
      await within(again.delivered, 'delivered again');
      expect(bob.contents).toEqual(['one', 'two']);
    });

    it('keeps its order per recipient while the link breaks again and again', async () => {
      const { WebSocket: Cuttable, cut } = cuttable();
      const random = { fraction: () => 0, bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };
      const alice = await join(ALICE, { environment: { WebSocket: Cuttable, random } });
      const bob = await join(BOB);
      const carol = await join(addressOf(3));
      let receipts = 0;
      alice.client.on('receipt', () => {
        if (++receipts % 17 === 0) cut();
      });
      for (let i = 0; i < 100; i++) {
        await alice.client.send(BOB, `b${i}`);
        await alice.client.send(addressOf(3), `c${i}`);
      }
      await Promise.all([bob.has(100), carol.has(100)]);
      expect(bob.contents).toEqual(Array.from({ length: 100 }, (_, i) => `b${i}`));
      expect(carol.contents).toEqual(Array.from({ length: 100 }, (_, i) => `c${i}`));
    });

    it('that is too large is refused here, and the connection stays', async () => {
      const alice = await join(ALICE);
      const message = await alice.client.send(BOB, 'x'.repeat(140_000));
      await expect(within(message.accepted, 'verdict')).rejects.toMatchObject({ code: 'too_large' });
      expect(alice.client.state).not.toBe('stopped');
      await within((await alice.client.send(BOB, 'small')).accepted, 'the next');
    });

    it('with a used id and another content is refused for good', async () => {
      const alice = await join(ALICE);
      const failed = alice.next('failed');
      await within((await alice.client.send(BOB, 'one', { messageId: 'm' })).accepted, 'the first');
      const second = await alice.client.send(BOB, 'two', { messageId: 'm' });
      await expect(within(second.accepted, 'verdict')).rejects.toMatchObject({ code: 'id_conflict' });
      expect(await failed).toMatchObject({ messageId: 'm', to: BOB, error: { code: 'id_conflict' } });
      expect(alice.client.outboxSize).toBe(0);
    });
  });

  describe('handing over', () => {
    it('is acknowledged after the application has saved: a message whose handler fails is offered again', async () => {
      let attempts = 0;
      const alice = await join(ALICE);
      const random = { fraction: () => 0, bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };
      const bob = await join(BOB, {
        environment: { random },
        onMessage: () => {
          if (++attempts < 3) throw new Error('the disk is full');
        },
      });
      const errors: unknown[] = [];
      bob.client.on('error', (error) => errors.push(error.code));
      const message = await alice.client.send(BOB, 'one');
      await within(message.delivered, 'delivered');
      expect(attempts).toBe(3);
      expect(errors).toEqual(['handler_failed', 'handler_failed']);
    });

    it('happens once, though the link broke between it and the acknowledgement', async () => {
      const { WebSocket: Cuttable, cut } = cuttable();
      const store = new MemoryStore();
      const alice = await join(ALICE);
      const message = await alice.client.send(BOB, 'one');
      const bob = await join(BOB, { store, environment: { WebSocket: Cuttable }, onMessage: () => cut() });
      await bob.has(1);
      await within(message.delivered, 'delivered by the second connection, without a second hand-over');
      expect(bob.contents).toEqual(['one']);
    });

    it('happens once over a restart, with what the application saved in the same step', async () => {
      const store = new MemoryStore();
      const alice = await join(ALICE);
      await within((await alice.client.send(BOB, 'one', { messageId: 'm1' })).accepted, 'accepted');
      // It saves, and is gone before it acknowledges.
      const { WebSocket: Cuttable, cut } = cuttable();
      const first = await Person.open({
        url: relay.wsUrl,
        address: BOB,
        store,
        environment: { WebSocket: Cuttable },
        onMessage: ({ key, content }, transaction) => {
          transaction.put(key, content);
          cut();
        },
      });
      first.client.start();
      await first.has(1);
      await first.client.close();
      const second = await join(BOB, { store });
      await within((await alice.client.send(BOB, 'two')).delivered, 'the next one');
      expect(second.contents).toEqual(['two']);
      expect(await second.client.data.list()).toEqual([[`${ALICE}/m1`, 'one']]);
    });
  });

  describe('the rest', () => {
    it('typing, signals and presence reach the other side, presence also on a new connection', async () => {
      const { WebSocket: Cuttable, cut } = cuttable();
      const alice = await join(ALICE, { environment: { WebSocket: Cuttable } });
      const first = alice.next('presence');
      alice.client.watchPresence([BOB]);
      expect(await first).toEqual({ address: BOB, isOnline: false, lastSeen: null });
      const online = alice.next('presence');
      const bob = await join(BOB);
      expect(await online).toMatchObject({ address: BOB, isOnline: true });
      const typing = bob.next('typing');
      alice.client.typing(BOB, true);
      expect(await typing).toMatchObject({ from: ALICE, isTyping: true });
      const signal = bob.next('signal');
      alice.client.signal(BOB, 'offer');
      expect(await signal).toMatchObject({ from: ALICE, data: 'offer' });
      const again = alice.next('presence');
      cut();
      expect(await again).toMatchObject({ address: BOB, isOnline: true });
    });

    it('ephemeral messages arrive at whoever is there, or are refused', async () => {
      const alice = await join(ALICE);
      await expect(within(alice.client.sendEphemeral(BOB, 'now').accepted, 'refusal')).rejects.toMatchObject({
        code: 'recipient_offline',
      });
      const bob = await join(BOB);
      await bob.is('online');
      alice.client.sendEphemeral(BOB, 'now');
      await bob.has(1);
      expect(bob.messages).toMatchObject([{ content: 'now', id: null }]);
    });

    it('history is read in pages, newest first', async () => {
      const alice = await join(ALICE);
      const bob = await join(BOB);
      for (const content of ['one', 'two', 'three']) await alice.client.send(BOB, content);
      await bob.has(3);
      const page = await bob.client.history({ limit: 2 });
      expect(page.entries.map(({ content }) => content)).toEqual(['three', 'two']);
      const rest = await bob.client.history({ before: page.next });
      expect(rest.entries.map(({ content }) => content)).toEqual(['one']);
      expect(rest.next).toBeNull();
    });

    it('what the relay refuses rejects with its code', async () => {
      await relay.stop();
      relay = await startRelay();
      const bob = await join(BOB);
      await expect(bob.client.history()).rejects.toMatchObject({ code: 'unsupported' });
    });

    it('the directory of keys', async () => {
      const alice = await join(ALICE);
      expect(await alice.client.keys.fetch(ALICE)).toBeNull();
      await alice.client.keys.publish({ publicKey: 'a key' });
      expect(await alice.client.keys.fetch(ALICE)).toMatchObject({ address: ALICE, publicKey: 'a key', signed: null });
      expect(await alice.client.keys.fetchMany([ALICE, BOB])).toMatchObject([{ address: ALICE, publicKey: 'a key' }]);
      expect(await alice.client.keys.delete()).toBe(true);
      expect(await alice.client.keys.delete()).toBe(false);
    });
  });

  describe('an end', () => {
    it('by a newer connection of the same device is final: two would end each other for ever', async () => {
      const store = new MemoryStore();
      const first = await join(BOB, { store });
      const stopped = first.next('state');
      await join(BOB, { store });
      expect(await stopped).toMatchObject({ state: 'stopped', error: { code: 'ended' } });
      expect(first.client.state).toBe('stopped');
    });

    it('by a relay that stops is not: the client is back when it is', async () => {
      const bob = await join(BOB);
      await bob.is('online');
      const waiting = bob.next('state');
      await relay.stop();
      expect(await waiting).toMatchObject({ state: 'waiting', error: { code: 'lost' } });
      relay = await startRelay();
    });

    it('before there was a beginning is told: where nobody listens, connect waits, and says why and until when', async () => {
      await relay.stop();
      let told!: (event: unknown) => void;
      const first = new Promise((resolve) => (told = resolve));
      const person = await Person.open({
        url: relay.wsUrl,
        address: BOB,
        onState: (event) => event.state === 'waiting' && told(event),
      });
      people.push(person);
      person.client.start();
      expect(await within(first, 'waiting')).toMatchObject({
        state: 'waiting',
        retryInMs: expect.any(Number) as number,
        error: { code: 'unreachable', message: expect.stringContaining('ECONNREFUSED') as string },
      });
      relay = await startRelay();
    });

    it('for a wrong address rejects at once', async () => {
      await expect(Person.open({ url: relay.wsUrl, address: 'nobody' })).rejects.toThrow(TypeError);
      await expect(Person.open({ url: 'http://here', address: BOB })).rejects.toThrow(TypeError);
    });
  });
});
