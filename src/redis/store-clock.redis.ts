import { Clock } from '../common/clock.js';
import type { RedisClient, Script } from './redis-client.redis.js';

const SAVE_EVERY_MS = 60_000;

/** Never back: another node may have been ahead. */
const SAVE: Script = {
  name: 'saveClock',
  lua: `if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or 0) then redis.call('SET', KEYS[1], ARGV[1]) end`,
};

/**
 * The time that mailboxes go by: Redis's when the node connected, and from there on only what really passed. Wall clocks
 * that jump, here or at Redis, make nothing expire. Kept in `<prefix>clock`, so that a node that starts later is not behind.
 */
export class StoreClock extends Clock {
  private readonly startedAt: number;
  private savedAt: number;
  private save: (nowMs: number) => void = () => undefined;

  /** `startMs`: ms since 1970. */
  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly startMs: number,
  ) {
    super();
    this.startedAt = clock.monotonic();
    this.savedAt = this.startedAt;
  }

  /** Rejects with `store_unavailable`. */
  static async open(client: RedisClient, clock: Pick<Clock, 'monotonic'>): Promise<StoreClock> {
    const key = `${client.prefix}clock`;
    const times = (await client.commandEverywhere('TIME')) as [seconds: string, microseconds: string][];
    const walls = times.map(
      ([seconds, microseconds]) => Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000),
    );
    const saved = Number((await client.command('GET', key)) ?? 0);
    const store = new StoreClock(clock, Math.max(saved, ...walls));
    store.save = (nowMs) => {
      // One of the next will do.
      client.run(SAVE, [key], [nowMs]).catch(() => undefined);
    };
    store.save(store.now());
    return store;
  }

  override now(): number {
    const monotonic = this.clock.monotonic();
    const nowMs = Math.floor(this.startMs + monotonic - this.startedAt);
    if (monotonic - this.savedAt >= SAVE_EVERY_MS) {
      this.savedAt = monotonic;
      this.save(nowMs);
    }
    return nowMs;
  }

  override monotonic(): number {
    return this.clock.monotonic();
  }
}
