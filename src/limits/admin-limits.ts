import { RelayError } from '@relay/protocol';
import type { RateLimiter, RateLimits } from './rate-limits.js';

const MINUTE_MS = 60_000;
/** An operator who copies the wrong one tries a few times; a page that was left open with an old one, thirty times a minute. */
const FAILED_PER_NETWORK = 60;

/**
 * Keeps those apart who try tokens for an operator's calls: from looking for sessions in the store, and from filling the log. What
 * makes the token one that nobody guesses is its length (`ADMIN_TOKEN` has at least 32 characters), so a right one is let in
 * without a look here. Where the store is away each node counts alone.
 */
export class AdminLimits {
  private readonly networks: RateLimiter;

  constructor(limits: RateLimits) {
    this.networks = limits.limiter({
      name: 'failed-admin',
      points: FAILED_PER_NETWORK,
      windowMs: MINUTE_MS,
      whenDown: 'local',
    });
  }

  /** For a token that is not the right one: rejects with `rate_limited` where too many from there were wrong. */
  async mayTry(network: string): Promise<void> {
    const { isAllowed, resetMs } = await this.networks.look(network);
    if (!isAllowed) throw new RelayError('rate_limited', 'Too many wrong tokens', { retryAfterMs: resetMs });
  }

  /** A token from there was wrong. */
  async failed(network: string): Promise<void> {
    await this.networks.take(network);
  }
}
