import { randomBytes } from 'node:crypto';
import { ManualClock } from './manual-clock.js';
import type { RedisServer } from './redis-server.js';
import { type RunningRelay, startRelay } from './relay.js';

export interface TwoNodes {
  readonly clock: ManualClock;
  /** Of their keys in Redis. */
  readonly prefix: string;
  readonly left: RunningRelay;
  readonly right: RunningRelay;
  /** One more. */
  start(): Promise<RunningRelay>;
}

/** Two relays on one Redis, under a prefix of their own; `left` and `right` are the nodes that a client happens to reach. */
export async function startTwoNodes(redis: RedisServer): Promise<TwoNodes> {
  const clock = new ManualClock();
  const prefix = `${randomBytes(6).toString('hex')}:`;
  await redis.command('SET', `${prefix}clock`, String(clock.now()));
  const env = { STORAGE: 'redis', REDIS_URL: redis.url, REDIS_KEY_PREFIX: prefix };
  const start = (): Promise<RunningRelay> => startRelay({ clock, env });
  const [left, right] = await Promise.all([start(), start()]);
  return { clock, prefix, left, right, start };
}
