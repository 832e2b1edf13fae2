import { CLOSE_CODES } from '@relay/protocol';
import { Backoff, mayReconnect } from '../backoff.js';
import { RelayClient } from '../client.js';
import type { ClientError } from '../errors.js';
import type { ClientEvents } from '../events.js';
import { type Change, type ClientStore } from '../store.js';
import { MemoryStore } from '../store.memory.js';
import { ManualTimers, settled } from './support/manual-timers.js';
import { PlainRandom, ScriptedRelay } from './support/scripted-relay.js';

const OWN = `0x${'a'.repeat(40)}`;
const BOB = `0x${'b'.repeat(40)}`;
const CAROL = `0x${'c'.repeat(40)}`;

describe('full jitter', () => {
  it('spreads attempts from nothing up to a bound that doubles', () => {
    const backoff = new Backoff(new PlainRandom(0.5), { firstMs: 500, maxMs: 30_000 });
    expect(Array.from({ length: 9 }, () => backoff.nextMs())).toEqual([
      250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000,
    ]);
    backoff.reset();
    expect(backoff.nextMs()).toBe(250);
  });
});

describe('close codes', () => {
  it.each(Object.entries(CLOSE_CODES))('%s is as the table says', (code, { reconnect }) => {
    expect(mayReconnect(Number(code), null)).toBe(reconnect);
  });

  it.each([1005, 1006, 4999])('%d, which is not in it, is a broken link', (code) => {
    expect(mayReconnect(code, null)).toBe(true);
  });
});

describe('a connection that ends', () => {
  let timers: ManualTimers;
  let relay: ScriptedRelay;
  let client: RelayClient;
  let states: ClientEvents['state'][];

  const open = async (options: { store?: ClientStore; onMessage?: () => unknown } = {}): Promise<void> => {
    timers = new ManualTimers();
    relay = new ScriptedRelay();
    client = await RelayClient.open({
      url: 'ws://relay.example',
      address: OWN,
      onMessage: () => undefined,
      environment: { clock: timers, random: new PlainRandom(), WebSocket: relay.WebSocket },
      ...options,
    });
    states = [];
    client.on('state', (event) => states.push(event));
    client.start();
  };

  beforeEach(() => open());

  const message = (id: string, messageId = id) => ({
    type: 'message',
    from: BOB,
    content: 'x',
    messageId,
    timestamp: 1,
    id,
  });

  it('is followed by another, later and later', async () => {
    for (const waitMs of [500, 1000, 2000]) {
      relay.last.closed(1006);
      expect(states.at(-1)).toMatchObject({ state: 'waiting', retryInMs: waitMs });
      await timers.advance(waitMs - 1);
      const { length } = relay.sockets;
      await timers.advance(1);
      expect(relay.sockets).toHaveLength(length + 1);
    }
  });

  it('says why it waits: that nobody could be reached, with what the socket knew, or that one was lost', async () => {
    relay.last.failed(Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' }));
    relay.last.closed(1006);
    const unreachable = 'The relay cannot be reached';
    expect(states.at(-1)?.error).toMatchObject({
      code: 'unreachable',
      message: `${unreachable}: connect ECONNREFUSED 127.0.0.1:1`,
      isRetryable: true,
    });
    await timers.advance(500);
    // Of several addresses that all refused, Node has one error without a text.
    relay.last.failed(Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }));
    relay.last.closed(1006);
    expect(states.at(-1)?.error).toMatchObject({ code: 'unreachable', message: `${unreachable}: ECONNREFUSED` });
    await timers.advance(1000);
    // A browser tells nothing.
    relay.last.failed(undefined);
    relay.last.closed(1006);
    expect(states.at(-1)?.error).toMatchObject({ code: 'unreachable', message: unreachable });
    await timers.advance(2000);
    relay.last.welcome();
    relay.last.closed(1006);
    expect(states.at(-1)?.error).toMatchObject({ code: 'lost', message: 'The connection ended; another is tried' });
  });

  it('starts from the beginning after one that lived', async () => {
    relay.last.closed(1006);
    await timers.advance(500);
    relay.last.welcome();
    relay.last.closed(1006);
    expect(states.at(-1)).toMatchObject({ retryInMs: 1000 });
    await timers.advance(1000);
    relay.last.welcome();
    await timers.advance(10_000);
    relay.last.closed(1006);
    expect(states.at(-1)).toMatchObject({ retryInMs: 500 });
  });

  it('waits as long as the relay asked for, and no longer', async () => {
    relay.last.welcome();
    relay.last.say({ type: 'going_away', reconnectAfterMs: 7_300 });
    relay.last.closed(1012);
    expect(states.at(-1)).toMatchObject({
      state: 'waiting',
      retryInMs: 7_300,
      error: { code: 'lost', message: 'The connection ended; another is tried: service restart', isRetryable: true },
    });
    await timers.advance(7_300);
    relay.last.open();
    relay.last.say({ type: 'error', code: 'unavailable', message: 'x', retryable: true, retryAfterMs: 2_500 });
    relay.last.closed(1013);
    // In the relay's own words.
    expect(states.at(-1)).toMatchObject({
      state: 'waiting',
      retryInMs: 2_500,
      error: { code: 'unavailable', message: 'x' },
    });
  });

  it('can be followed at once where the application knows better', () => {
    relay.last.closed(1006);
    client.wake();
    expect(relay.sockets).toHaveLength(2);
    client.wake();
    expect(relay.sockets).toHaveLength(2);
  });

  it('for good is told with its code, and starts again only when asked to', async () => {
    relay.last.welcome();
    relay.last.closed(4409, 'replaced');
    expect(states.at(-1)).toMatchObject({
      state: 'stopped',
      error: { code: 'ended', message: expect.stringContaining('4409') as string },
    });
    await timers.advance(60 * 60_000);
    expect(relay.sockets).toHaveLength(1);
    client.start();
    expect(relay.sockets).toHaveLength(2);
  });

  it('in silence is noticed: 25 s, a ping, 10 s more', async () => {
    relay.last.welcome();
    await timers.advance(24_000);
    relay.last.say({ type: 'pong', timestamp: 1 });
    await timers.advance(24_999);
    expect(relay.last.ofType('ping')).toHaveLength(0);
    await timers.advance(1);
    expect(relay.last.ofType('ping')).toHaveLength(1);
    await timers.advance(9_999);
    expect(client.state).toBe('syncing');
    await timers.advance(1);
    expect(client.state).toBe('waiting');
    expect(relay.last.isClosedByClient).toBe(true);
  });

  it('before it let us in is given up after 15 s', async () => {
    relay.last.open();
    await timers.advance(15_000);
    expect(client.state).toBe('waiting');
  });

  it('says nothing any more: what comes after it is another connection’s', () => {
    relay.last.welcome();
    const [old] = relay.sockets;
    relay.last.closed(1006);
    client.wake();
    relay.last.welcome();
    old!.closed(4409);
    expect(client.state).toBe('syncing');
  });

  it('after close leaves no timer behind', async () => {
    relay.last.welcome();
    await client.send(BOB, 'x');
    await client.close();
    expect(timers.size).toBe(0);
    expect(client.state).toBe('stopped');
  });

  it.each([
    '',
    'x',
    '[]',
    'null',
    '{}',
    '{"type":"message"}',
    '{"type":"new","x":1}',
    '{"type":"constructor"}',
    '{"type":"message","from":1}',
  ])('is not what a frame like %j does', (text) => {
    relay.last.welcome();
    relay.last.sayText(text);
    expect(client.state).toBe('syncing');
  });

  describe('the outbox', () => {
    const sent = () => relay.last.ofType('message').map(({ content }) => content);

    it('has one message under way to each recipient', async () => {
      for (const content of ['1', '2']) await client.send(BOB, content);
      await client.send(CAROL, '3');
      relay.last.welcome();
      expect(sent()).toEqual(['1', '3']);
      const [first] = relay.last.ofType('message');
      relay.last.say({ type: 'queued', messageId: first!.messageId, to: BOB, timestamp: 1 });
      expect(sent()).toEqual(['1', '3', '2']);
    });

    it.each([
      ['asks for', 4_000, 4_000],
      ['leaves to us', undefined, 1_000],
    ])(
      'tries again what the relay cannot take now, after what it %s, before what stands behind it',
      async (_, retryAfterMs, waitMs) => {
        const message = await client.send(BOB, '1');
        await client.send(BOB, '2');
        relay.last.welcome();
        const delayed = new Promise<ClientError>((resolve) => client.on('delayed', ({ error }) => resolve(error)));
        const refusal = { type: 'error', code: 'mailbox_full', message: 'full', retryable: true, outcome: 'refused' };
        relay.last.say({ ...refusal, messageId: message.messageId, retryAfterMs });
        expect(await delayed).toMatchObject({ code: 'mailbox_full' });
        await timers.advance(waitMs - 1);
        expect(sent()).toEqual(['1']);
        await timers.advance(1);
        expect(sent()).toEqual(['1', '1']);
        expect(new Set(relay.last.ofType('message').map(({ messageId }) => messageId)).size).toBe(1);
        relay.last.say({ type: 'queued', messageId: message.messageId, to: BOB, timestamp: 1 });
        expect(sent()).toEqual(['1', '1', '2']);
      },
    );

    it('slows down for everybody where the relay says that we are too fast', async () => {
      const message = await client.send(BOB, '1');
      relay.last.welcome();
      relay.last.say({
        type: 'error',
        code: 'rate_limited',
        message: 'x',
        messageId: message.messageId,
        outcome: 'refused',
        retryAfterMs: 700,
      });
      await client.send(CAROL, '2');
      expect(sent()).toEqual(['1']);
      await timers.advance(700);
      expect(sent().sort()).toEqual(['1', '1', '2']);
    });

    it('sends again where no verdict comes', async () => {
      await client.send(BOB, '1');
      relay.last.welcome();
      await timers.advance(15_000 + 1_000);
      expect(sent()).toEqual(['1', '1']);
    });

    it('ends with what is refused for good, and goes on with the next', async () => {
      const message = await client.send(BOB, '1');
      await client.send(BOB, '2');
      relay.last.welcome();
      relay.last.say({
        type: 'error',
        code: 'forbidden',
        message: 'x',
        messageId: message.messageId,
        outcome: 'refused',
      });
      await expect(message.accepted).rejects.toMatchObject({ code: 'forbidden' });
      await expect(message.read).rejects.toMatchObject({ code: 'forbidden' });
      expect(sent()).toEqual(['1', '2']);
    });

    it('takes the same message once, and no other under its id', async () => {
      const [one, other] = await Promise.all([
        client.send(BOB, '1', { messageId: 'm' }),
        client.send(BOB, '1', { messageId: 'm' }),
      ]);
      expect(other).toBe(one);
      await expect(client.send(BOB, '2', { messageId: 'm' })).rejects.toMatchObject({ code: 'id_in_use' });
      await expect(client.send(CAROL, '1', { messageId: 'm' })).rejects.toMatchObject({ code: 'id_in_use' });
      expect(client.outboxSize).toBe(1);
    });

    it.each([
      ['an address that is none', 'bob', 'x', {}],
      ['no content', BOB, '', {}],
      ['an id that is none', BOB, 'x', { messageId: 'ü' }],
      ['a time of nothing', BOB, 'x', { ttlSeconds: 0 }],
    ])('refuses %s at once', async (_, to, content, options) => {
      await expect(client.send(to, content, options)).rejects.toMatchObject({ code: 'bad_message' });
    });

    it('receipts never go back, and an expired message rejects', async () => {
      const message = await client.send(BOB, '1');
      const { messageId } = message;
      relay.last.welcome();
      const kinds: string[] = [];
      client.on('receipt', ({ kind }) => kinds.push(kind));
      relay.last.say({ type: 'delivered', messageId, to: BOB, timestamp: 1 });
      relay.last.say({ type: 'queued', messageId, to: BOB, timestamp: 1 });
      relay.last.say({ type: 'delivered', messageId, to: BOB, timestamp: 1, id: '1-1' });
      expect(kinds).toEqual(['delivered']);
      relay.last.say({ type: 'expired', messageId, to: BOB });
      expect(kinds).toEqual(['delivered', 'expired']);
      await expect(message.delivered).resolves.toMatchObject({ kind: 'delivered' });
      await expect(message.read).rejects.toMatchObject({ code: 'expired' });
    });
  });

  describe('the inbox', () => {
    it('acknowledges many with one frame, and nothing before it is saved', async () => {
      const store = new SlowStore();
      await open({ store });
      relay.last.welcome();
      for (const id of ['1-1', '1-2', '1-3']) relay.last.say(message(id));
      await settled();
      expect(relay.last.ofType('ack')).toEqual([]);
      store.release();
      await settled();
      expect(relay.last.ofType('ack')).toEqual([{ type: 'ack', upTo: '1-3' }]);
    });

    it('acknowledges what it had handed over before, without doing so again', async () => {
      let calls = 0;
      await open({ onMessage: () => calls++ });
      relay.last.welcome();
      relay.last.say(message('1-1', 'm'));
      await settled();
      relay.last.closed(1006);
      client.wake();
      relay.last.welcome();
      relay.last.say(message('1-1', 'm'));
      await settled();
      expect(calls).toBe(1);
      expect(relay.last.ofType('ack')).toEqual([{ type: 'ack', upTo: '1-1' }]);
    });

    it('does not hand over again while the handler of the connection before still works', async () => {
      let calls = 0;
      let finish!: () => void;
      await open({ onMessage: () => new Promise<void>((resolve) => ((finish = resolve), calls++)) });
      relay.last.welcome();
      relay.last.say(message('1-1', 'm'));
      relay.last.closed(1006);
      client.wake();
      relay.last.welcome();
      relay.last.say(message('1-1', 'm'));
      await settled();
      expect(calls).toBe(1);
      expect(relay.last.ofType('ack')).toEqual([]);
      finish();
      await settled();
      expect(calls).toBe(1);
      expect(relay.last.ofType('ack')).toEqual([{ type: 'ack', upTo: '1-1' }]);
    });

    it('stops where the store fails: without it nothing can be promised', async () => {
      const store = new SlowStore();
      await open({ store });
      relay.last.welcome();
      relay.last.say(message('1-1'));
      relay.last.say(message('1-2'));
      await settled();
      store.fail(new Error('the disk is full'));
      await settled();
      expect(relay.last.ofType('ack')).toEqual([]);
      expect(states.at(-1)).toMatchObject({ state: 'stopped', error: { code: 'store_failed' } });
    });

    it('a gap is told in its place, and a backlog is complete when all of it is handed over', async () => {
      const order: string[] = [];
      await open({ onMessage: () => order.push('message') });
      client.on('gap', ({ count }) => order.push(`gap of ${count}`));
      client.on('state', ({ state }) => order.push(state));
      relay.last.welcome({ pending: 2 });
      relay.last.say(message('1-1'));
      relay.last.say({ type: 'gap', reason: 'expired', count: 3 });
      relay.last.say(message('1-2'));
      relay.last.say({ type: 'sync_complete', upTo: '1-2' });
      await settled();
      expect(order).toEqual(['syncing', 'message', 'gap of 3', 'message', 'online']);
    });
  });
});

/** Keeps every write of a message's mark waiting until it is told how it ends. */
class SlowStore extends MemoryStore {
  private readonly waiting: { go: () => void; stop: (error: Error) => void }[] = [];

  override write(changes: readonly Change[]): Promise<void> {
    if (!changes.some(([key]) => key.startsWith('seen/'))) return super.write(changes);
    return new Promise((resolve, reject) => {
      this.waiting.push({ go: () => resolve(super.write(changes)), stop: reject });
    });
  }

  release(): void {
    for (const { go } of this.waiting.splice(0)) go();
  }

  /** The first of them; the later ones succeed. */
  fail(error: Error): void {
    this.waiting.shift()?.stop(error);
    this.release();
  }
}
