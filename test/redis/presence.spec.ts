import { type Address, RelayError } from '@relay/protocol';
import { SWEEP_EVERY_MS } from '../../src/presence/presence.repository.js';
import { RedisPresenceRepository } from '../../src/presence/presence.repository.redis.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import { bucketOf } from '../../src/redis/redis-key.redis.js';
import { addressOf } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { RedisServer } from '../support/redis-server.js';

const ALICE = addressOf(1) as Address;
const BOB = addressOf(2) as Address;
const LAST_SEEN_MS = 60 * 60 * 1000;
/** What a lease and the longest wait for a sweep add up to, and something. */
const SURELY_ENDED_MS = 45_000;

const many = (count: number): Address[] => Array.from({ length: count }, (_, i) => addressOf(1000 + i) as Address);
const hashOf = (address: Address): string => `test:pre:{${bucketOf(address)}}:${address}`;

/** A connection to Redis that can be cut, held up, and counts. */
class Wire {
  isCut = false;
  /** Everything waits for it before it is sent. */
  holdUp: Promise<void> | null = null;
  /** The answers to these are lost. */
  loses: (command: string) => boolean = () => false;
  mostInFlight = 0;
  private inFlight = 0;

  constructor(private readonly client: RedisClient) {}

  /** As much of a client as repositories use. */
  get end(): RedisClient {
    const { client } = this;
    return {
      prefix: client.prefix,
      run: (...call: Parameters<RedisClient['run']>) => this.send(call[0].name, () => client.run(...call)),
      command: (...call: Parameters<RedisClient['command']>) => this.send(call[0], () => client.command(...call)),
    } as unknown as RedisClient;
  }

  private async send(name: string, send: () => Promise<unknown>): Promise<unknown> {
    if (this.holdUp !== null) await this.holdUp;
    if (this.isCut) throw new RelayError('store_unavailable');
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    const answer = await send();
    this.inFlight--;
    if (this.loses(name)) throw new RelayError('store_unavailable');
    return answer;
  }
}

describe('presence in Redis', () => {
  let server: RedisServer;
  let client: RedisClient;
  let clock: ManualClock;
  let wire: Wire;
  /** Two nodes; the first one's connection may be meddled with. */
  let a: RedisPresenceRepository;
  let b: RedisPresenceRepository;

  const node = (name: string, link = client): RedisPresenceRepository =>
    new RedisPresenceRepository({ client: link, clock, node: name, lastSeenMs: LAST_SEEN_MS });
  const isOnline = async (seenBy: RedisPresenceRepository, address: Address) =>
    (await seenBy.statuses([address]))[0]!.online;
  const holdersOf = async (address: Address) =>
    ((await server.command('HKEYS', hashOf(address))) as string[]).filter((field) => field.startsWith('c:'));
  const keys = async () => ((await server.command('KEYS', '*')) as string[]).sort();

  beforeAll(async () => {
    server = await RedisServer.start({ maxmemory: '256mb' });
    client = await RedisClient.connect(server.url, 'test:');
  });

  beforeEach(async () => {
    await server.command('FLUSHALL');
    clock = new ManualClock();
    wire = new Wire(client);
    a = node('a', wire.end);
    b = node('b');
    await a.sweep();
    await b.sweep();
  });

  afterAll(async () => {
    await client.close();
    await server.close();
  });

  it('stays online when the connection on one of two nodes goes', async () => {
    expect(await a.connected(ALICE, '1')).toBe(true);
    expect(await b.connected(ALICE, '2')).toBe(false);
    expect(await a.disconnected(ALICE, '1')).toBe(false);
    expect(await isOnline(a, ALICE)).toBe(true);
    expect(await b.disconnected(ALICE, '2')).toBe(true);
    expect(await isOnline(a, ALICE)).toBe(false);
  });

  it('tells one of two nodes that somebody came, when they come at once', async () => {
    const changed = await Promise.all([a.connected(ALICE, '1'), b.connected(ALICE, '2')]);
    expect(changed.sort()).toEqual([false, true]);
  });

  it('believes a node that it never heard of', async () => {
    const late = node('late');
    await late.connected(ALICE, '1');
    expect(await isOnline(a, ALICE)).toBe(true);
    expect(await a.connected(ALICE, '2')).toBe(false);
  });

  it('lists the people of all nodes once, in order, without the hidden', async () => {
    const everybody = many(40).sort();
    for (const [i, address] of everybody.entries()) {
      if (i % 3 < 2) await a.connected(address, `a${i}`);
      if (i % 3 > 0) await b.connected(address, `b${i}`);
    }
    await b.setVisible(everybody[7]!, false);
    const seen: Address[] = [];
    let next: Address | null = null;
    do {
      const page = await a.online(next, 6);
      seen.push(...page.addresses);
      ({ next } = page);
    } while (next !== null);
    expect(seen).toEqual(everybody.filter((_, i) => i !== 7));
  });

  it('lets the people of a node that was killed look offline, and says so once', async () => {
    await a.connected(ALICE, '1');
    await a.connected(BOB, '2');
    await b.connected(BOB, '3');
    const c = node('c');
    clock.advance(SWEEP_EVERY_MS);
    await b.sweep();
    await c.sweep();
    const died = clock.now() - SWEEP_EVERY_MS;
    clock.advance(SWEEP_EVERY_MS);
    await b.sweep();
    await c.sweep();
    expect(await isOnline(b, ALICE)).toBe(true);
    clock.advance(SWEEP_EVERY_MS);
    // Before anybody has cleaned up.
    expect(await isOnline(b, ALICE)).toBe(false);
    expect(await b.online(null, 10)).toEqual({ addresses: [BOB], next: null });
    const changed = await Promise.all([b.sweep(), c.sweep()]);
    expect(changed.flat()).toEqual([ALICE]);
    expect(await b.statuses([ALICE, BOB])).toEqual([
      { online: false, lastSeen: died + 3 * SWEEP_EVERY_MS },
      { online: true, lastSeen: null },
    ]);
    expect((await Promise.all([b.sweep(), c.sweep()])).flat()).toEqual([]);
    expect(await server.command('ZRANGE', 'test:{nodes}', '0', '-1')).toEqual(['b.1', 'c.1']);
    expect(await keys()).toEqual([hashOf(ALICE), hashOf(BOB), 'test:onl:{b.1}', 'test:{nodes}'].sort());
  });

  it('goes on where a node that cleaned up was killed itself', async () => {
    await a.connected(ALICE, '1');
    const c = node('c', wire.end);
    await c.sweep();
    clock.advance(SURELY_ENDED_MS);
    wire.loses = (name) => name === 'presence-claim';
    await expect(c.sweep()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await b.sweep()).toEqual([]);
    expect(await isOnline(b, ALICE)).toBe(false);
    clock.advance(SURELY_ENDED_MS);
    expect(await b.sweep()).toEqual([ALICE]);
    // It overslept twice itself.
    expect(await server.command('ZRANGE', 'test:{nodes}', '0', '-1')).toEqual(['b.3']);
  });

  it('finds everybody in their place when a node wakes up', async () => {
    await a.connected(ALICE, '1');
    await a.connected(BOB, '2');
    clock.advance(SURELY_ENDED_MS);
    expect([...(await b.sweep())].sort()).toEqual([ALICE, BOB].sort());
    expect(await isOnline(b, ALICE)).toBe(false);
    // It closes one before it notices.
    await a.disconnected(BOB, '2');
    expect([...(await a.sweep())]).toEqual([ALICE]);
    expect(await b.statuses([ALICE, BOB])).toMatchObject([{ online: true }, { online: false }]);
    expect(await a.disconnected(ALICE, '1')).toBe(true);
    await a.stop();
    await b.stop();
    expect(await keys()).toEqual([hashOf(ALICE), hashOf(BOB)].sort());
  });

  it('finds everybody in their place when a node wakes up before the others noticed', async () => {
    await a.connected(ALICE, '1');
    clock.advance(SURELY_ENDED_MS);
    await a.sweep();
    expect(await isOnline(b, ALICE)).toBe(true);
    await b.sweep();
    expect(await isOnline(b, ALICE)).toBe(true);
    expect(await holdersOf(ALICE)).toEqual(['c:a.2']);
  });

  it('leaves nothing behind of a write that a frozen node had begun', async () => {
    let release = (): void => undefined;
    wire.holdUp = new Promise((resolve) => (release = resolve));
    const connected = a.connected(ALICE, '1');
    clock.advance(SURELY_ENDED_MS);
    await b.sweep();
    wire.holdUp = null;
    release();
    await connected;
    await a.sweep();
    expect(await isOnline(b, ALICE)).toBe(true);
    expect(await holdersOf(ALICE)).toEqual(['c:a.2']);
    expect(await keys()).toEqual([hashOf(ALICE), 'test:onl:{a.2}', 'test:{nodes}'].sort());
  });

  it('cleans up after a node of 5 000 in slices', async () => {
    const everybody = many(5000);
    await Promise.all(everybody.map((address) => b.connected(address, address)));
    clock.advance(SURELY_ENDED_MS);
    wire.mostInFlight = 0;
    const changed = await a.sweep();
    expect([...changed].sort()).toEqual(everybody.sort());
    expect(wire.mostInFlight).toBeLessThanOrEqual(300);
    expect(await server.command('EXISTS', 'test:onl:{b.1}')).toBe(0);
    expect((await a.online(null, 10)).addresses).toEqual([]);
  });

  it('says later what a sweep that failed has changed', async () => {
    const everybody = many(700);
    await Promise.all(everybody.map((address) => b.connected(address, address)));
    clock.advance(SURELY_ENDED_MS);
    let left = 400;
    wire.loses = (name) => name === 'presence-depart' && --left < 0;
    await expect(a.sweep()).rejects.toMatchObject({ code: 'store_unavailable' });
    wire.loses = () => false;
    clock.advance(SURELY_ENDED_MS);
    expect([...(await a.sweep())].sort()).toEqual(everybody.sort());
  });

  it('puts right in a sweep what Redis could not be told', async () => {
    await a.connected(ALICE, '1');
    wire.isCut = true;
    await expect(a.disconnected(ALICE, '1')).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(a.connected(BOB, '2')).rejects.toMatchObject({ code: 'store_unavailable' });
    wire.isCut = false;
    expect(await b.statuses([ALICE, BOB])).toMatchObject([{ online: true }, { online: false }]);
    expect([...(await a.sweep())].sort()).toEqual([ALICE, BOB].sort());
    expect(await b.statuses([ALICE, BOB])).toMatchObject([{ online: false }, { online: true }]);
    expect(await a.sweep()).toEqual([]);
  });

  it('takes a second try where the answer to the first was lost', async () => {
    wire.loses = (name) => name === 'presence-arrive';
    await expect(a.connected(ALICE, '1')).rejects.toMatchObject({ code: 'store_unavailable' });
    wire.loses = () => false;
    await a.disconnected(ALICE, '1');
    expect(await isOnline(b, ALICE)).toBe(false);
    expect(await server.command('EXISTS', 'test:onl:{a.1}')).toBe(0);
    expect(await a.sweep()).toEqual([]);
  });

  it('recovers when Redis has lost everything', async () => {
    await a.connected(ALICE, '1');
    await server.command('FLUSHALL');
    expect(await a.sweep()).toEqual([ALICE]);
    expect(await isOnline(b, ALICE)).toBe(true);
  });

  it('leaves no keys behind, but what expires and what is hidden', async () => {
    await a.connected(ALICE, '1');
    await b.connected(ALICE, '2');
    await a.connected(BOB, '3');
    expect(await server.command('PTTL', hashOf(ALICE))).toBe(-1);
    await a.setVisible(BOB, false);
    await a.disconnected(ALICE, '1');
    await b.disconnected(ALICE, '2');
    await a.disconnected(BOB, '3');
    expect(await keys()).toEqual([hashOf(ALICE), hashOf(BOB), 'test:{nodes}'].sort());
    const remembered = async (address: Address) => Number(await server.command('PTTL', hashOf(address)));
    expect(await remembered(ALICE)).toBeGreaterThan(LAST_SEEN_MS);
    expect(await remembered(BOB)).toBe(-1);
    await a.setVisible(BOB, true);
    expect(await remembered(BOB)).toBeGreaterThan(LAST_SEEN_MS);
    await a.stop();
    await b.stop();
    expect(await keys()).toEqual([hashOf(ALICE), hashOf(BOB)].sort());
    // Never came: nothing to remember once it is visible.
    const [never] = many(1);
    await b.setVisible(never!, false);
    await b.setVisible(never!, true);
    expect(await server.command('EXISTS', hashOf(never!))).toBe(0);
  });

  it('takes all of a node that stops offline at once', async () => {
    const everybody = many(700);
    await Promise.all(everybody.map((address) => a.connected(address, address)));
    await b.connected(everybody[0]!, 'elsewhere');
    expect([...(await a.stop())].sort()).toEqual(everybody.slice(1).sort());
    expect((await b.online(null, 10)).addresses).toEqual([everybody[0]]);
    expect(await a.stop()).toHaveLength(699);
    await expect(a.connected(ALICE, '1')).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await a.disconnected(everybody[1]!, everybody[1]!)).toBe(false);
    expect(await server.command('ZRANGE', 'test:{nodes}', '0', '-1')).toEqual(['b.1']);
    // Under the same name again, it begins anew.
    expect(await node('a').connected(everybody[1]!, 'again')).toBe(true);
  });

  it('works where Redis has no memory left', async () => {
    await b.connected(BOB, '2');
    await server.command('CONFIG', 'SET', 'maxmemory', '1');
    try {
      expect(await a.connected(ALICE, '1')).toBe(true);
      expect(await isOnline(b, ALICE)).toBe(true);
      expect(await a.disconnected(ALICE, '1')).toBe(true);
      clock.advance(SURELY_ENDED_MS);
      expect(await a.sweep()).toEqual([BOB]);
      await expect(a.setVisible(ALICE, false)).rejects.toMatchObject({ code: 'store_unavailable' });
      await a.stop();
    } finally {
      await server.command('CONFIG', 'SET', 'maxmemory', '256mb');
    }
  });

  it('survives what was written by hand', async () => {
    await server.command('SET', hashOf(ALICE), 'x');
    await server.command('HSET', hashOf(BOB), 's', 'yesterday', 'c:', '1', 'c:nobody', '1');
    expect(await a.statuses([ALICE, BOB])).toEqual([
      { online: false, lastSeen: null },
      { online: false, lastSeen: null },
    ]);
  });
});
