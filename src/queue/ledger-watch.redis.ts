import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logger.js';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { BUCKETS } from '../redis/redis-key.redis.js';
import { type Difference, MailboxAudit } from './mailbox-audit.redis.js';
import type { LedgerCheck } from './queue.repository.js';

export interface LedgerWatchOptions {
  readonly client: RedisClient;
  /** Of the store. */
  readonly clock: Pick<Clock, 'now'>;
  /** This node's name. */
  readonly node: string;
  /** 0 (inclusive) to 1. */
  readonly random: () => number;
  readonly logger?: Logger | undefined;
}

/** All in 64 calls. */
const BUCKETS_PER_CHECK = 16;
/** Whose states are summed in one call, in some 5 ms at most; all buckets together, two million mailboxes with mail. */
const MAILBOXES_PER_BUCKET = 2048;
/** Whose logs are counted. */
const LOGS_PER_BUCKET = 4;
/** Several calls long: the node that began goes on, and what it found stays true to the store. */
const LEASE_MS = 60_000;

/** Goes round all buckets, a few with each check, and remembers which did not add up when it last looked. One node of all does it. */
export class LedgerWatch {
  private nextBucket = 0;
  /** By bucket, in messages. */
  private readonly imbalances = new Map<number, number>();

  constructor(private readonly options: LedgerWatchOptions) {}

  async check(): Promise<LedgerCheck | null> {
    if (!(await this.isOurs())) {
      this.imbalances.clear();
      return null;
    }
    const { client, clock, random } = this.options;
    const audit = new MailboxAudit(client, { clock });
    const buckets = Array.from({ length: BUCKETS_PER_CHECK }, (_, i) => (this.nextBucket + i) % BUCKETS);
    const sampled = await Promise.all(
      buckets.map((bucket) => audit.sample(bucket, MAILBOXES_PER_BUCKET, LOGS_PER_BUCKET, random)),
    );
    this.nextBucket = (this.nextBucket + BUCKETS_PER_CHECK) % BUCKETS;
    sampled.forEach((differences, i) => this.remember(buckets[i]!, differences ?? []));
    const skipped = sampled.filter((differences) => differences === null).length;
    let imbalance = 0;
    for (const messages of this.imbalances.values()) imbalance += messages;
    return { imbalance, checked: BUCKETS_PER_CHECK - skipped, skipped };
  }

  private async isOurs(): Promise<boolean> {
    const { client, node } = this.options;
    const lock = `${client.prefix}lock:audit`;
    if ((await client.command('SET', lock, node, 'NX', 'PX', LEASE_MS)) === 'OK') return true;
    if ((await client.command('GET', lock)) !== node) return false;
    // Once in a while two may find the same: both look, and nothing is harmed.
    return (await client.command('PEXPIRE', lock, LEASE_MS)) === 1;
  }

  private remember(bucket: number, differences: readonly Difference[]): void {
    const before = this.imbalances.get(bucket) ?? 0;
    // Differences of one bucket mostly have one cause.
    const imbalance = Math.max(0, ...differences.map(({ expected, found }) => Math.abs(found - expected)));
    if (imbalance === 0) this.imbalances.delete(bucket);
    else this.imbalances.set(bucket, imbalance);
    if (imbalance === before) return;
    const { logger } = this.options;
    if (imbalance === 0) return logger?.info('ledger in balance again', { bucket });
    for (const { what, expected, found } of differences) {
      logger?.error('ledger out of balance', undefined, { bucket, what, expected, found });
    }
  }
}
