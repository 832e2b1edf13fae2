import { RateLimiterMemory } from 'rate-limiter-flexible';
import { FlexibleLimiter } from './flexible-limiter.js';
import { type RateLimit, type RateLimiter, RateLimits } from './rate-limits.js';

/** Of this process alone; it needs no store, so it cannot be down. */
export class MemoryRateLimits extends RateLimits {
  override limiter(limit: RateLimit): RateLimiter {
    const { name: keyPrefix, points, windowMs } = limit;
    return new FlexibleLimiter(limit, new RateLimiterMemory({ keyPrefix, points, duration: windowMs / 1000 }));
  }
}
