import { type RateLimiterAbstract, RateLimiterRes } from 'rate-limiter-flexible';
import { type RateLimit, RateLimiter, type Taken } from './rate-limits.js';

/** The library's limiters, of memory and of a store alike, as this relay asks them. */
export class FlexibleLimiter extends RateLimiter {
  constructor(
    private readonly limit: RateLimit,
    private readonly limiter: RateLimiterAbstract,
  ) {
    super();
  }

  override async take(key: string, points = 1): Promise<Taken> {
    try {
      return this.taken(await this.limiter.consume(key, points), true);
    } catch (reason) {
      if (reason instanceof RateLimiterRes) return this.taken(reason, false);
      throw reason;
    }
  }

  override async giveBack(key: string, points = 1): Promise<void> {
    const { consumedPoints } = await this.limiter.reward(key, points);
    // Of a window that is over: the next begins with no more than there is.
    if (consumedPoints < 0) await this.limiter.delete(key);
  }

  override async look(key: string): Promise<Taken> {
    const state = await this.limiter.get(key);
    const { points: limit } = this.limit;
    if (state === null) return { isAllowed: true, limit, remaining: limit, resetMs: 0 };
    return this.taken(state, state.remainingPoints > 0);
  }

  private taken({ remainingPoints, msBeforeNext }: RateLimiterRes, isAllowed: boolean): Taken {
    return {
      isAllowed,
      limit: this.limit.points,
      remaining: remainingPoints,
      resetMs: Math.max(0, Math.ceil(msBeforeNext)),
    };
  }
}
