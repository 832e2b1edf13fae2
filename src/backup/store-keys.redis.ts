import { RelayError } from '@relay/protocol';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { BUCKETS } from '../redis/redis-key.redis.js';

const KEYS_PER_SCAN = 1000;

/** All keys under the prefix, without it, a page at a time; a key may come twice. */
export async function* scanKeys(client: RedisClient): AsyncGenerator<readonly string[]> {
  const { prefix } = client;
  for (const beside of onePerPrimary(client)) {
    let cursor = '0';
    do {
      const reply = await client.commandBeside(beside, 'SCAN', cursor, 'MATCH', `${prefix}*`, 'COUNT', KEYS_PER_SCAN);
      const [next, keys] = reply as [string, string[]];
      if (keys.length > 0) yield keys.map((key) => key.slice(prefix.length));
      cursor = next;
    } while (cursor !== '0');
  }
}

/** A key of each primary's. */
function onePerPrimary(client: RedisClient): string[] {
  const keys = new Map<string, string>();
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const primary = client.primaryOf(`{${bucket}}`);
    if (primary === undefined) throw new RelayError('store_unavailable', 'Storage is changing over');
    if (!keys.has(primary)) keys.set(primary, `{${bucket}}`);
  }
  // A Cluster has primaries that no bucket lies in, where it has many: keys without a bucket may.
  for (let slot = 0; client.isCluster && slot < BUCKETS * 16; slot++) {
    const primary = client.primaryOf(`{${slot}}`);
    if (primary !== undefined && !keys.has(primary)) keys.set(primary, `{${slot}}`);
  }
  return [...keys.values()];
}

/** Nodes whose lease has not ended, by `nowMs` of the store. */
export async function liveNodes(client: RedisClient, nowMs: number): Promise<number> {
  return Number(await client.command('ZCOUNT', `${client.prefix}{nodes}`, `(${nowMs}`, '+inf'));
}
