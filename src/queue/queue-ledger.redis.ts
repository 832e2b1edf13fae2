import type { Logger } from '../common/logger.js';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { BUCKETS } from '../redis/redis-key.redis.js';
import type { MailboxKeys } from './mailbox-keys.redis.js';
import type { Ledger } from './queue.repository.js';

/** The sum of what all buckets counted. Reading it reads every bucket, so it may be a moment old. */
export class QueueLedger {
  private rebuilt = 0;
  private known: { readonly at: number; readonly ledger: Promise<Ledger> } | null = null;

  constructor(
    private readonly client: RedisClient,
    private readonly keys: MailboxKeys,
    private readonly maxAgeMs: number,
    private readonly logger: Logger | undefined,
  ) {}

  read(): Promise<Ledger> {
    const at = performance.now();
    if (this.known !== null && at - this.known.at < this.maxAgeMs) return this.known.ledger;
    const ledger = this.sum();
    this.known = { at, ledger };
    // A failure is not an answer to keep.
    ledger.catch(() => (this.known = null));
    return ledger;
  }

  private async sum(): Promise<Ledger> {
    const sum = { a: 0, k: 0, x: 0, d: 0, b: 0, r: 0 };
    const replies = await Promise.all(
      Array.from({ length: BUCKETS }, (_, bucket) =>
        this.client.command('HMGET', this.keys.bucket('tot', bucket), 'a', 'k', 'x', 'd', 'b', 'r'),
      ),
    );
    for (const reply of replies as (string | null)[][]) {
      Object.keys(sum).forEach((field, i) => (sum[field as keyof typeof sum] += Number(reply[i] ?? 0)));
    }
    if (sum.r > this.rebuilt) this.logger?.error('damaged mailboxes were rebuilt', undefined, { count: sum.r });
    this.rebuilt = sum.r;
    const { a: accepted, k: acknowledged, x: expired, d: dropped, b: mailboxes } = sum;
    return {
      accepted,
      acknowledged,
      expired,
      dropped,
      pending: accepted - acknowledged - expired - dropped,
      mailboxes,
    };
  }
}
