import { type Address, RelayError } from '@relay/protocol';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { scriptFile } from '../redis/script-file.redis.js';
import { BUCKETS, bucketOf } from '../redis/redis-key.redis.js';
import {
  type ContactList,
  type ContactPage,
  ContactRepository,
  KNOWN_FOR_MS,
  MAX_KNOWN,
  MAX_LISTED,
  type Revisions,
} from './contact.repository.js';

const PUT = scriptFile(import.meta.url, 'put', 'contact-put');
const REMOVE = scriptFile(import.meta.url, 'remove', 'contact-remove');
const KNOW = scriptFile(import.meta.url, 'know', 'contact-know');

const KEYS: Record<ContactList, 'blk' | 'alw'> = { blocked: 'blk', allowed: 'alw' };

/**
 * In the bucket of the owner's mailbox, where append.lua looks at them.
 *
 * | key         | type | holds                                                        | goes away                        |
 * |-------------|------|--------------------------------------------------------------|----------------------------------|
 * | `blk:{b}:A` | zset | whom A blocks, all with score 0: in the order of their text  | when its owner says              |
 * | `alw:{b}:A` | zset | whom A allows, likewise                                       | when its owner says              |
 * | `kno:{b}:A` | zset | whom A wrote to or took mail of → when, ms; the newest 10 000 | a year after the last news of it |
 * | `blv:{b}`   | string | how often block lists of the bucket were changed              | stays: one for each bucket       |
 *
 * Field `b` of the mailbox's state `st:{b}:A` says that `blk` is there, or ghosts of a former one, so that other mailboxes need not look.
 */
export class RedisContactRepository extends ContactRepository {
  constructor(
    private readonly client: RedisClient,
    private readonly clock: { now(): number },
  ) {
    super();
  }

  override async put(list: ContactList, owner: Address, peer: Address): Promise<boolean> {
    const other = list === 'blocked' ? 'alw' : 'blk';
    const keys = [
      this.key(KEYS[list], owner),
      this.key(other, owner),
      this.key('st', owner),
      this.revisionKey(bucketOf(owner)),
    ];
    const added = await this.client.run(PUT, keys, [peer, MAX_LISTED, list === 'blocked' ? 1 : 0]);
    if (added === -1) throw new RelayError('too_large', `At most ${MAX_LISTED} addresses on a list`);
    return added === 1;
  }

  override async remove(list: ContactList, owner: Address, peer: Address): Promise<boolean> {
    const keys = [this.key(KEYS[list], owner), this.key('st', owner), this.revisionKey(bucketOf(owner))];
    return (await this.client.run(REMOVE, keys, [peer, list === 'blocked' ? 1 : 0])) === 1;
  }

  override async page(list: ContactList, owner: Address, after: Address | null, limit: number): Promise<ContactPage> {
    const from = after === null ? '-' : `(${after}`;
    const key = this.key(KEYS[list], owner);
    const found = await this.client.command('ZRANGEBYLEX', key, from, '+', 'LIMIT', 0, limit + 1);
    const addresses = (found as Address[]).slice(0, limit);
    return { addresses, next: (found as Address[]).length > limit ? (addresses.at(-1) ?? null) : null };
  }

  override blockedBy(owners: readonly Address[]): Promise<readonly ReadonlySet<Address>[]> {
    // Sent in one turn, and so in one write.
    return Promise.all(
      owners.map(async (owner) => {
        return new Set((await this.client.command('ZRANGE', this.key('blk', owner), 0, -1)) as Address[]);
      }),
    );
  }

  override async revisions(): Promise<Revisions> {
    const keys = Array.from({ length: BUCKETS }, (_, bucket) => this.revisionKey(bucket));
    const values = this.client.isCluster
      ? Promise.all(keys.map((key) => this.client.command('GET', key)))
      : this.client.command('MGET', ...keys);
    return ((await values) as (string | null)[]).map(Number);
  }

  override mayDiffer(owner: Address, before: Revisions, after: Revisions): boolean {
    return before[bucketOf(owner)] !== after[bucketOf(owner)];
  }

  override async know(owner: Address, peers: readonly Address[]): Promise<void> {
    const keys = [this.key('kno', owner), this.key('shr', owner), this.key('alw', owner)];
    await this.client.run(KNOW, keys, [this.clock.now(), KNOWN_FOR_MS, MAX_KNOWN, ...peers]);
  }

  override async isKnown(owner: Address, peer: Address): Promise<boolean> {
    const scores = await Promise.all([
      this.client.command('ZSCORE', this.key('kno', owner), peer),
      this.client.command('ZSCORE', this.key('alw', owner), peer),
    ]);
    return scores.some((score) => score !== null);
  }

  private revisionKey(bucket: number): string {
    return `${this.client.prefix}blv:{${bucket}}`;
  }

  private key(kind: 'blk' | 'alw' | 'kno' | 'st' | 'shr', owner: Address): string {
    return `${this.client.prefix}${kind}:{${bucketOf(owner)}}:${owner}`;
  }
}
