import { addressOf, type ClassicClient } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const ALICE = addressOf(1);
const BOB = addressOf(2);
const CAROL = addressOf(3);

describe('lists of contacts', () => {
  let relay: RunningRelay;
  let clock: ManualClock;

  beforeEach(async () => {
    clock = new ManualClock();
    relay = await startRelay({ clock });
  });

  afterEach(() => relay.stop());

  const call = async (method: string, path: string): Promise<{ status: number; body: Record<string, unknown> }> => {
    const response = await fetch(`${relay.url}/api/${path}`, { method });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const block = (owner: string, peer: string) => call('PUT', `blocks/${peer}?owner=${owner}`);

  describe('by REST', () => {
    it.each(['blocks', 'allowed'])('are kept: %s', async (list) => {
      expect(await call('PUT', `${list}/${BOB.toUpperCase().replace('0X', '0x')}?owner=${ALICE}`)).toEqual({
        status: 200,
        body: { success: true, address: BOB },
      });
      expect((await call('PUT', `${list}/${BOB}?owner=${ALICE}`)).status).toBe(200);
      await call('PUT', `${list}/${CAROL}?owner=${ALICE}`);
      const first = await call('GET', `${list}?owner=${ALICE}&limit=1`);
      expect(first.body).toEqual({ count: 1, addresses: [BOB], next: BOB });
      const second = await call('GET', `${list}?owner=${ALICE}&after=${BOB}`);
      expect(second.body).toEqual({ count: 1, addresses: [CAROL], next: null });
      expect((await call('DELETE', `${list}/${BOB}?owner=${ALICE}`)).status).toBe(200);
      expect(await call('DELETE', `${list}/${BOB}?owner=${ALICE}`)).toMatchObject({ status: 404 });
    });

    it.each([
      ['without saying whose list it is', 'GET', 'blocks'],
      ['of what is no address', 'GET', 'blocks?owner=0x1'],
      ['of two addresses', 'GET', `blocks?owner=${ALICE}&owner=${BOB}`],
      ['of an owner who blocks itself', 'PUT', `blocks/${ALICE}?owner=${ALICE}`],
      ['of what is no address to block', 'PUT', `blocks/0x1?owner=${ALICE}`],
      ['with a page size out of bounds', 'GET', `allowed?owner=${ALICE}&limit=101`],
      ['after what is no address', 'GET', `allowed?owner=${ALICE}&after=x`],
    ])('refuse a call %s', async (_, method, path) => {
      expect(await call(method, path)).toMatchObject({ status: 400, body: { code: 'bad_message' } });
    });
  });

  describe('somebody who is blocked', () => {
    let alice: ClassicClient;
    let bob: ClassicClient;

    beforeEach(async () => {
      alice = await relay.signIn(ALICE);
      bob = await relay.signIn(BOB);
    });

    /** Everything that Bob, whom Alice blocks, is told of these. */
    const answersTo = async (act: () => void, count = 0): Promise<Record<string, unknown>[]> => {
      const before = bob.frames.length;
      act();
      await bob.until(() => bob.frames.length >= before + count, 'answers');
      await bob.settled();
      await alice.settled();
      clock.advance(11_000);
      await relay.run('answer ephemeral sends');
      await bob.settled();
      return bob.frames.slice(before).filter(({ type }) => type !== 'pong');
    };

    it('is answered queued, again and again, and nothing arrives', async () => {
      await block(ALICE, BOB);
      await alice.settled();
      const answers = await answersTo(() => {
        bob.message(ALICE, 'm1');
        bob.message(ALICE, 'm1');
        bob.message(ALICE, 'm2');
      }, 3);
      expect(answers.map(({ type, messageId, to }) => [type, messageId, to])).toEqual([
        ['queued', 'm1', ALICE],
        ['queued', 'm1', ALICE],
        ['queued', 'm2', ALICE],
      ]);
      expect(alice.messageIds).toEqual([]);
      expect((await call('GET', `messages/${ALICE}`)).body).toMatchObject({ count: 0 });
    });

    it('gets exactly what it would get of somebody offline', async () => {
      await block(ALICE, BOB);
      const acts = (to: string) => () => {
        bob.message(to, 'm1');
        bob.message(to, 'm1', { content: 'other' });
        bob.message(to, 'e1', { ephemeral: true });
        bob.send({ type: 'typing', to, isTyping: true });
        bob.send({ type: 'signal', to, data: 'x' });
        bob.send({ type: 'read_receipt', to, messageId: 'nothing' });
        bob.send({ type: 'subscribe_presence', addresses: [to] });
      };
      const normal = (frames: Record<string, unknown>[]) =>
        frames.map((frame) => JSON.stringify({ ...frame, to: 0, address: 0, timestamp: 0, lastSeen: 0 })).sort();
      const ofBlocker = await answersTo(acts(ALICE), 4);
      expect(normal(ofBlocker)).toEqual(normal(await answersTo(acts(CAROL), 4)));
      expect(alice.frames.filter(({ type }) => ['message', 'typing', 'signal'].includes(type))).toEqual([]);
    });

    it('is not told what the other reads, takes or does', async () => {
      bob.message(ALICE, 'm1');
      await alice.waitFor('message', { messageId: 'm1' });
      await bob.waitFor('delivered', { messageId: 'm1' });
      bob.send({ type: 'subscribe_presence', addresses: [ALICE] });
      await bob.waitFor('presence', { status: 'online' });
      await block(ALICE, BOB);
      await bob.until(() => bob.ofType('presence').at(-1)?.status === 'offline', 'offline');
      expect(bob.ofType('presence').at(-1)).not.toHaveProperty('lastSeen');
      const answers = await answersTo(() => alice.send({ type: 'read_receipt', to: BOB, messageId: 'm1' }));
      expect(answers).toEqual([]);
      // The other way is free.
      alice.message(BOB, 'of-alice');
      await bob.waitFor('message', { messageId: 'of-alice' });
    });

    it('is told neither by REST nor by a repeat that somebody took what came before, but that it expired', async () => {
      await alice.close();
      bob.message(ALICE, 'm1', { ttlSeconds: 10 });
      bob.message(ALICE, 'm2', { ttlSeconds: 10 });
      await bob.waitForCount('queued', 2);
      await block(ALICE, BOB);
      const { messages } = (await call('GET', `messages/${ALICE}`)).body as { messages: { id: string }[] };
      expect(await call('DELETE', `messages/${ALICE}?upTo=${messages[0]!.id}`)).toMatchObject({ body: { cleared: 1 } });
      alice = await relay.signIn(ALICE);
      await alice.waitFor('message', { messageId: 'm2' });
      await alice.settled();
      const told = bob.frames.length;
      bob.message(ALICE, 'm1', { ttlSeconds: 10 });
      bob.message(ALICE, 'm2', { ttlSeconds: 10 });
      bob.message(ALICE, 'm3', { ttlSeconds: 10 });
      await bob.waitForCount('queued', 5);
      await bob.settled();
      clock.advance(10_000);
      await relay.run('purge mailboxes');
      await bob.waitForCount('expired', 3);
      const answers = bob.frames.slice(told).filter(({ type }) => type !== 'pong');
      expect(answers.map(({ type }) => type).sort()).toEqual([
        'expired',
        'expired',
        'expired',
        'queued',
        'queued',
        'queued',
      ]);
      expect((await call('GET', `messages/${ALICE}/queue-size`)).body).toMatchObject({ queueSize: 0 });
    });

    it('may write again once that is over', async () => {
      await block(ALICE, BOB);
      await call('DELETE', `blocks/${BOB}?owner=${ALICE}`);
      bob.message(ALICE, 'm1');
      await alice.waitFor('message', { messageId: 'm1' });
      bob.send({ type: 'typing', to: ALICE, isTyping: true });
      await alice.waitFor('typing');
    });
  });
});

describe('messages of one IP address', () => {
  it('have a budget together, which more addresses do not make larger and bigger messages use sooner', async () => {
    const clock = new ManualClock();
    // 20 s of it at once.
    const relay = await startRelay({ clock, env: { SEND_RATE_PER_IP: '0.5' } });
    const [alice, bob] = [await relay.signIn(ALICE), await relay.signIn(BOB)];
    for (let i = 0; i < 5; i++) alice.message(CAROL, `a${i}`);
    await alice.waitForCount('queued', 5);
    bob.message(CAROL, 'large', { content: 'x'.repeat(4 * 4096) });
    await bob.waitFor('queued', { messageId: 'large' });
    alice.message(CAROL, 'late');
    const details = { messageId: 'late', code: 'rate_limited', outcome: 'refused', retryAfterMs: 2_000 };
    await alice.waitFor('error', details);
    // What is not stored does not count.
    alice.send({ type: 'typing', to: BOB, isTyping: true });
    await bob.waitFor('typing');
    clock.advance(2_000);
    alice.message(CAROL, 'late');
    await alice.waitFor('queued', { messageId: 'late' });
    await relay.stop();
  });
});

/** In a mailbox of 100, as where addresses are proved. */
describe('strangers', () => {
  let relay: RunningRelay;

  beforeEach(async () => {
    relay = await startRelay({
      env: { MAX_OFFLINE_MESSAGES: '100', MAX_STRANGER_MESSAGES: '5' },
      settings: { tellsStrangers: true },
    });
  });

  afterEach(() => relay.stop());

  const verdicts = async (sender: ClassicClient, to: string, ids: readonly string[]): Promise<unknown[]> => {
    const before = sender.frames.length;
    for (const id of ids) sender.message(to, id);
    await sender.until(() => sender.frames.length - before >= ids.length, 'verdicts');
    return sender.frames.slice(before).map(({ type, code }) => (type === 'error' ? code : type));
  };
  const ids = (count: number, prefix = 'm') => Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);

  /** Bob is somebody whom Alice, who is away, wrote to. */
  const meet = async (): Promise<ClassicClient> => {
    const alice = await relay.signIn(ALICE);
    const bob = await relay.signIn(BOB);
    alice.message(BOB, 'hello');
    await bob.waitFor('message');
    await alice.waitFor('delivered');
    await alice.close();
    return bob;
  };

  it('one floods: the fifth message is its last, and a contact is heard', async () => {
    const bob = await meet();
    const stranger = await relay.signIn(CAROL);
    const answers = await verdicts(stranger, ALICE, ids(300));
    expect(answers.filter((answer) => answer === 'queued')).toHaveLength(5);
    expect(answers.filter((answer) => answer === 'stranger_share_full')).toHaveLength(295);
    expect(await verdicts(bob, ALICE, ['of-bob'])).toEqual(['queued']);
  });

  it('a hundred flood: they get half of the mailbox, and a contact is heard while they go on', async () => {
    const bob = await meet();
    const strangers = await Promise.all(ids(100).map((_, i) => relay.signIn(addressOf(0x100000 + i))));
    const floods = strangers.map((stranger) => verdicts(stranger, ALICE, ids(20)));
    await floods[0];
    expect(await verdicts(bob, ALICE, ['of-bob'])).toEqual(['queued']);
    const answers = (await Promise.all(floods)).flat();
    expect(answers.filter((answer) => answer === 'queued')).toHaveLength(50);
    expect(await verdicts(bob, ALICE, ids(49, 'more'))).toEqual(Array(49).fill('queued'));
    const alice = await relay.signIn(ALICE);
    await alice.waitFor('message', { messageId: 'of-bob' });
  });

  it('are none any more once their mail was taken by REST', async () => {
    const carol = await relay.signIn(CAROL);
    expect(await verdicts(carol, ALICE, ids(6))).toEqual([
      'queued',
      'queued',
      'queued',
      'queued',
      'queued',
      'stranger_share_full',
    ]);
    const listed = await fetch(`${relay.url}/api/messages/${ALICE}`);
    const { messages } = (await listed.json()) as { messages: { id: string }[] };
    await fetch(`${relay.url}/api/messages/${ALICE}?upTo=${messages[0]!.id}`, { method: 'DELETE' });
    await carol.waitFor('delivered', { messageId: 'm1' });
    expect(await verdicts(carol, ALICE, ids(10, 'later'))).toEqual(Array(10).fill('queued'));
  });

  it('that are blocked are refused what any of them would be', async () => {
    const carol = await relay.signIn(CAROL);
    await fetch(`${relay.url}/api/blocks/${CAROL}?owner=${ALICE}`, { method: 'PUT' });
    expect(await verdicts(carol, ALICE, ids(7))).toEqual(await verdicts(carol, addressOf(77), ids(7)));
    expect(carol.ofType('error')).toHaveLength(4);
  });

  it('are none any more once their mail was taken', async () => {
    const alice = await relay.signIn(ALICE);
    const carol = await relay.signIn(CAROL);
    carol.message(ALICE, 'first');
    await alice.waitFor('message', { messageId: 'first' });
    await carol.waitFor('delivered');
    await alice.close();
    expect(await verdicts(carol, ALICE, ids(10))).toEqual(Array(10).fill('queued'));
  });
});
