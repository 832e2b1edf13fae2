import type { Address } from '@relay/protocol';
import { bucketOf } from '../redis/redis-key.redis.js';

const MAX_KEPT_KEYS = 20_000;

/** The names of keys; what each holds stands in queue.repository.redis.ts. */
export class MailboxKeys {
  private readonly kept = new Map<Address, readonly string[]>();

  constructor(private readonly prefix: string) {}

  /** mb, st, tot and exp of a mailbox. Kept for those in use: making them costs as much as the rest of a call. */
  of(mailbox: Address): readonly string[] {
    let keys = this.kept.get(mailbox);
    if (keys === undefined) {
      if (this.kept.size >= MAX_KEPT_KEYS) this.kept.clear();
      const shared = `:{${bucketOf(mailbox)}}`;
      const own = `${shared}:${mailbox}`;
      const { prefix } = this;
      keys = [`${prefix}mb${own}`, `${prefix}st${own}`, `${prefix}tot${shared}`, `${prefix}exp${shared}`];
      this.kept.set(mailbox, keys);
    }
    return keys;
  }

  one(kind: 'mb' | 'st', mailbox: Address): string {
    return `${this.prefix}${kind}:{${bucketOf(mailbox)}}:${mailbox}`;
  }

  bucket(kind: 'exp' | 'ghx' | 'out' | 'tot', bucket: number): string {
    return `${this.prefix}${kind}:{${bucket}}`;
  }
}
