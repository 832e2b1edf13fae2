import { type Address, RelayError } from '@relay/protocol';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { BUCKETS } from '../redis/redis-key.redis.js';
import type { MailboxKeys } from './mailbox-keys.redis.js';

export interface PurgeParts {
  readonly client: RedisClient;
  readonly keys: MailboxKeys;
  readonly node: string;
  now(): number;
  /** Removes what is due there; its ghosts only where that is said. */
  expire(mailbox: Address, withGhosts: boolean): Promise<void>;
}

const BUCKETS_PER_TURN = 256;
/** Each takes some 40 µs. */
const MAILBOXES_PER_CALL = 10;
const BUCKETS_PER_CALL = 16;
const DUE_PER_BUCKET = 200;
const PURGE_LEASE_MS = 60_000;

/** Works through what is due in all buckets. */
export class MailboxPurge {
  private nextBucket = 0;
  private isPurging = false;

  constructor(private readonly parts: PurgeParts) {}

  /**
   * One node at a time; each call works through some buckets. Redis serves nobody else while it works through what one
   * write brought, so each of those is small.
   */
  async run(): Promise<boolean> {
    const { client, node } = this.parts;
    const lock = `${client.prefix}lock:purge`;
    if (!this.isPurging) {
      const locked = await client.command('SET', lock, node, 'NX', 'PX', PURGE_LEASE_MS);
      if (locked !== 'OK') return false;
      this.isPurging = true;
    }
    const end = this.nextBucket + BUCKETS_PER_TURN;
    while (this.nextBucket < end) {
      const isUnfinished = await this.purgeBuckets(this.nextBucket, this.nextBucket + BUCKETS_PER_CALL);
      if (isUnfinished) return true;
      this.nextBucket += BUCKETS_PER_CALL;
    }
    if (this.nextBucket < BUCKETS) return true;
    this.nextBucket = 0;
    this.isPurging = false;
    await client.command('DEL', lock);
    return false;
  }

  /** true: there is more in them. */
  private async purgeBuckets(from: number, to: number): Promise<boolean> {
    const { client, keys: names, now } = this.parts;
    const range = ['-inf', now(), 'LIMIT', 0, DUE_PER_BUCKET] as const;
    const dueIn = (kind: 'exp' | 'ghx'): Promise<Address[][]> => {
      const keys = Array.from({ length: to - from }, (_, i) => names.bucket(kind, from + i));
      return Promise.all(keys.map((key) => client.command('ZRANGEBYSCORE', key, ...range) as Promise<Address[]>));
    };
    const [due, ghosts] = await Promise.all([dueIn('exp'), dueIn('ghx')]);
    const withGhosts = new Set(ghosts.flat());
    const mailboxes = [...new Set([...due.flat(), ...withGhosts])];
    let isAnyDone = false;
    for (let i = 0; i < mailboxes.length; i += MAILBOXES_PER_CALL) {
      const some = mailboxes
        .slice(i, i + MAILBOXES_PER_CALL)
        .map((mailbox) => this.parts.expire(mailbox, withGhosts.has(mailbox)));
      const results = await Promise.allSettled(some);
      // One damaged mailbox must not keep the others; a store that is away ends the round.
      const away = results.find((one) => one.status === 'rejected' && one.reason instanceof RelayError);
      if (away?.status === 'rejected') throw away.reason as RelayError;
      isAnyDone ||= results.some(({ status }) => status === 'fulfilled');
    }
    return isAnyDone && [...due, ...ghosts].some(({ length }) => length === DUE_PER_BUCKET);
  }
}
