import { addressOf, ClassicClient } from '../support/classic-client.js';
import { Device } from '../support/device.js';
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

  function metricsUrl(): string {
    const lines = relay.log().trim().split('\n');
    const listening = lines.map((line) => JSON.parse(line) as Line).find(({ msg }) => msg === 'metrics listening');
    return listening!.url!;
  }

  async function scrape(): Promise<Map<string, number>> {
    const response = await fetch(metricsUrl());
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
