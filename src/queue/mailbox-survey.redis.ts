import type { Address } from '@relay/protocol';
import type { RedisClient, Script } from '../redis/redis-client.redis.js';
import { BUCKETS, bucketOf } from '../redis/redis-key.redis.js';
import { type MailboxLoad, MailboxSurvey } from './mailbox-survey.js';

/** Each takes some 15 µs. */
const BUCKETS_PER_PART = 64;
/** Each takes some 10 µs, and Redis serves nobody else during one call. */
const MAILBOXES_PER_CALL = 100;

/** Goes through `exp:{b}`, where every mailbox stands that holds an entry, and asks their states. */
export class RedisMailboxSurvey extends MailboxSurvey {
  /** `weigh`: weigh.lua, as `mailboxScripts` fills it. */
  constructor(
    private readonly client: RedisClient,
    private readonly weigh: Script,
  ) {
    super();
  }

  override async load(mailbox: Address): Promise<MailboxLoad> {
    const [load] = await this.loadsOf(bucketOf(mailbox), [mailbox]);
    return load!;
  }

  override async *round(): AsyncGenerator<readonly MailboxLoad[], undefined> {
    for (let first = 0; first < BUCKETS; first += BUCKETS_PER_PART) {
      let open = Array.from({ length: BUCKETS_PER_PART }, (_, i) => ({ bucket: first + i, cursor: '0' }));
      while (open.length > 0) {
        const found = await Promise.all(open.map((place) => this.scan(place)));
        yield found.flatMap(({ loads }) => loads);
        open = found.filter(({ cursor }) => cursor !== '0').map(({ bucket, cursor }) => ({ bucket, cursor }));
      }
    }
  }

  private async scan({ bucket, cursor }: { bucket: number; cursor: string }) {
    const key = `${this.client.prefix}exp:{${bucket}}`;
    const reply = await this.client.command('ZSCAN', key, cursor, 'COUNT', MAILBOXES_PER_CALL);
    const [next, pairs] = reply as [string, string[]];
    // A small zset comes as a whole.
    const mailboxes = pairs.filter((_, i) => i % 2 === 0) as Address[];
    const calls = Array.from({ length: Math.ceil(mailboxes.length / MAILBOXES_PER_CALL) }, (_, i) =>
      this.loadsOf(bucket, mailboxes.slice(i * MAILBOXES_PER_CALL, (i + 1) * MAILBOXES_PER_CALL)),
    );
    const loads = (await Promise.all(calls)).flat().filter(({ messages }) => messages > 0);
    return { bucket, cursor: next, loads };
  }

  private async loadsOf(bucket: number, mailboxes: readonly Address[]): Promise<MailboxLoad[]> {
    const keys = mailboxes.map((mailbox) => `${this.client.prefix}st:{${bucket}}:${mailbox}`);
    const reply = (await this.client.run(this.weigh, keys, [])) as number[];
    return mailboxes.map((address, i) => {
      const [messages = 0, bytes = 0, oldestAt = 0] = reply.slice(i * 3, i * 3 + 3);
      return { address, messages, bytes, oldestAt: messages > 0 ? oldestAt : null };
    });
  }
}
