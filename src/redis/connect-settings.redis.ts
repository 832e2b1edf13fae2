import type { Logger } from '../common/logger.js';
import type { Settings } from '../common/settings.js';
import { RedisClient } from './redis-client.redis.js';

/** To the Redis that `settings` lead to. Rejects with `StartError`. */
export function connectTo(settings: Settings, logger?: Logger): Promise<RedisClient> {
  const { redisUrl, redisSentinels, redisSentinelName, redisClusterNodes, redisKeyPrefix, redisWaitSeconds } = settings;
  return RedisClient.connect(
    { url: redisUrl, sentinels: redisSentinels, sentinelName: redisSentinelName, clusterNodes: redisClusterNodes },
    redisKeyPrefix,
    { logger, waitMs: redisWaitSeconds * 1000 },
  );
}
