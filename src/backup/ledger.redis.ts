import type { RedisClient } from '../redis/redis-client.redis.js';
import { BUCKETS } from '../redis/redis-key.redis.js';

export interface Totals {
  readonly accepted: number;
  readonly acknowledged: number;
  readonly expired: number;
  readonly dropped: number;
  readonly pending: number;
  readonly mailboxes: number;
}

/** By the totals of all buckets, without the scripts of a relay. */
export async function readLedger(client: RedisClient): Promise<Totals> {
  const replies = await Promise.all(
    Array.from({ length: BUCKETS }, (_, b) =>
      client.command('HMGET', `${client.prefix}tot:{${b}}`, 'a', 'k', 'x', 'd', 'b'),
    ),
  );
  const sums = [0, 0, 0, 0, 0];
  for (const reply of replies) (reply as (string | null)[]).forEach((count, i) => (sums[i]! += Number(count ?? 0)));
  const [accepted, acknowledged, expired, dropped, mailboxes] = sums as [number, number, number, number, number];
  return { accepted, acknowledged, expired, dropped, pending: accepted - acknowledged - expired - dropped, mailboxes };
}
