import { type Address, RelayError } from '@relay/protocol';
import { readFileSync } from 'node:fs';
import { type Clock, SystemClock } from '../common/clock.js';
import type { Logger } from '../common/logger.js';
import type { Settings } from '../common/settings.js';
import { checkRedis } from '../redis/redis-checks.redis.js';
import { RedisClient, type Script } from '../redis/redis-client.redis.js';
import { BUCKETS } from '../redis/redis-key.redis.js';
import { StoreClock } from '../redis/store-clock.redis.js';
import type { Ledger } from './queue.repository.js';

export type DifferenceKind =
  | 'waiting by the totals'
  | 'mailboxes by the totals'
  | 'waiting in the log'
  | 'log without a state'
  | 'state that cannot be read'
  | 'log that is not in the expiry index'
  | 'index entry without a log'
  | 'damaged entries'
  | 'receipts owed for more than a minute';

/** What was counted, where something else should be. */
export interface Difference {
  readonly what: DifferenceKind;
  readonly bucket: number;
  /** `null`: of the bucket as a whole. */
  readonly mailbox: Address | null;
  readonly expected: number;
  readonly found: number;
}

export interface Audit {
  /** By the totals. Buckets are read one after the other: on a busy relay the sums belong to no one instant. */
  readonly ledger: Ledger;
  /** That have a state or a log. */
  readonly known: number;
  /** Messages that wait, by the logs. */
  readonly inLogs: number;
  /** The first of them, in the order of buckets. */
  readonly differences: readonly Difference[];
  readonly differenceCount: number;
}

export interface AuditOptions {
  /** By which receipts are owed. */
  readonly clock: Pick<Clock, 'now'>;
  /** Addresses held at once; beyond them, the keys are walked several times. */
  readonly maxAddresses?: number;
  /** Entries that one call looks at. */
  readonly sliceEntries?: number;
}

const MAX_ADDRESSES = 500_000;
const SLICE_ENTRIES = 200;
const KEYS_PER_SCAN = 1000;
const MAILBOXES_AT_ONCE = 50;
/** Mailboxes that one call sums; where there are more, their totals must not move meanwhile. */
const MAILBOXES_PER_SUM = 2048;
/** On a busy relay numbers move between two looks. The last look is one call, however long that takes. */
const LOOKS = 3;
const SHOWN = 20;
const OWED_AT_MOST_MS = 60_000;
const ALL = 1_000_000_000;

const read = (name: string): string => {
  const lua = readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');
  return `#!lua flags=no-writes\n${lua}`;
};
const AUDIT: Script = { name: 'audit', lua: read('audit') };
const AUDIT_INDEX: Script = { name: 'audit-index', lua: read('audit-index') };
const AUDIT_BUCKET: Script = { name: 'audit-bucket', lua: read('audit-bucket') };

interface Seen {
  readonly exists: boolean;
  readonly messages: number;
  readonly differences: readonly Difference[];
}

interface Sums {
  readonly totals: readonly [a: number, k: number, x: number, d: number, b: number];
  readonly waiting: number;
  readonly mailboxes: number;
}

type BucketSeen = Sums & { readonly known: number; readonly messages: number; readonly differences: Difference[] };

/** Audits the mailboxes that `settings` lead to. Rejects with `StartError`, or `store_unavailable` where Redis goes away meanwhile. */
export async function auditMailboxes(settings: Settings, logger?: Logger): Promise<Audit> {
  const { redisUrl, redisSentinels, redisSentinelName, redisClusterNodes, redisKeyPrefix, redisWaitSeconds } = settings;
  const client = await RedisClient.connect(
    { url: redisUrl, sentinels: redisSentinels, sentinelName: redisSentinelName, clusterNodes: redisClusterNodes },
    redisKeyPrefix,
    { logger, waitMs: redisWaitSeconds * 1000 },
  );
  try {
    await checkRedis(client);
    return await new MailboxAudit(client, { clock: await storeClock(client) }).run();
  } finally {
    await client.close();
  }
}

/** The time that relays go by, without a trace: `StoreClock.open` would save it. */
async function storeClock(client: RedisClient): Promise<StoreClock> {
  const times = (await client.commandEverywhere('TIME')) as [seconds: string, microseconds: string][];
  const saved = Number(await client.command('GET', `${client.prefix}clock`));
  return new StoreClock(new SystemClock(), Math.max(saved, ...times.map(([seconds]) => Number(seconds) * 1000)));
}

/**
 * Walks all mailboxes (`run`), or looks at some of them (`sample`), and compares totals, states, logs and indexes. It writes nothing, and may run beside relays: what
 * differs is looked at again before it counts.
 */
export class MailboxAudit {
  private readonly ledger = { accepted: 0, acknowledged: 0, expired: 0, dropped: 0, pending: 0, mailboxes: 0 };
  private readonly differences: Difference[] = [];
  private differenceCount = 0;
  private known = 0;
  private inLogs = 0;

  constructor(
    private readonly client: RedisClient,
    private readonly options: AuditOptions,
  ) {}

  /** Once. */
  async run(): Promise<Audit> {
    const { client, options, ledger } = this;
    const sizes = (await client.commandEverywhere('DBSIZE')) as number[];
    const keys = sizes.reduce((sum, size) => sum + size, 0);
    const passes = Math.min(BUCKETS, Math.max(1, Math.ceil(keys / (options.maxAddresses ?? MAX_ADDRESSES))));
    for (let pass = 0; pass < passes; pass++) {
      const isOurs = (bucket: number): boolean => bucket % passes === pass;
      const addresses = await this.addressesIn(isOurs);
      for (let bucket = pass; bucket < BUCKETS; bucket += passes)
        this.add(await this.bucket(bucket, addresses[bucket]));
    }
    const { known, inLogs, differenceCount } = this;
    const differences = [...this.differences].sort((a, b) => a.bucket - b.bucket);
    return { ledger, known, inLogs, differences, differenceCount };
  }

  /**
   * One bucket, by its index and at what a relay can afford beside its work: what waits in all its mailboxes, at one instant, and
   * what is in the logs of a few of them, from a random one on. `null` where it has more than `most` with mail.
   */
  async sample(bucket: number, most: number, few: number, random: () => number): Promise<readonly Difference[] | null> {
    const [tot, exp] = [this.key('tot', bucket), this.key('exp', bucket)];
    const reply = (await this.client.run(AUDIT_INDEX, [tot, exp], [most])) as IndexReply | null;
    if (reply === null) return null;
    const [waitingByTotals, waiting, mailboxesByTotals, mailboxes] = reply;
    const differences: Difference[] = [];
    const of = (what: DifferenceKind, expected: number, found: number): void => {
      if (expected !== found) differences.push({ what, bucket, mailbox: null, expected, found });
    };
    of('waiting by the totals', waiting, waitingByTotals);
    of('mailboxes by the totals', mailboxes, mailboxesByTotals);
    const count = Number(await this.client.command('ZCARD', exp));
    const first = Math.floor(random() * Math.max(1, count - few + 1));
    const some = (await this.client.command('ZRANGE', exp, first, first + few - 1)) as Address[];
    for (const seen of await Promise.all(some.map((address) => this.mailbox(bucket, address)))) {
      differences.push(...seen.differences);
    }
    return differences;
  }

  /** By bucket. What comes up twice in a walk is in there once. */
  private async addressesIn(isOurs: (bucket: number) => boolean): Promise<readonly (Set<Address> | undefined)[]> {
    const { client } = this;
    const found: (Set<Address> | undefined)[] = [];
    const start = `${client.prefix}..:{`.length;
    for (const beside of this.onePerPrimary()) {
      let cursor = '0';
      do {
        const args = [cursor, 'MATCH', `${client.prefix}[ms][bt]:{*}:*`, 'COUNT', KEYS_PER_SCAN];
        const [next, keys] = (await client.commandBeside(beside, 'SCAN', ...args)) as [string, string[]];
        for (const key of keys) {
          const end = key.indexOf('}', start);
          const bucket = Number(key.slice(start, end));
          if (!(bucket < BUCKETS) || !isOurs(bucket)) continue;
          (found[bucket] ??= new Set()).add(key.slice(end + 2) as Address);
        }
        cursor = next;
      } while (cursor !== '0');
    }
    return found;
  }

  /** A key of each primary's. Where one fails over during the walk, the index still knows all that have mail. */
  private onePerPrimary(): string[] {
    const keys = new Map<string, string>();
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const primary = this.client.primaryOf(`{${bucket}}`);
      if (primary === undefined) throw new RelayError('store_unavailable', 'Storage is changing over');
      if (!keys.has(primary)) keys.set(primary, `{${bucket}}`);
    }
    return [...keys.values()];
  }

  private async bucket(bucket: number, scanned: Iterable<Address> = []): Promise<BucketSeen> {
    for (let look = 1; ; look++) {
      const indexed = (await this.client.command('ZRANGE', this.key('exp', bucket), 0, -1)) as Address[];
      const seen = await this.look(bucket, [...new Set([...scanned, ...indexed])], look === LOOKS);
      if (seen.differences.length === 0 || look === LOOKS) return seen;
    }
  }

  private async look(bucket: number, addresses: readonly Address[], isLast: boolean): Promise<BucketSeen> {
    const differences: Difference[] = [];
    let known = 0;
    let messages = 0;
    for (let i = 0; i < addresses.length; i += MAILBOXES_AT_ONCE) {
      const some = addresses.slice(i, i + MAILBOXES_AT_ONCE);
      for (const seen of await Promise.all(some.map((address) => this.mailbox(bucket, address)))) {
        if (seen.exists) known++;
        messages += seen.messages;
        differences.push(...seen.differences);
      }
    }
    const sums = await this.sumsOf(bucket, addresses, isLast);
    const of = (what: DifferenceKind, expected: number, found: number): void => {
      if (expected !== found) differences.push({ what, bucket, mailbox: null, expected, found });
    };
    of('waiting by the totals', sums.waiting, waitingBy(sums.totals));
    of('mailboxes by the totals', sums.mailboxes, sums.totals[4]);
    of('receipts owed for more than a minute', 0, await this.owedTooLong(bucket));
    return { ...sums, known, messages, differences };
  }

  private async mailbox(bucket: number, address: Address): Promise<Seen> {
    const keys = [this.key('mb', bucket, address), this.key('st', bucket, address), this.key('exp', bucket)];
    for (let look = 1; ; look++) {
      const most = look === LOOKS ? ALL : (this.options.sliceEntries ?? SLICE_ENTRIES);
      let messages = 0;
      let damaged = 0;
      let start = '-';
      let before: string | undefined;
      for (;;) {
        const reply = await this.client.run(AUDIT, keys, [address, start, most]);
        const [state, waiting, entries, isIndexed, found, broken, next] = reply as SliceReply;
        messages += found;
        damaged += broken;
        // It changed between two slices.
        if (before !== undefined && before !== state) break;
        before = state;
        start = next;
        if (next !== '') continue;
        const facts = { state, waiting, entries, isIndexed: isIndexed === 1, messages, damaged };
        return { exists: state !== '' || entries > 0, messages, differences: judge(bucket, address, facts) };
      }
    }
  }

  private async sumsOf(bucket: number, addresses: readonly Address[], isLast: boolean): Promise<Sums> {
    const most = isLast ? addresses.length : MAILBOXES_PER_SUM;
    let waiting = 0;
    let mailboxes = 0;
    for (let i = 0; ; i += most) {
      const some = addresses.slice(i, i + most);
      const states = some.map((address) => this.key('st', bucket, address));
      const tot = this.key('tot', bucket);
      const reply = await this.client.run(AUDIT_BUCKET, [tot, ...states], [states.length]);
      const [a, k, x, d, b, pending, withPending] = (reply as number[]).map(Number) as SumsReply;
      waiting += pending;
      mailboxes += withPending;
      if (i + most >= addresses.length) return { totals: [a, k, x, d, b], waiting, mailboxes };
    }
  }

  /** Those whose instant is long past: relays pass them on within seconds. */
  private async owedTooLong(bucket: number): Promise<number> {
    const before = this.options.clock.now() - OWED_AT_MOST_MS;
    const late = new Set<string>();
    let cursor = '0';
    do {
      const reply = await this.client.command('HSCAN', this.key('out', bucket), cursor, 'COUNT', 100);
      const [next, flat] = reply as [string, string[]];
      for (let i = 0; i < flat.length; i += 2) {
        const at = /"at":(\d+)/.exec(flat[i + 1]!)?.[1];
        if (at === undefined || Number(at) < before) late.add(flat[i]!);
      }
      cursor = next;
    } while (cursor !== '0');
    return late.size;
  }

  private add({ totals, known, messages, differences }: BucketSeen): void {
    const [accepted, acknowledged, expired, dropped, mailboxes] = totals;
    const { ledger } = this;
    ledger.accepted += accepted;
    ledger.acknowledged += acknowledged;
    ledger.expired += expired;
    ledger.dropped += dropped;
    ledger.pending += waitingBy(totals);
    ledger.mailboxes += mailboxes;
    this.known += known;
    this.inLogs += messages;
    this.differenceCount += differences.length;
    this.differences.push(...differences.slice(0, SHOWN - this.differences.length));
  }

  private key(kind: 'mb' | 'st', bucket: number, mailbox: Address): string;
  private key(kind: 'tot' | 'exp' | 'out', bucket: number): string;
  private key(kind: string, bucket: number, mailbox?: Address): string {
    return `${this.client.prefix}${kind}:{${bucket}}${mailbox === undefined ? '' : `:${mailbox}`}`;
  }
}

type SliceReply = [
  state: string,
  waiting: number,
  entries: number,
  isIndexed: number,
  found: number,
  broken: number,
  next: string,
];
type IndexReply = [waitingByTotals: number, waiting: number, mailboxesByTotals: number, mailboxes: number];
type SumsReply = [number, number, number, number, number, number, number];

interface Facts {
  readonly state: string;
  readonly waiting: number;
  readonly entries: number;
  readonly isIndexed: boolean;
  readonly messages: number;
  readonly damaged: number;
}

function judge(bucket: number, mailbox: Address, facts: Facts): Difference[] {
  const { state, waiting, entries, isIndexed, messages, damaged } = facts;
  const differences: Difference[] = [];
  const differs = (what: DifferenceKind, expected: number, found: number): void => {
    differences.push({ what, bucket, mailbox, expected, found });
  };
  if (state === '' && entries > 0) differs('log without a state', 0, entries);
  else if (state === '?') differs('state that cannot be read', 0, 1);
  else if (waiting !== messages) differs('waiting in the log', waiting, messages);
  if (entries > 0 && !isIndexed) differs('log that is not in the expiry index', 1, 0);
  if (entries === 0 && isIndexed) differs('index entry without a log', 0, 1);
  if (damaged > 0) differs('damaged entries', 0, damaged);
  return differences;
}

function waitingBy([accepted, acknowledged, expired, dropped]: Sums['totals']): number {
  return accepted - acknowledged - expired - dropped;
}
