import type { RedisClient, Script } from '../redis/redis-client.redis.js';
import { BUCKETS } from '../redis/redis-key.redis.js';
import type { MailboxKeys } from './mailbox-keys.redis.js';
import { digestOf } from './message-digest.redis.js';
import { type OwedItem, parseOwed, receiptsOf } from './owed.redis.js';
import type { Owed, OwedReceipts } from './queue.repository.js';

/** What these owe, some thousands at most, is passed on before the next are asked. */
const BUCKETS_PER_CALL = 64;
/** Whose answer never came, as Redis stood still, may have taken it from all others for as long. */
const OWED_FOR_MS = 10_000;
/** Of a bucket in one call; a page has about a hundred. */
const OWED_PAGES = 20;

/** Receipts that nobody passed on, in all buckets. */
export class OwedInRedis {
  /** Where to go on in buckets that owe more than a call looks through. */
  private readonly cursors = new Map<number, string>();
  /** Where the next call begins. */
  private bucket = 0;

  constructor(
    private readonly client: RedisClient,
    private readonly keys: MailboxKeys,
    private readonly script: Script,
    private readonly now: () => number,
  ) {}

  /** Of the next buckets that owe something; nothing once all were asked. Rejects where one of those gave no answer, and none is due. */
  async due(): Promise<readonly OwedReceipts[]> {
    for (let asked = 0; asked < BUCKETS; asked += BUCKETS_PER_CALL) {
      const first = this.bucket;
      // Before they have answered: what cannot be asked, or owes something each time, does not hold up the rest.
      this.bucket = (first + BUCKETS_PER_CALL) % BUCKETS;
      const due = await Promise.allSettled(Array.from({ length: BUCKETS_PER_CALL }, (_, i) => this.dueIn(first + i)));
      const items = due.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
      if (items.length > 0) return Promise.all(items.map((item) => this.owedReceipts(item)));
      const failed = due.find((one) => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    }
    return [];
  }

  async settle(owed: readonly Owed[]): Promise<void> {
    const byBucket = new Map<number, string[]>();
    for (const one of owed) {
      const separator = one.indexOf('/');
      const bucket = Number(one.slice(0, separator));
      const fields = byBucket.get(bucket);
      if (fields === undefined) byBucket.set(bucket, [one.slice(separator + 1)]);
      else fields.push(one.slice(separator + 1));
    }
    await Promise.all(
      [...byBucket].map(([bucket, fields]) => this.client.command('HDEL', this.keys.bucket('out', bucket), ...fields)),
    );
  }

  /** Goes on where the last call stopped, until something is due or, for now, enough was looked through. */
  private async dueIn(bucket: number): Promise<OwedItem[]> {
    const now = this.now();
    let cursor = this.cursors.get(bucket) ?? '0';
    let due: OwedItem[] = [];
    for (let page = 0; page < OWED_PAGES && due.length === 0; page++) {
      const args = [now, now + OWED_FOR_MS, cursor];
      const reply = await this.client.run(this.script, [this.keys.bucket('out', bucket)], args);
      const [next = '0', ...found] = reply as string[];
      due = parseOwed(bucket, found);
      cursor = next;
      if (cursor === '0') break;
    }
    if (cursor === '0') this.cursors.delete(bucket);
    else this.cursors.set(bucket, cursor);
    return due;
  }

  /** A `delivered` that nobody passed on is owed no more once its `read` is: it would turn the tick back. */
  private async owedReceipts(item: OwedItem): Promise<OwedReceipts> {
    const { owed, mailbox, kind } = item;
    const receipts = receiptsOf(item);
    if (kind !== 'delivered' || receipts.length === 0) return { owed, receipts };
    const digests = receipts.map(({ to, receipt }) => digestOf(to, receipt.messageId));
    const records = (await this.client.command('HMGET', this.keys.one('st', mailbox), ...digests)) as (string | null)[];
    return { owed, receipts: receipts.filter((_, i) => records[i]?.split(' ', 3)[2]?.includes('r') !== true) };
  }
}
