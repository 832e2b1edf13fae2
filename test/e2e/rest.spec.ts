import type { Express } from 'express';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const ALICE = addressOf(1);
const BOB = addressOf(2);
const CAROL = addressOf(3);
/** As wallets show it, with a checksum in its letters' case. */
const MIXED_CASE = '0x5B38Da6a701c568545dCfcB03FcB875f56beddC4';
const LOWER_CASE = MIXED_CASE.toLowerCase();
const NO_KEY = 'Public key not found for this address';
const HOUR_MS = 60 * 60 * 1000;

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed where it is JSON, else the text. */
  readonly body: unknown;
}

interface QueuedMessage {
  readonly id: string;
  readonly messageId: string;
}

interface MessagePage {
  readonly messages: readonly QueuedMessage[];
  readonly next: string | null;
}

describe('REST', () => {
  let clock: ManualClock;
  let relay: RunningRelay;

  beforeEach(async () => {
    clock = new ManualClock();
    relay = await startRelay({ clock });
  });

  afterEach(() => relay.stop());

  async function restart(env: Record<string, string>): Promise<void> {
    await relay.stop();
    relay = await startRelay({ clock, env });
  }

  async function call(method: string, path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(relay.url + path, { method, ...init });
    const text = await response.text();
    const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '') && text !== '';
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  }

  const get = (path: string, headers: Record<string, string> = {}) => call('GET', path, { headers });
  const remove = (path: string) => call('DELETE', path);
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    call('POST', path, {
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  /** Somebody connected whose messages wait for Bob, who is not. */
  async function queueForBob(...messageIds: string[]): Promise<ClassicClient> {
    const alice = await relay.signIn(ALICE);
    for (const messageId of messageIds) alice.message(BOB, messageId);
    await alice.waitForCount('queued', messageIds.length);
    return alice;
  }

  async function messagesOf(address: string, query = ''): Promise<MessagePage> {
    return (await get(`/api/messages/${address}${query}`)).body as MessagePage;
  }

  async function waitingIds(address: string): Promise<string[]> {
    return (await messagesOf(address)).messages.map(({ messageId }) => messageId);
  }

  describe('public keys', () => {
    const keyOf = (address: string) => get(`/api/public-keys/${address}`);
    const upload = (address: unknown, publicKey: unknown, more: object = {}) =>
      post('/api/public-keys', { address, publicKey, ...more });

    it('answers an upload with 200, success, the address and when it was', async () => {
      expect(await upload(ALICE, 'key')).toMatchObject({
        status: 200,
        body: { success: true, address: ALICE, updatedAt: clock.now() },
      });
    });

    it('gives a key back exactly as it was uploaded, with its times and nothing else', async () => {
      const publicKey = ' -----BEGIN "KEY"-----\r\n\t🔑+/= ';
      await upload(ALICE, publicKey);
      const { status, body } = await keyOf(ALICE);
      expect(status).toBe(200);
      expect(body).toEqual({ address: ALICE, publicKey, createdAt: clock.now(), updatedAt: clock.now() });
    });

    it('takes addresses in any case, and answers in lower case', async () => {
      expect((await upload(MIXED_CASE, 'key')).body).toMatchObject({ address: LOWER_CASE });
      const upperCase = `0x${MIXED_CASE.slice(2).toUpperCase()}`;
      for (const address of [LOWER_CASE, MIXED_CASE, upperCase]) {
        expect((await keyOf(address)).body).toMatchObject({ address: LOWER_CASE, publicKey: 'key' });
      }
    });

    it('keeps createdAt and moves updatedAt when a key is replaced', async () => {
      await upload(ALICE, 'old');
      const createdAt = clock.now();
      clock.advance(5_000);
      expect((await upload(ALICE, 'new')).body).toMatchObject({ updatedAt: createdAt + 5_000 });
      expect((await keyOf(ALICE)).body).toEqual({
        address: ALICE,
        publicKey: 'new',
        createdAt,
        updatedAt: createdAt + 5_000,
      });
    });

    it('answers 404 with the text that the first relay had where there is no key', async () => {
      expect(await keyOf(ALICE)).toMatchObject({ status: 404, body: { error: NO_KEY, code: 'not_found' } });
    });

    it('answers HEAD with 200 or 404 and no body', async () => {
      await upload(ALICE, 'key');
      expect(await call('HEAD', `/api/public-keys/${ALICE}`)).toMatchObject({ status: 200, body: '' });
      expect(await call('HEAD', `/api/public-keys/${BOB}`)).toMatchObject({ status: 404, body: '' });
    });

    it('gives many at once by lower-case address, and leaves out those that do not exist', async () => {
      await upload(ALICE, 'key of alice');
      await upload(MIXED_CASE, 'other key');
      const addresses = [MIXED_CASE, ALICE, LOWER_CASE, BOB];
      const { status, body } = await post('/api/public-keys/batch', { addresses });
      const times = { createdAt: clock.now(), updatedAt: clock.now() };
      expect(status).toBe(200);
      expect(body).toEqual({
        count: 2,
        keys: {
          [ALICE]: { address: ALICE, publicKey: 'key of alice', ...times },
          [LOWER_CASE]: { address: LOWER_CASE, publicKey: 'other key', ...times },
        },
      });
    });

    it('gives 500 at once and no more', async () => {
      const addresses = Array.from({ length: 501 }, (_, i) => addressOf(i + 1));
      expect(await post('/api/public-keys/batch', { addresses: addresses.slice(1) })).toMatchObject({
        status: 200,
        body: { count: 0, keys: {} },
      });
      expect(await post('/api/public-keys/batch', { addresses })).toMatchObject({
        status: 400,
        body: { code: 'bad_message', error: 'addresses must have at most 500 addresses' },
      });
    });

    it('deletes a key once', async () => {
      await upload(ALICE, 'key');
      expect(await remove(`/api/public-keys/${ALICE}`)).toMatchObject({
        status: 200,
        body: { success: true, message: expect.any(String) as string },
      });
      expect(await keyOf(ALICE)).toMatchObject({ status: 404 });
      expect(await remove(`/api/public-keys/${ALICE}`)).toMatchObject({ status: 404, body: { error: NO_KEY } });
    });

    it('counts a deleted and uploaded key as a new one', async () => {
      await upload(ALICE, 'key');
      await remove(`/api/public-keys/${ALICE}`);
      clock.advance(1_000);
      await upload(ALICE, 'key');
      expect((await keyOf(ALICE)).body).toMatchObject({ createdAt: clock.now(), updatedAt: clock.now() });
    });

    it('tells how many there are', async () => {
      await upload(ALICE, 'key');
      await upload(ALICE, 'another');
      await upload(BOB, 'key');
      expect(await get('/api/public-keys/stats/all')).toMatchObject({ status: 200, body: { totalKeys: 2 } });
    });

    it('leaves out members that it does not know', async () => {
      expect(await upload(ALICE, 'key', { deviceName: 'phone' })).toMatchObject({ status: 200 });
      expect((await keyOf(ALICE)).body).not.toHaveProperty('deviceName');
    });

    it('refuses a signature that it cannot verify, and keeps the key that was there', async () => {
      await upload(ALICE, 'old');
      expect(await upload(ALICE, 'new', { signature: `0x${'1'.repeat(130)}` })).toMatchObject({ status: 400 });
      expect((await keyOf(ALICE)).body).toMatchObject({ publicKey: 'old' });
    });

    it.each([
      ['a missing address', { publicKey: 'key' }, 'address'],
      ['half an address', { address: ALICE.slice(0, 20), publicKey: 'key' }, 'address'],
      ['the zero address', { address: `0x${'0'.repeat(40)}`, publicKey: 'key' }, 'address'],
      ['an address that is a number', { address: 1, publicKey: 'key' }, 'address'],
      ['a missing key', { address: ALICE }, 'publicKey'],
      ['an empty key', { address: ALICE, publicKey: '' }, 'publicKey'],
      ['a key that is an object', { address: ALICE, publicKey: { x: 1 } }, 'publicKey'],
      ['a key beyond 4096 characters', { address: ALICE, publicKey: 'k'.repeat(4097) }, 'publicKey'],
      ['a list', [{ address: ALICE, publicKey: 'key' }], 'body'],
    ])('refuses %s and names the member', async (_, body, field) => {
      expect(await post('/api/public-keys', body)).toMatchObject({
        status: 400,
        body: {
          code: 'bad_message',
          errors: expect.arrayContaining([expect.objectContaining({ field })]) as unknown[],
        },
      });
      expect((await get('/api/public-keys/stats/all')).body).toEqual({ totalKeys: 0 });
    });
  });

  describe('messages', () => {
    it('lists what waits, oldest first', async () => {
      await queueForBob('m1', 'm2');
      const { status, body } = await get(`/api/messages/${BOB}`);
      const message = (messageId: string) => ({
        id: expect.any(String) as string,
        from: ALICE,
        content: `content of ${messageId}`,
        messageId,
        timestamp: 1_700_000_000_000,
        queuedAt: clock.now(),
      });
      expect(status).toBe(200);
      expect(body).toEqual({ address: BOB, count: 2, messages: [message('m1'), message('m2')], next: null });
    });

    it('removes nothing by being read, with GET or HEAD', async () => {
      await queueForBob('m1', 'm2');
      const first = await messagesOf(BOB);
      expect(await call('HEAD', `/api/messages/${BOB}`)).toMatchObject({ status: 200, body: '' });
      expect(await messagesOf(BOB)).toEqual(first);
      const bob = await relay.signIn(BOB);
      await bob.waitForCount('message', 2);
      expect(bob.messageIds).toEqual(['m1', 'm2']);
    });

    it('tells the sender nothing when they are read', async () => {
      const alice = await queueForBob('m1');
      await messagesOf(BOB);
      await alice.settled();
      expect(alice.ofType('delivered')).toEqual([]);
    });

    it('lists nothing for an address that it never heard of', async () => {
      expect((await get(`/api/messages/${CAROL}`)).body).toEqual({
        address: CAROL,
        count: 0,
        messages: [],
        next: null,
      });
    });

    it('takes the address in any case', async () => {
      const alice = await relay.signIn(ALICE);
      alice.message(MIXED_CASE, 'm1');
      await alice.waitFor('queued');
      expect((await get(`/api/messages/${MIXED_CASE}`)).body).toMatchObject({ address: LOWER_CASE, count: 1 });
      expect((await get(`/api/messages/${MIXED_CASE}/queue-size`)).body).toEqual({ address: LOWER_CASE, queueSize: 1 });
    });

    it('lists in pages, each beginning after the one before', async () => {
      await queueForBob('m1', 'm2', 'm3', 'm4', 'm5');
      const pages: string[][] = [];
      let query = '?limit=2';
      for (let next: string | null = ''; next !== null; query = `?limit=2&after=${next}`) {
        const page = await messagesOf(BOB, query);
        pages.push(page.messages.map(({ messageId }) => messageId));
        ({ next } = page);
      }
      expect(pages).toEqual([['m1', 'm2'], ['m3', 'm4'], ['m5']]);
    });

    it('says that there is no next page where the last one is exactly full', async () => {
      await queueForBob('m1', 'm2');
      expect(await messagesOf(BOB, '?limit=2')).toMatchObject({ count: 2, next: null });
    });

    it('lists 100 at once where nothing is asked for', async () => {
      await queueForBob(...Array.from({ length: 101 }, (_, i) => `m${i + 1}`));
      const first = await messagesOf(BOB);
      expect(first.messages).toHaveLength(100);
      const { messages, next } = await messagesOf(BOB, `?after=${first.next}`);
      expect([messages.map(({ messageId }) => messageId), next]).toEqual([['m101'], null]);
    });

    it.each(['limit=0', 'limit=101', 'limit=-1', 'limit=1.5', 'limit=ten', 'limit=1&limit=2', 'after=m1', 'after='])(
      'refuses ?%s',
      async (query) => {
        expect(await get(`/api/messages/${BOB}?${query}`)).toMatchObject({
          status: 400,
          body: { code: 'bad_message', errors: [{ field: query.split('=')[0] }] },
        });
      },
    );

    it('tells how many wait', async () => {
      await queueForBob('m1', 'm2');
      expect(await get(`/api/messages/${BOB}/queue-size`)).toMatchObject({
        status: 200,
        body: { address: BOB, queueSize: 2 },
      });
      expect((await get(`/api/messages/${CAROL}/queue-size`)).body).toEqual({ address: CAROL, queueSize: 0 });
    });

    it('holds no more what a connected client has got', async () => {
      await relay.signIn(BOB);
      const alice = await relay.signIn(ALICE);
      alice.message(BOB, 'm1');
      await alice.waitFor('delivered');
      expect(await waitingIds(BOB)).toEqual([]);
    });

    it('holds no more what has expired', async () => {
      const alice = await relay.signIn(ALICE);
      alice.message(BOB, 'short', { ttlSeconds: 10 });
      alice.message(BOB, 'long');
      await alice.waitForCount('queued', 2);
      clock.advance(10_000);
      expect(await waitingIds(BOB)).toEqual(['long']);
      clock.advance(168 * HOUR_MS);
      expect((await get(`/api/messages/${BOB}/queue-size`)).body).toEqual({ address: BOB, queueSize: 0 });
    });

    it('DELETE removes everything and says how much that was', async () => {
      await queueForBob('m1', 'm2');
      const { status, body } = await remove(`/api/messages/${BOB}`);
      expect(status).toBe(200);
      expect(body).toEqual({ address: BOB, cleared: 2, message: expect.stringContaining('2') as string });
      expect(await waitingIds(BOB)).toEqual([]);
      expect((await remove(`/api/messages/${BOB}`)).body).toMatchObject({ cleared: 0 });
    });

    it('DELETE without upTo is no acknowledgement: the sender is not told `delivered`', async () => {
      const alice = await queueForBob('m1');
      await remove(`/api/messages/${BOB}`);
      await alice.settled();
      expect(alice.ofType('delivered')).toEqual([]);
    });

    it('DELETE with upTo acknowledges, and the connected sender gets `delivered` for that much', async () => {
      const alice = await queueForBob('m1', 'm2', 'm3');
      const { messages } = await messagesOf(BOB);
      const { status, body } = await remove(`/api/messages/${BOB}?upTo=${messages[1]!.id}`);
      expect(status).toBe(200);
      expect(body).toEqual({ address: BOB, cleared: 2, message: expect.stringContaining('2') as string });
      const delivered = await alice.waitForCount('delivered', 2);
      const frame = (messageId: string) => ({ type: 'delivered', messageId, to: BOB, timestamp: clock.now() });
      expect(delivered).toEqual([frame('m1'), frame('m2')]);
      expect(await waitingIds(BOB)).toEqual(['m3']);
    });

    it('a sender who was away gets `delivered` on return', async () => {
      const alice = await queueForBob('m1');
      await alice.close();
      const { messages } = await messagesOf(BOB);
      await remove(`/api/messages/${BOB}?upTo=${messages[0]!.id}`);
      const again = await relay.signIn(ALICE);
      expect(await again.waitFor('delivered')).toMatchObject({ messageId: 'm1', to: BOB });
    });

    it('what was acknowledged by REST does not come to a client that connects later', async () => {
      await queueForBob('m1', 'm2');
      const { messages } = await messagesOf(BOB);
      await remove(`/api/messages/${BOB}?upTo=${messages[0]!.id}`);
      const bob = await relay.signIn(BOB);
      await bob.waitFor('message', { messageId: 'm2' });
      expect(bob.messageIds).toEqual(['m2']);
    });

    it('acknowledging again changes nothing and is told to nobody', async () => {
      const alice = await queueForBob('m1', 'm2');
      const { messages } = await messagesOf(BOB);
      await remove(`/api/messages/${BOB}?upTo=${messages[1]!.id}`);
      for (const { id } of messages) {
        expect((await remove(`/api/messages/${BOB}?upTo=${id}`)).body).toMatchObject({ cleared: 0 });
      }
      await alice.settled();
      expect(alice.ofType('delivered')).toHaveLength(2);
    });

    it('acknowledges more than one page at once', async () => {
      const alice = await queueForBob(...Array.from({ length: 250 }, (_, i) => `m${i + 1}`));
      const first = await messagesOf(BOB);
      const second = await messagesOf(BOB, `?after=${first.next}`);
      const { messages } = await messagesOf(BOB, `?after=${second.next}`);
      expect((await remove(`/api/messages/${BOB}?upTo=${messages.at(-2)!.id}`)).body).toMatchObject({ cleared: 249 });
      await alice.waitForCount('delivered', 249);
      expect(await waitingIds(BOB)).toEqual(['m250']);
    });

    it('refuses an upTo beyond the newest entry, and moves nothing', async () => {
      await queueForBob('m1');
      const [ms, sequence] = (await messagesOf(BOB)).messages[0]!.id.split('-');
      const beyond = `${ms}-${Number(sequence) + 1}`;
      expect(await remove(`/api/messages/${BOB}?upTo=${beyond}`)).toMatchObject({
        status: 409,
        body: { code: 'ack_ahead', retryable: false },
      });
      expect(await remove(`/api/messages/${CAROL}?upTo=${beyond}`)).toMatchObject({ status: 409 });
      expect(await waitingIds(BOB)).toEqual(['m1']);
    });

    it.each(['', 'm1', '1', '-1', '1-', '1-1-1', '1e3-1', ' 1-1', '1-1&upTo=1-1'])(
      'refuses upTo=%s, and removes nothing',
      async (upTo) => {
        await queueForBob('m1');
        expect(await remove(`/api/messages/${BOB}?upTo=${upTo}`)).toMatchObject({
          status: 400,
          body: { code: 'bad_message', errors: [{ field: 'upTo' }] },
        });
        expect(await waitingIds(BOB)).toEqual(['m1']);
      },
    );

    it('tells what waits in all', async () => {
      const alice = await queueForBob('m1', 'm2');
      alice.message(CAROL, 'm3');
      await alice.waitForCount('queued', 3);
      expect(await get('/api/messages/stats/all')).toMatchObject({
        status: 200,
        body: { totalUsers: 2, totalMessages: 3, maxMessagesPerUser: 1000, retentionHours: 168 },
      });
    });

    it('tells the bounds that were set', async () => {
      await restart({ MAX_OFFLINE_MESSAGES: '7', MESSAGE_RETENTION_HOURS: '0.5' });
      expect((await get('/api/messages/stats/all')).body).toEqual({
        totalUsers: 0,
        totalMessages: 0,
        maxMessagesPerUser: 7,
        retentionHours: 0.5,
      });
    });
  });

  describe('status', () => {
    /** Somebody who is told when Bob comes and goes, as far as others can see. */
    async function watchBob(): Promise<ClassicClient> {
      const carol = await relay.signIn(CAROL);
      carol.send({ type: 'subscribe_presence', addresses: [BOB] });
      await carol.waitFor('presence');
      return carol;
    }

    it('tells whether an address is connected', async () => {
      expect((await get(`/api/status/${BOB}`)).body).toEqual({ address: BOB, online: false, timestamp: clock.now() });
      await relay.signIn(BOB);
      expect(await get(`/api/status/${BOB}`)).toMatchObject({ status: 200, body: { address: BOB, online: true } });
    });

    it('tells that it is not any more', async () => {
      const carol = await watchBob();
      const bob = await relay.signIn(BOB);
      await carol.waitFor('presence', { status: 'online' });
      await bob.close();
      await carol.until(() => carol.frames.at(-1)?.status === 'offline', 'Bob leaves');
      expect((await get(`/api/status/${BOB}`)).body).toMatchObject({ online: false });
    });

    it('tells that an address is online while one of two connections is left', async () => {
      const alice = await relay.signIn(ALICE);
      const carol = await relay.signIn(CAROL);
      alice.send({ type: 'subscribe_presence', addresses: [CAROL] });
      const first = await relay.signIn(BOB);
      await relay.signIn(BOB);
      await first.close();
      // Whoever closes later is known to be gone: so is the first.
      await carol.close();
      await alice.waitFor('presence', { status: 'offline' });
      expect((await get(`/api/status/${BOB}`)).body).toMatchObject({ online: true });
    });

    it('does not count a connection that has not signed in', async () => {
      const stranger = await ClassicClient.connect(relay.wsUrl);
      expect((await get('/health')).body).toMatchObject({ connections: 1 });
      expect((await get('/api/status/online/all')).body).toMatchObject({ count: 0, users: [] });
      stranger.kill();
    });

    it('takes addresses in any case, and answers in lower case', async () => {
      await relay.signIn(MIXED_CASE);
      expect((await get(`/api/status/${MIXED_CASE}`)).body).toMatchObject({ address: LOWER_CASE, online: true });
      const { body } = await post('/api/status/batch', { addresses: [MIXED_CASE] });
      expect(body).toEqual({ timestamp: clock.now(), statuses: { [LOWER_CASE]: true } });
    });

    it('tells many at once', async () => {
      await relay.signIn(BOB);
      const { status, body } = await post('/api/status/batch', { addresses: [ALICE, BOB] });
      expect(status).toBe(200);
      expect(body).toEqual({ timestamp: clock.now(), statuses: { [ALICE]: false, [BOB]: true } });
    });

    it('tells 500 at once and no more', async () => {
      const addresses = Array.from({ length: 501 }, (_, i) => addressOf(i + 1));
      expect(await post('/api/status/batch', { addresses: addresses.slice(1) })).toMatchObject({ status: 200 });
      expect(await post('/api/status/batch', { addresses })).toMatchObject({ status: 400 });
    });

    it.each([{}, { addresses: ALICE }, { addresses: [ALICE, 'bob'] }, { addresses: { 0: ALICE } }, [ALICE]])(
      'refuses the batch %j',
      async (body) => {
        expect(await post('/api/status/batch', body)).toMatchObject({ status: 400, body: { code: 'bad_message' } });
        expect(await post('/api/public-keys/batch', body)).toMatchObject({
          status: 400,
          body: { code: 'bad_message' },
        });
      },
    );

    it('lists who is online, in pages', async () => {
      for (const address of [CAROL, ALICE, BOB]) await relay.signIn(address);
      const timestamp = clock.now();
      const first = await get('/api/status/online/all?limit=2');
      expect(first.body).toEqual({ count: 2, users: [ALICE, BOB], timestamp, next: BOB });
      const second = await get(`/api/status/online/all?limit=2&after=0x${BOB.slice(2).toUpperCase()}`);
      expect(second.body).toEqual({ count: 1, users: [CAROL], timestamp, next: null });
    });

    it.each(['limit=0', 'limit=101', 'after=bob'])('refuses the list with ?%s', async (query) => {
      expect(await get(`/api/status/online/all?${query}`)).toMatchObject({
        status: 400,
        body: { code: 'bad_message' },
      });
    });

    it('shows a hidden address as offline everywhere', async () => {
      const carol = await watchBob();
      const bob = await relay.signIn(BOB);
      await carol.waitFor('presence', { status: 'online' });
      bob.send({ type: 'set_presence', visible: false });
      await carol.until(() => carol.frames.at(-1)?.status === 'offline', 'Bob hides');
      expect((await get(`/api/status/${BOB}`)).body).toMatchObject({ online: false });
      expect((await post('/api/status/batch', { addresses: [BOB] })).body).toMatchObject({
        statuses: { [BOB]: false },
      });
      expect((await get('/api/status/online/all')).body).toMatchObject({ users: [CAROL] });
    });
  });

  describe('health', () => {
    it('tells what the first relay told', async () => {
      await queueForBob('m1', 'm2');
      const { status, body } = await get('/health');
      expect(status).toBe(200);
      expect(body).toEqual({
        status: 'ok',
        timestamp: clock.now(),
        uptime: expect.any(Number) as number,
        connections: 1,
        queuedMessages: 2,
      });
    });

    /** A store that this machine gave no time for half a second is not ready, and rightly so. */
    async function whenNotBusy(path: string): ReturnType<typeof get> {
      for (;;) {
        const answer = await get(path);
        if (answer.status !== 503) return answer;
      }
    }

    it.each(['/health/live', '/health/ready'])('answers %s with 200', async (path) => {
      expect(await whenNotBusy(path)).toMatchObject({ status: 200, body: { status: 'ok' } });
    });

    it('is alive and not ready while the relay drains', async () => {
      const stuck = await relay.signIn(ALICE);
      const polite = await relay.signIn(BOB);
      // Reads nothing any more, so it does not answer the closing handshake and holds the drain up.
      stuck.socket.pause();
      const stopped = relay.stop();
      await polite.waitFor('going_away');
      expect(await get('/health/ready')).toMatchObject({ status: 503, body: { code: 'unavailable', retryable: true } });
      expect(await get('/health/live')).toMatchObject({ status: 200 });
      expect(await get('/health')).toMatchObject({ status: 200, body: { status: 'draining' } });
      stuck.kill();
      await stopped;
      relay = await startRelay({ clock });
    });

    it('is not limited: a probe must not be refused', async () => {
      await restart({ RATE_LIMIT_MAX_REQUESTS: '1' });
      for (let i = 0; i < 5; i++) expect(await whenNotBusy('/health/ready')).toMatchObject({ status: 200 });
    });
  });

  describe('failures', () => {
    const json = { 'content-type': 'application/json' };

    it('are problems (RFC 9457) with a code, and the `error` text that the first relay’s clients show', async () => {
      const { status, headers, body } = await get(`/api/public-keys/${ALICE}`);
      expect(status).toBe(404);
      expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect(body).toEqual({
        type: 'about:blank',
        title: 'Not Found',
        status: 404,
        detail: NO_KEY,
        code: 'not_found',
        error: NO_KEY,
        retryable: false,
      });
    });

    it.each([
      '/api/public-keys/bob',
      '/api/messages/bob',
      '/api/messages/bob/queue-size',
      '/api/status/bob',
      `/api/status/0x${'0'.repeat(40)}`,
      '/api/status/%ZZ',
    ])('answer GET %s with 400', async (path) => {
      expect(await get(path)).toMatchObject({
        status: 400,
        body: { code: 'bad_message', error: expect.any(String) as string },
      });
    });

    it.each(['/api', '/api/nothing', `/api/messages/${ALICE}/nothing`])('answer GET %s with 404', async (path) => {
      expect(await get(path)).toMatchObject({ status: 404, body: { code: 'not_found', error: 'Not found' } });
    });

    it.each([
      ['PUT', '/api/public-keys', 'POST'],
      ['POST', `/api/messages/${ALICE}`, 'GET, DELETE, HEAD'],
      ['DELETE', `/api/status/${ALICE}`, 'GET, HEAD'],
    ])('answer %s %s with 405 and what is allowed', async (method, path, allowed) => {
      const { status, headers } = await call(method, path);
      expect([status, headers.get('allow')]).toEqual([405, allowed]);
    });

    it.each([
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonx',
    ])('answer a body of type %s with 415, whatever is in it', async (type) => {
      const body = JSON.stringify({ address: ALICE, publicKey: 'key' });
      const answer = await call('POST', '/api/public-keys', { headers: { 'content-type': type }, body });
      expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported' } });
      expect((await get('/api/public-keys/stats/all')).body).toEqual({ totalKeys: 0 });
    });

    it.each(['{"address":"SECRET', '"SECRET"', '[', 'SECRET'])(
      'answer the malformed body %s with 400, and neither repeat it nor log it',
      async (body) => {
        const answer = await call('POST', '/api/public-keys', { headers: json, body });
        expect(answer).toMatchObject({ status: 400, body: { code: 'bad_message' } });
        expect(JSON.stringify(answer.body) + relay.log()).not.toContain('SECRET');
      },
    );

    it('answer a body beyond MAX_FRAME_BYTES with 413', async () => {
      await restart({ MAX_FRAME_BYTES: '4096' });
      const body = { address: ALICE, publicKey: 'key', padding: 'x'.repeat(4096) };
      expect(await post('/api/public-keys', body)).toMatchObject({ status: 413, body: { code: 'too_large' } });
    });
  });

  describe('the limit of requests', () => {
    const url = `/api/status/${ALICE}`;

    it('is answered 429 with when to come back', async () => {
      await restart({ RATE_LIMIT_MAX_REQUESTS: '2', RATE_LIMIT_WINDOW_MS: '60000' });
      expect((await get(url)).headers.get('ratelimit-remaining')).toBe('1');
      expect((await get(url)).headers.get('ratelimit-remaining')).toBe('0');
      const { status, headers, body } = await get(url);
      expect(status).toBe(429);
      expect(body).toMatchObject({ code: 'rate_limited', error: 'Too many requests', retryable: true });
      expect(headers.get('ratelimit-limit')).toBe('2');
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60);
    });

    it('is not escaped with a header that anybody can write', async () => {
      await restart({ RATE_LIMIT_MAX_REQUESTS: '1' });
      await get(url, { 'x-forwarded-for': '203.0.113.1' });
      expect(await get(url, { 'x-forwarded-for': '203.0.113.2' })).toMatchObject({ status: 429 });
    });

    it('is counted per client behind a trusted proxy, and per /64 of IPv6', async () => {
      await restart({ RATE_LIMIT_MAX_REQUESTS: '1', TRUST_PROXY: '127.0.0.1' });
      const from = async (client: string) => (await get(url, { 'x-forwarded-for': client })).status;
      expect(await from('203.0.113.1')).toBe(200);
      expect(await from('203.0.113.2')).toBe(200);
      expect(await from('203.0.113.1')).toBe(429);
      expect(await from('2001:db8::1')).toBe(200);
      expect(await from('2001:db8::2')).toBe(429);
    });
  });

  describe('other origins', () => {
    const origin = 'https://app.example';
    const preflight = (method: string) =>
      call('OPTIONS', `/api/messages/${ALICE}`, {
        headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': 'content-type' },
      });

    it('may all read and write where nothing is set, as with the first relay', async () => {
      expect((await get(`/api/status/${ALICE}`, { origin })).headers.get('access-control-allow-origin')).toBe('*');
      expect(await post('/api/status/batch', { addresses: [] }, { origin })).toMatchObject({ status: 200 });
      const { status, headers } = await preflight('DELETE');
      expect(status).toBe(204);
      expect(headers.get('access-control-allow-origin')).toBe('*');
      expect(headers.get('access-control-allow-methods')).toContain('DELETE');
      expect(headers.get('access-control-allow-headers')).toContain('content-type');
    });

    it('may read the limits and failures', async () => {
      await restart({ RATE_LIMIT_MAX_REQUESTS: '1' });
      await get(`/api/status/${ALICE}`);
      const { status, headers } = await get(`/api/status/${ALICE}`, { origin });
      expect([status, headers.get('access-control-allow-origin')]).toEqual([429, '*']);
      const exposed = headers.get('access-control-expose-headers')?.split(/, ?/);
      expect(exposed).toEqual(
        expect.arrayContaining(['Retry-After', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset']),
      );
    });

    it('get their consent only when they are listed', async () => {
      await restart({ ALLOWED_ORIGINS: `https://other.example,${origin}` });
      const allowed = await get(`/api/status/${ALICE}`, { origin });
      expect(allowed.headers.get('access-control-allow-origin')).toBe(origin);
      expect(allowed.headers.get('vary')).toContain('Origin');
      const refused = await get(`/api/status/${ALICE}`, { origin: 'https://app.example.evil' });
      expect(refused.headers.get('access-control-allow-origin')).toBeNull();
    });

    it('change nothing unless they are listed, not even without asking first', async () => {
      await restart({ ALLOWED_ORIGINS: 'https://other.example' });
      const key = { address: ALICE, publicKey: 'key' };
      expect(await post('/api/public-keys', key, { origin })).toMatchObject({
        status: 403,
        body: { code: 'forbidden' },
      });
      expect(await call('DELETE', `/api/messages/${ALICE}`, { headers: { origin } })).toMatchObject({ status: 403 });
      // A native client sends no Origin.
      expect(await post('/api/public-keys', key)).toMatchObject({ status: 200 });
    });
  });

  describe('the reference', () => {
    interface Schema {
      readonly $ref?: string;
      readonly properties?: Readonly<Record<string, Schema>>;
      readonly required?: readonly string[];
    }
    interface Operation {
      readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema: Schema }>> }>>;
    }
    interface OpenApi {
      readonly openapi: string;
      readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
      readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
    }
    interface Layer {
      readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> };
    }

    const document = async () => (await get('/docs/openapi.json')).body as OpenApi;

    /** `get /api/status/{address}` of everything that Express would answer, but for pages and the reference itself. */
    function routes(): string[] {
      const express = relay.app.getHttpAdapter().getInstance() as Express;
      const layers = express.router.stack as unknown as readonly Layer[];
      return layers
        .flatMap(({ route }) => (route === undefined ? [] : [route]))
        .filter(({ path }) => !/^\/($|docs|demo|admin$|admin\/assets)/.test(path))
        .flatMap(({ path, methods }) => Object.keys(methods).map((method) => `${method} ${path}`))
        .map((route) => route.replace(/:(\w+)/g, '{$1}'))
        .sort();
    }

    it('is OpenAPI 3.1, and holds no word of 3.0', async () => {
      const found = await document();
      expect(found.openapi).toMatch(/^3\.1\.\d+$/);
      expect(JSON.stringify(found)).not.toContain('"nullable"');
    });

    it('lists every route that there is, and no other', async () => {
      const { paths } = await document();
      const listed = Object.entries(paths).flatMap(([path, operations]) =>
        Object.keys(operations).map((method) => `${method} ${path}`),
      );
      expect(listed.sort()).toEqual(routes());
      expect(listed).toContain('head /api/public-keys/{address}');
    });

    it('refers only to schemas that it holds', async () => {
      const found = await document();
      const referred = [...JSON.stringify(found).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
      expect(referred).not.toHaveLength(0);
      for (const [, name] of referred) expect(Object.keys(found.components.schemas)).toContain(name);
    });

    it.each([
      ['post', '/api/public-keys', { address: ALICE, publicKey: 'key' }],
      ['get', '/api/public-keys/{address}', null],
      ['post', '/api/public-keys/batch', { addresses: [ALICE] }],
      ['get', '/api/public-keys/stats/all', null],
      ['delete', '/api/public-keys/{address}', null],
      ['get', '/api/messages/{address}', null],
      ['get', '/api/messages/{address}/queue-size', null],
      ['delete', '/api/messages/{address}', null],
      ['get', '/api/messages/stats/all', null],
      ['get', '/api/status/{address}', null],
      ['post', '/api/status/batch', { addresses: [ALICE] }],
      ['get', '/api/status/online/all', null],
      ['get', '/health', null],
    ])('tells the members that %s %s answers, with 200 and whole timestamps', async (method, path, body) => {
      await post('/api/public-keys', { address: ALICE, publicKey: 'key' });
      const url = path.replace('{address}', ALICE);
      const answer = body === null ? await call(method.toUpperCase(), url) : await post(url, body);
      expect(answer.status).toBe(200);
      const { paths, components } = await document();
      const schema = paths[path]?.[method]?.responses['200']?.content?.['application/json']?.schema.$ref;
      const { properties = {}, required = [] } = components.schemas[schema?.split('/').at(-1) ?? ''] ?? {};
      const members = Object.keys(answer.body as object);
      expect(Object.keys(properties)).toEqual(expect.arrayContaining(members));
      expect(members).toEqual(expect.arrayContaining(required));
      for (const [, time] of JSON.stringify(answer.body).matchAll(/"(?:timestamp|\w+At)":([^,}]+)/g)) {
        expect(time).toMatch(/^\d+$/);
      }
    });

    it('is a page for people, whose scripts and styles this relay serves itself', async () => {
      const { status, headers, body } = await get('/docs');
      expect(status).toBe(200);
      expect(headers.get('content-type')).toMatch(/^text\/html/);
      const links = [...String(body).matchAll(/<(?:script|link)[^>]+(?:src|href)="([^"]+)"/g)].map(([, link]) => link!);
      expect(links.length).toBeGreaterThan(2);
      for (const link of links) {
        expect(await get(new URL(link, `${relay.url}/docs`).pathname)).toMatchObject({ status: 200 });
      }
    });

    it('runs under a policy that allows no script from elsewhere, and has none in the page', async () => {
      const { headers, body } = await get('/docs');
      expect(headers.get('content-security-policy')).toContain("script-src 'self';");
      expect(String(body)).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/);
    });
  });

  it('says nothing of what it is made with, and its data may not be sniffed or framed', async () => {
    const { headers } = await get(`/api/status/${ALICE}`);
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  });
});
