import type { Address } from '@relay/protocol';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { RedisBackplane } from '../../src/backplane/backplane.redis.js';
import type { EntryId } from '../../src/queue/entry-id.js';
import { type Audit, MailboxAudit } from '../../src/queue/mailbox-audit.redis.js';
import type { MailboxLimits, NewMessage } from '../../src/queue/queue.repository.js';
import { RedisQueueRepository } from '../../src/queue/queue.repository.redis.js';
import { bucketOf, BUCKETS } from '../../src/redis/redis-key.redis.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import { addressOf } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { ALICE, BOB, BOX, HOUR_MS, message, ROOMY } from '../support/one-mailbox.js';
import { type OpenQueue, openQueue } from '../support/redis-queue.js';
import { RedisCluster, type RedisServer, usesRedis } from '../support/redis-server.js';
import { ROOT } from '../support/relay-process.js';

const RULES = { retentionMs: HOUR_MS, historyMs: 0, maxReceipts: 20, maxDevices: 4 };
const TIGHT: MailboxLimits = { maxMessages: 8, maxBytes: 10_000_000, senderShare: 0.5, overflow: 'drop_oldest' };

const { jest } = import.meta;

/** The same numbers in each run. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}

describe('npm run verify', () => {
  const shared = usesRedis();
  let redis: RedisServer;
  let clock: ManualClock;
  let node: OpenQueue;

  beforeEach(async () => {
    redis = await shared;
    clock = new ManualClock();
    node = await openQueue(redis, clock, RULES);
  });

  afterEach(() => node.close());

  const audit = (options: { maxAddresses?: number; sliceEntries?: number } = {}): Promise<Audit> =>
    new MailboxAudit(node.client, { clock, ...options }).run();

  /** Differences without the bucket, which is that of `BOX`. */
  async function differences(): Promise<unknown[]> {
    const found = (await audit()).differences;
    expect(found.every(({ bucket }) => bucket === bucketOf(BOX))).toBe(true);
    return found.map(({ what, mailbox, expected, found }) => [what, mailbox === null ? null : 'box', expected, found]);
  }

  const key = (kind: string): string => `${node.client.prefix}${kind}:{${bucketOf(BOX)}}`;
  const box = (kind: string): string => `${key(kind)}:${BOX}`;

  async function store(count: number, more: Partial<NewMessage> = {}): Promise<string[]> {
    const ids: string[] = [];
    for (let i = 1; i <= count; i++) {
      const appended = await node.queue.append(BOX, message(`m${i}`, more), ROOMY);
      if (appended.kind !== 'stored') throw new Error(JSON.stringify(appended));
      ids.push(appended.entry.id);
    }
    return ids;
  }

  async function randomSteps(seed: number, steps: number): Promise<void> {
    const roll = dice(seed);
    const boxes = [1, 2, 3, 4, 5, 6].map((n) => addressOf(n) as Address);
    const { queue } = node;
    for (let step = 0; step < steps; step++) {
      const mailbox = boxes[roll(boxes.length)]!;
      const device = ['phone', 'laptop'][roll(2)]!;
      const from = roll(2) === 0 ? ALICE : BOB;
      const kind = roll(12);
      if (kind < 6) {
        const more = { from, ttlMs: HOUR_MS / (1 + roll(4)) };
        await queue.append(mailbox, message(`s${seed}-${step}`, more), roll(2) === 0 ? ROOMY : TIGHT);
      } else if (kind === 6) await queue.open(mailbox, device);
      else if (kind === 7) {
        const receipts = Array.from({ length: 1 + roll(9) }, (_, i) => `r${step}-${i}`);
        await queue.appendReceipts(
          mailbox,
          receipts.map((messageId) => ({ kind: 'delivered', peer: from, messageId, timestamp: 1 })),
        );
      } else if (kind < 10) {
        const { entries } = await queue.read(mailbox, null, 1 + roll(10), 1_000_000);
        const last = entries.at(-1);
        if (last !== undefined) await queue.acknowledge(mailbox, { device, upTo: last.id });
      } else if (kind === 10) {
        clock.advance(roll(HOUR_MS / 4));
        while (await queue.purge());
        for (const { owed } of await queue.owed()) await queue.settle([owed]);
      } else if (roll(4) === 0) await queue.clear(mailbox);
    }
  }

  it('finds nothing where there is nothing', async () => {
    const nothing = { accepted: 0, acknowledged: 0, expired: 0, dropped: 0, pending: 0, mailboxes: 0 };
    expect(await audit()).toEqual({ ledger: nothing, known: 0, inLogs: 0, differences: [], differenceCount: 0 });
  });

  it.each([1, 2, 3])('finds nothing after whatever the relay does (seed %d)', async (seed) => {
    await randomSteps(seed, 300);
    const { ledger, inLogs, differences: found } = await audit();
    expect(found).toEqual([]);
    expect(ledger).toEqual(await node.queue.ledger());
    expect(inLogs).toBe(ledger.pending);
    for (const count of [ledger.accepted, ledger.acknowledged, ledger.expired, ledger.dropped]) {
      expect(count).toBeGreaterThan(0);
    }
  });

  it('counts the same in slices and in several walks', async () => {
    await randomSteps(4, 300);
    expect(await audit({ maxAddresses: 1, sliceEntries: 1 })).toEqual(await audit());
  });

  it('finds nothing on a relay that is busy', async () => {
    let isBusy = true;
    const busy = (async () => {
      for (let seed = 10; isBusy; seed++) await randomSteps(seed, 50);
    })();
    const { differences: found } = await audit({ sliceEntries: 3 });
    isBusy = false;
    await busy;
    expect(found).toEqual([]);
  });

  /** Something happens right before the first calls of a script of the audit. */
  function disturb(script: string, times: number, disturbance: (time: number) => Promise<unknown>): void {
    const { client } = node;
    const run = client.run.bind(client);
    let time = 0;
    jest.spyOn(client, 'run').mockImplementation(async (...call) => {
      if (call[0].name === script && time < times) await disturbance(time++);
      return run(...call);
    });
  }

  it.each([2, 12, Infinity])('looks again at a mailbox that changes between two slices, %d times', async (times) => {
    const ids = await store(30);
    disturb('audit', times, (time) => {
      const upTo = ids[2 * time] as EntryId | undefined;
      return upTo === undefined
        ? node.queue.append(BOX, message(`later${time}`), ROOMY)
        : node.queue.acknowledge(BOX, { device: 'phone', upTo });
    });
    const { differences: found, inLogs, ledger } = await audit({ sliceEntries: 1 });
    expect([found, inLogs]).toEqual([[], ledger.pending]);
  });

  it('looks again at a bucket that has a new mailbox', async () => {
    const neighbour = `0xff${BOX.slice(4)}` as Address;
    await store(1);
    disturb('audit-bucket', BUCKETS, async (bucket) => {
      if (bucket === bucketOf(BOX)) await node.queue.append(neighbour, message('n'), ROOMY);
    });
    expect(await audit()).toMatchObject({ known: 2, inLogs: 2, differences: [], ledger: { pending: 2 } });
  });

  it('changes nothing', async () => {
    await store(3);
    const digest = () => redis.command('DEBUG', 'DIGEST');
    const before = await digest();
    await audit();
    expect(await digest()).toBe(before);
  });

  it('finds a total that is wrong', async () => {
    await store(3);
    await redis.command('HINCRBY', key('tot'), 'k', '1');
    expect(await differences()).toEqual([['waiting by the totals', null, 3, 2]]);
    await redis.command('HINCRBY', key('tot'), 'k', '-1');
    await redis.command('HINCRBY', key('tot'), 'b', '1');
    expect(await differences()).toEqual([['mailboxes by the totals', null, 1, 2]]);
  });

  it('finds a message that is missing in the log', async () => {
    const [, second = ''] = await store(3);
    await redis.command('XDEL', box('mb'), second);
    expect(await differences()).toEqual([['waiting in the log', 'box', 3, 2]]);
  });

  it('finds a log that is missing', async () => {
    await store(2);
    await redis.command('DEL', box('mb'));
    expect(await differences()).toEqual([
      ['waiting in the log', 'box', 2, 0],
      ['index entry without a log', 'box', 0, 1],
    ]);
  });

  it('finds a log without a state', async () => {
    await store(3);
    await redis.command('DEL', box('st'));
    expect(await differences()).toEqual([
      ['log without a state', 'box', 0, 3],
      ['waiting by the totals', null, 0, 3],
      ['mailboxes by the totals', null, 0, 1],
    ]);
  });

  it('finds a state that cannot be read', async () => {
    await store(1);
    await redis.command('HSET', box('st'), 's', 'x');
    expect((await differences())[0]).toEqual(['state that cannot be read', 'box', 0, 1]);
  });

  it('finds a log that nobody would expire', async () => {
    await store(1);
    await redis.command('ZREM', key('exp'), BOX);
    expect(await differences()).toEqual([['log that is not in the expiry index', 'box', 1, 0]]);
  });

  it('finds entries that no relay wrote', async () => {
    await store(1);
    await redis.command('XADD', box('mb'), '*', 'e', 'nonsense');
    await redis.command('XADD', box('mb'), '*', 'e', 'm1 2 3 4 5 0x12 id\n');
    expect(await differences()).toEqual([['damaged entries', 'box', 0, 2]]);
  });

  it('finds receipts that nobody passes on', async () => {
    await store(1, { ttlMs: 1000 });
    clock.advance(1000);
    while (await node.queue.purge());
    expect(await differences()).toEqual([]);
    clock.advance(60_001);
    expect(await differences()).toEqual([['receipts owed for more than a minute', null, 0, 1]]);
  });

  it('shows the first 20 and counts the others', async () => {
    for (let n = 1; n <= 15; n++) await node.queue.append(addressOf(n) as Address, message('m'), ROOMY);
    for (let n = 1; n <= 15; n++) {
      const tag = `{${bucketOf(addressOf(n) as Address)}}`;
      await redis.command('DEL', `${node.client.prefix}tot:${tag}`);
    }
    const { differences: found, differenceCount } = await audit();
    expect([found.length, differenceCount]).toEqual([20, 30]);
  });

  it('sees every primary of a Cluster', async () => {
    const cluster = await RedisCluster.start({ replicas: 0 });
    const [url = ''] = cluster.urls;
    try {
      const client = await RedisClient.connect({ url, clusterNodes: cluster.addresses }, 'c:');
      const backplane = await RedisBackplane.open({ client });
      const queue = new RedisQueueRepository({ client, backplane, clock, ...RULES });
      for (let n = 1; n <= 60; n++) await queue.append(addressOf(n) as Address, message('m'), ROOMY);
      const run = () => new MailboxAudit(client, { clock }).run();
      expect(await run()).toMatchObject({ known: 60, inLogs: 60, differences: [], ledger: { pending: 60 } });
      for (const server of cluster.nodes) {
        for (const tot of (await server.command('KEYS', 'c:tot:*')) as string[]) await server.command('DEL', tot);
      }
      expect((await run()).differenceCount).toBe(120);
      backplane.close();
      await client.close();
    } finally {
      await cluster.close();
    }
  });

  describe('and a relay beside its work', () => {
    const CALLS = BUCKETS / 16;

    /** By what the last call of a whole round says. */
    async function round(queue = node.queue): Promise<number | null> {
      let check = await queue.checkLedger();
      for (let call = 1; call < CALLS; call++) check = await queue.checkLedger();
      return check === null ? null : check.imbalance;
    }

    it('find nothing after all kinds of steps, nor while they are taken', async () => {
      let isBusy = true;
      const busy = (async () => {
        for (let seed = 20; isBusy; seed++) await randomSteps(seed, 50);
      })();
      for (let rounds = 0; rounds < 3; rounds++) expect(await round()).toBe(0);
      isBusy = false;
      await busy;
      expect(await round()).toBe(0);
    });

    it.each<[string, number, () => Promise<unknown>]>([
      ['one message too many accepted', 1, () => redis.command('HINCRBY', key('tot'), 'a', '1')],
      ['two too many acknowledged', 2, () => redis.command('HINCRBY', key('tot'), 'k', '2')],
      ['a mailbox that has mail and does not count', 1, () => redis.command('HINCRBY', key('tot'), 'b', '-1')],
      ['a mailbox that the index does not know', 3, () => redis.command('ZREM', key('exp'), BOX)],
      [
        'a log that lost a message',
        1,
        async () => {
          const [[id]] = (await redis.command('XRANGE', box('mb'), '-', '+', 'COUNT', '1')) as [[string]];
          return redis.command('XDEL', box('mb'), id);
        },
      ],
      ['a state that is gone', 3, () => redis.command('DEL', box('st'))],
    ])('find %s', async (_, messages, spoil) => {
      await store(3);
      expect(await round()).toBe(0);
      await spoil();
      expect(await round()).toBe(messages);
    });

    it('see it until it is mended, and say so once', async () => {
      await store(3);
      await redis.command('HINCRBY', key('tot'), 'a', '1');
      expect([await round(), await round()]).toEqual([1, 1]);
      await redis.command('HINCRBY', key('tot'), 'a', '-1');
      expect(await round()).toBe(0);
    });

    it('are one of several, and another when that one has gone', async () => {
      const other = await openQueue(redis, clock, RULES, node.client.prefix);
      await store(1);
      await redis.command('HINCRBY', key('tot'), 'a', '1');
      expect([await round(), await round(other.queue)]).toEqual([1, null]);
      await redis.command('DEL', `${node.client.prefix}lock:audit`);
      expect([await round(other.queue), await round()]).toEqual([1, null]);
      await other.close();
    });

    it('leave out what has too many mailboxes to be counted in passing', async () => {
      const pairs = Array.from({ length: 2200 }, (_, i) => ['1', addressOf(i + 1)]).flat();
      await redis.command('ZADD', key('exp'), ...pairs);
      let skipped = 0;
      for (let call = 0; call < CALLS; call++) skipped += (await node.queue.checkLedger())!.skipped;
      expect(skipped).toBe(1);
    });
  });

  describe('as a command', () => {
    async function run(env: Record<string, string>, ...args: string[]) {
      const child = spawn(process.execPath, [join(ROOT, 'dist', 'cli.js'), 'verify', ...args], {
        env: { PATH: process.env.PATH, ...env },
      });
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      const [code] = (await once(child, 'close')) as [number];
      return { code, stdout, stderr };
    }

    const onRedis = () => ({ STORAGE: 'redis', REDIS_URL: redis.url, REDIS_KEY_PREFIX: node.client.prefix });

    it('ends with 0 in balance, and 1 with what differs', async () => {
      await store(3);
      const balanced = await run(onRedis());
      expect(balanced).toMatchObject({ code: 0, stderr: '' });
      expect(balanced.stdout).toMatch(/^accepted +3$/m);
      expect(balanced.stdout).toMatch(/^in balance$/m);
      await redis.command('HINCRBY', key('tot'), 'a', '1');
      const different = await run(onRedis());
      expect(different).toMatchObject({ code: 1, stderr: '' });
      expect(different.stdout).toContain(`\n  bucket ${bucketOf(BOX)}: waiting by the totals: 4, expected 3\n`);
      const machine = await run(onRedis(), '--json');
      expect(machine.code).toBe(1);
      expect(JSON.parse(machine.stdout)).toMatchObject({ isInBalance: false, ledger: { accepted: 4 }, inLogs: 3 });
    });

    it('ends with 78 where there is nothing to verify or the configuration is wrong', async () => {
      expect(await run({ STORAGE: 'memory' })).toMatchObject({ code: 78, stdout: '' });
      expect(await run({ ...onRedis(), REDIS_URL: 'nonsense' })).toMatchObject({ code: 78, stdout: '' });
      expect(await run(onRedis(), '--what')).toMatchObject({ code: 2, stdout: '' });
    });

    it('ends with 69 where Redis is away', async () => {
      const away = { ...onRedis(), REDIS_URL: 'redis://127.0.0.1:1', REDIS_WAIT_SECONDS: '0' };
      expect(await run(away)).toEqual({
        code: 69,
        stdout: '',
        stderr: 'Cannot go on:\n  - Redis does not answer at redis://127.0.0.1:1: ECONNREFUSED\n',
      });
    });
  });
});
