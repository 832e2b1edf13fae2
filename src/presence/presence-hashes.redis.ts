import type { Address } from '@relay/protocol';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { replyCode } from '../redis/redis-error.redis.js';
import { bucketOf } from '../redis/redis-key.redis.js';
import { ARRIVE, DEPART, ENLIST, SET_VISIBLE } from './scripts.redis.js';

/** What is written of one address. */
export interface Marks {
  readonly isHidden: boolean;
  /** Names of nodes that hold connections, or died while they did. */
  readonly nodes: readonly string[];
  /** ms since 1970 */
  readonly lastSeen: number | null;
}

/** A clock that is a little behind must not find that forgotten which it would still show. */
const MARGIN_MS = 3_600_000;
const NODE_FIELD = 'c:';

/**
 * | key          | type | holds                                                            | goes away                     |
 * |--------------|------|------------------------------------------------------------------|-------------------------------|
 * | `pre:{b}:A`  | hash | `h` → 1: hidden · `s` → when last seen, ms · `c:<name>` → 1: the | with its last field; where    |
 * |              |      | node of that name holds connections of A                         | only `s` is left, by TTL      |
 * | `onl:{name}` | zset | scores 0, so in order: addresses with `c:<name>`, and those that | with its last address         |
 * |              |      | are just coming or going                                         |                               |
 *
 * An address is in `onl` before its hash says `c:<name>` and until it no longer does, so that whoever cleans up after a
 * node finds everything.
 */
export class PresenceHashes {
  constructor(
    private readonly client: RedisClient,
    private readonly lastSeenMs: number,
  ) {}

  async read(address: Address): Promise<Marks> {
    try {
      const flat = (await this.client.command('HGETALL', this.keyOf(address))) as string[];
      const fields = flat.filter((_, i) => i % 2 === 0);
      return marksOf(fields, flat[fields.indexOf('s') * 2 + 1]);
    } catch (error) {
      // Written by hand.
      if (replyCode(error) === 'WRONGTYPE') return marksOf([]);
      throw error;
    }
  }

  /** As it was before. */
  async arrive(address: Address, name: string): Promise<Marks> {
    await this.client.run(ENLIST, [this.listOf(name)], [address]);
    return marksOf((await this.client.run(ARRIVE, [this.keyOf(address)], [name])) as string[]);
  }

  /** As it is now; `null`: the node was not there. It stays listed. */
  async depart(address: Address, name: string, seenAt: number): Promise<Marks | null> {
    const args = [name, seenAt, this.lastSeenMs + MARGIN_MS];
    const left = (await this.client.run(DEPART, [this.keyOf(address)], args)) as string[] | null;
    return left === null ? null : marksOf(left);
  }

  /** As it was before. */
  async setVisible(address: Address, visible: boolean): Promise<Marks> {
    const args = [visible ? 1 : 0, this.lastSeenMs + MARGIN_MS];
    return marksOf((await this.client.run(SET_VISIBLE, [this.keyOf(address)], args)) as string[]);
  }

  /** In ascending order. */
  async listed(name: string, after: Address | null, limit: number): Promise<readonly Address[]> {
    const range = [after === null ? '-' : `(${after}`, '+', 'BYLEX', 'LIMIT', 0, limit];
    return (await this.client.command('ZRANGE', this.listOf(name), ...range)) as Address[];
  }

  async unlist(name: string, addresses: readonly Address[]): Promise<void> {
    await this.client.command('ZREM', this.listOf(name), ...addresses);
  }

  private keyOf(address: Address): string {
    return `${this.client.prefix}pre:{${bucketOf(address)}}:${address}`;
  }

  private listOf(name: string): string {
    return `${this.client.prefix}onl:{${name}}`;
  }
}

function marksOf(fields: readonly string[], lastSeen = ''): Marks {
  const nodes = fields.filter((field) => field.startsWith(NODE_FIELD)).map((field) => field.slice(NODE_FIELD.length));
  return { isHidden: fields.includes('h'), nodes, lastSeen: /^\d{1,15}$/.test(lastSeen) ? Number(lastSeen) : null };
}
