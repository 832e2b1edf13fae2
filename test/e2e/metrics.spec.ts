import { Settings } from '../../src/common/settings.js';
import { QueueRepository } from '../../src/queue/queue.repository.js';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { Device } from '../support/device.js';
import { sharedRedis } from '../support/redis-server.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

declare const STORAGE: 'memory' | 'redis';

const ALICE = addressOf(1);
const BOB = addressOf(2);

interface Line {
  readonly msg: string;
  readonly url?: string;
}

describe('metrics', () => {
  let relay: RunningRelay;

  beforeEach(async () => {
    relay = await startRelay();
  });

  afterEach(() => relay.stop());

  function metricsUrl(of = relay): string {
    const lines = of.log().trim().split('\n');
    const listening = lines.map((line) => JSON.parse(line) as Line).find(({ msg }) => msg === 'metrics listening');
    return listening!.url!;
  }

  async function scrape(of = relay): Promise<Map<string, number>> {
    const response = await fetch(metricsUrl(of));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/plain');
    const samples = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
    );
  }

  it('count what became of sends, and how long it took until somebody had them', async () => {
    const alice = await relay.signIn(ALICE);
    alice.message(BOB, 'm1');
    alice.message(BOB, 'm1');
    alice.message(BOB, 'm1', { content: 'another' });
    await alice.waitFor('error', { code: 'id_conflict' });
    const bob = await Device.open(relay.wsUrl, BOB, 'phone');
    await bob.client.waitFor('message');
    await alice.waitFor('delivered', { messageId: 'm1' });

    const samples = await scrape();
    expect(samples.get('relay_sends_total{outcome="stored"}')).toBe(1);
    expect(samples.get('relay_sends_total{outcome="repeat"}')).toBe(1);
    expect(samples.get('relay_sends_total{outcome="id_conflict"}')).toBe(1);
    expect(samples.get('relay_sends_total{outcome="mailbox_full"}')).toBe(0);
    expect(samples.get('relay_accept_seconds_count')).toBe(3);
    expect(samples.get('relay_delivery_seconds_count')).toBe(1);
    expect(samples.get('relay_delivery_seconds_bucket{le="+Inf"}')).toBe(1);
    expect(samples.get('relay_receipts_total{way="sent"}')).toBe(1);
  });

  it('tell how many connections there are, of which protocol, how far behind, and how they ended', async () => {
    const alice = await relay.signIn(ALICE);
    const lazy = await Device.open(relay.wsUrl, BOB, 'phone', { acknowledges: false, window: 1 });
    await lazy.synced();
    const stranger = await ClassicClient.connect(relay.wsUrl);
    for (const id of ['m1', 'm2']) alice.message(BOB, id);
    await lazy.client.waitFor('message', { messageId: 'm1' });

    const samples = await scrape();
    expect(samples.get('relay_connections{protocol="classic"}')).toBe(1);
    expect(samples.get('relay_connections{protocol="v2"}')).toBe(1);
    expect(samples.get('relay_connections{protocol="pending"}')).toBe(1);
    expect(samples.get('relay_unacknowledged_entries')).toBe(1);
    expect(samples.get('relay_connections_opened_total')).toBe(3);

    expect(samples.get('relay_sign_ins_total{outcome="believed"}')).toBe(2);

    stranger.send({ type: 'message' });
    await stranger.closed();
    expect((await scrape()).get('relay_connections_ended_total{code="4401"}')).toBe(1);
  });

  it('have the ledger of the store', async () => {
    const alice = await relay.signIn(ALICE);
    alice.message(BOB, 'm1');
    await alice.waitFor('queued');
    await relay.run('purge mailboxes');
    const samples = await scrape();
    expect(samples.get('relay_store_up')).toBe(1);
    const states = ['accepted', 'acknowledged', 'expired', 'dropped', 'pending'];
    const ledger = states.map((state) => samples.get(`relay_ledger_messages{state="${state}"}`));
    expect(ledger).toEqual([1, 0, 0, 0, 1]);
    expect(samples.get('relay_mailboxes_with_mail')).toBe(1);
    const calls = samples.get('relay_redis_calls_total{outcome="ok"}') ?? 0;
    expect(calls > 0).toBe(STORAGE === 'redis');
    expect(samples.get('relay_redis_round_trip_seconds_count')).toBe(calls);
  });

  it('tell of mailboxes that are nearly full', async () => {
    const small = await startRelay({ env: { MAX_OFFLINE_MESSAGES: '5', SENDER_SHARE: '1' } });
    const alice = await small.signIn(ALICE);
    for (const id of ['m1', 'm2', 'm3', 'm4', 'm5']) {
      alice.message(BOB, id);
      await alice.waitFor('queued', { messageId: id });
    }
    expect((await scrape(small)).get('relay_mailbox_nearly_full_total')).toBe(2);
    await small.stop();
  });

  /** Says that so many more messages were accepted than were. */
  async function unbalance(messages: number): Promise<void> {
    if (STORAGE === 'redis') {
      const redis = await sharedRedis();
      await redis.command('HINCRBY', `${relay.app.get(Settings).redisKeyPrefix}tot:{7}`, 'a', String(messages));
      return;
    }
    const queue: unknown = relay.app.get(QueueRepository);
    (queue as { readonly tally: { accepted: number } }).tally.accepted += messages;
  }

  it('tell when the ledger is out of balance, and by how much', async () => {
    const alice = await relay.signIn(ALICE);
    alice.message(BOB, 'm1');
    await alice.waitFor('queued');
    const rounds = 64;
    const look = async () => {
      for (let part = 0; part < rounds; part++) await relay.run('check the ledger');
      const samples = await scrape();
      return [
        samples.get('relay_ledger_imbalance_messages'),
        samples.get('relay_ledger_checks_total{outcome="checked"}'),
      ];
    };
    // Each bucket of Redis once; in memory all of it each time.
    const all = STORAGE === 'redis' ? 1024 : rounds;
    expect(await look()).toEqual([0, all]);
    await unbalance(3);
    expect(await look()).toEqual([3, 2 * all]);
    // Which buckets; in memory there is but one place.
    if (STORAGE === 'redis') expect(relay.log()).toContain('"ledger out of balance"');
    await unbalance(-3);
    expect(await look()).toEqual([0, 3 * all]);
  });

  it('name nobody', async () => {
    const alice = await relay.signIn(ALICE);
    alice.message(BOB, 'a-canary-of-an-id', { content: 'a-canary-of-a-content' });
    await alice.waitFor('queued');
    const text = await (await fetch(metricsUrl())).text();
    expect(text).not.toMatch(/canary|0x[0-9a-f]{8}/);
  });

  it('are not on the port that everybody reaches, and that port of theirs has nothing else', async () => {
    expect((await fetch(`${relay.url}/metrics`)).status).toBe(404);
    const url = metricsUrl();
    expect((await fetch(url.replace('/metrics', '/health'))).status).toBe(404);
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
    expect((await fetch(url, { method: 'HEAD' })).status).toBe(200);
  });
});
