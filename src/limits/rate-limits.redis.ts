import { RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { scriptFile } from '../redis/script-file.redis.js';
import { FlexibleLimiter } from './flexible-limiter.js';
import { type RateLimit, type RateLimiter, RateLimits } from './rate-limits.js';

const COUNT = scriptFile(import.meta.url, 'count', 'limits-count');

/**
 * Shared by all nodes: `lim:<limit>:<key>`, a number that ends with its window. Who has used up a window is refused without
 * asking Redis again until it ends, unless some of it may be given back.
 */
export class RedisRateLimits extends RateLimits {
  constructor(private readonly client: RedisClient) {
    super();
  }

  override limiter(limit: RateLimit): RateLimiter {
    const { name, points, windowMs, whenDown, isReturned = false } = limit;
    const duration = windowMs / 1000;
    const local = whenDown === 'local' ? new RateLimiterMemory({ keyPrefix: name, points, duration }) : undefined;
    const shared = new RateLimiterRedis({
      storeClient: storeClient(this.client, windowMs),
      keyPrefix: `${this.client.prefix}lim:${name}`,
      points,
      duration,
      ...(isReturned ? {} : { inMemoryBlockOnConsumed: points }),
      ...(local === undefined ? {} : { insuranceLimiter: local }),
    });
    return new FlexibleLimiter(limit, shared);
  }
}

/** The two calls that the library makes, by our own connection: with its bounds, its failures and its scripts. */
function storeClient(client: RedisClient, windowMs: number): object {
  const count = (key: string, points: number): Promise<[number, number]> =>
    client.run(COUNT, [key], [points, windowMs]) as Promise<[number, number]>;
  return {
    rlflxIncr: ([key, points]: [string, string]) => count(key, Number(points)),
    multi: () => {
      let asked = '';
      const chain = {
        get: (key: string) => ((asked = key), chain),
        pttl: () => chain,
        exec: async () => {
          const [taken, left] = await count(asked, 0);
          return [
            [null, taken === 0 ? null : taken],
            [null, left],
          ];
        },
      };
      return chain;
    },
  };
}
