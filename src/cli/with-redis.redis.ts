import { readSettings } from '../app/read-settings.js';
import type { Settings } from '../common/settings.js';
import { connectTo } from '../redis/connect-settings.redis.js';
import { checkRedis } from '../redis/redis-checks.redis.js';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { CommandError, EXIT } from './exit-codes.js';
import { localUrl } from './relay-url.js';

/** What a relay without Redis offers instead. */
const IN_MEMORY = {
  stats: ({ host, port, metricsHost, metricsPort, tlsCertFile }: Settings) => {
    const url = localUrl({ host, port, isTls: tlsCertFile !== '' });
    return `a relay in memory tells itself what it holds: curl ${url}/health, and http://${metricsHost}:${metricsPort}/metrics`;
  },
  verify: () => 'a relay in memory has no bookkeeping outside of its process that could differ',
  backup: () => 'a relay in memory has nothing that can be saved: what it holds ends with its process',
  restore: () => 'a relay in memory has nothing to restore into: what it holds ends with its process',
} as const;

/** The settings. Refuses STORAGE=memory, which has nothing to look at from outside, and says what to do instead. */
export async function settingsWithRedis(command: keyof typeof IN_MEMORY): Promise<Settings> {
  const settings = await readSettings();
  if (settings.storage === 'redis') return settings;
  throw new CommandError(
    EXIT.configuration,
    `relay ${command} needs Redis, and STORAGE is memory here:
  - for a relay on Redis, give this command the settings of the relay: STORAGE=redis and REDIS_URL
  - ${IN_MEMORY[command](settings)}`,
  );
}

/** Runs `work` on the Redis that the settings name. */
export async function withRedis<T>(
  command: keyof typeof IN_MEMORY,
  work: (client: RedisClient, settings: Settings) => Promise<T>,
): Promise<T> {
  const settings = await settingsWithRedis(command);
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
