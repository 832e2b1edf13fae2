import { readSettings } from '../app/read-settings.js';
import type { Settings } from '../common/settings.js';
import { connectTo } from '../redis/connect-settings.redis.js';
import { checkRedis } from '../redis/redis-checks.redis.js';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { CommandError, EXIT } from './exit-codes.js';

/** Runs `work` on the Redis that the settings name; refuses STORAGE=memory, which has nothing to look at from outside. */
export async function withRedis<T>(work: (client: RedisClient, settings: Settings) => Promise<T>): Promise<T> {
  const settings = await readSettings();
  if (settings.storage === 'memory') {
    throw new CommandError(
      EXIT.configuration,
      'STORAGE=memory: what a relay holds is in its process alone. Set STORAGE=redis',
    );
  }
  const client = await connectTo(settings);
  try {
    await checkRedis(client);
    return await work(client, settings);
  } finally {
    await client.close();
  }
}

/** By which relays go: the saved one, or Redis's where that is later. */
export async function storeNow(client: RedisClient): Promise<number> {
  const times = (await client.commandEverywhere('TIME')) as [seconds: string, microseconds: string][];
  const saved = Number(await client.command('GET', `${client.prefix}clock`));
  return Math.max(saved, ...times.map(([seconds]) => Number(seconds) * 1000));
}
