import { RateLimiterMemory } from 'rate-limiter-flexible';
import { FlexibleLimiter } from './flexible-limiter.js';
import { type RateLimit, type RateLimiter, RateLimits } from './rate-limits.js';

/** Of this process alone; it needs no store, so it cannot be down. */
export class MemoryRateLimits extends RateLimits {
  private readonly counts = new Map<string, RateLimiterMemory>();

  /** Limits of one name count together, as they do in a store that all share. */
  override limiter(limit: RateLimit): RateLimiter {
    const { name: keyPrefix, points, windowMs } = limit;
    const count = this.counts.get(keyPrefix) ?? new RateLimiterMemory({ keyPrefix, points, duration: windowMs / 1000 });
    this.counts.set(keyPrefix, count);
    return new FlexibleLimiter(limit, count);
  }
}
