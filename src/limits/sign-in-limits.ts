import type { Address } from '@relay/protocol';
import type { RateLimiter, RateLimits } from './rate-limits.js';

const MINUTE_MS = 60_000;
/** A wallet that fails is tried a few times, a whole office has some of them. */
const FAILED_PER_NETWORK = 60;
/** From one network: nobody can keep a person out from elsewhere. */
const FAILED_PER_ADDRESS = 10;

/** Keeps those apart who try keys that they do not have. Closed while the store is away: rejects with `store_unavailable`. */
export class SignInLimits {
  private readonly networks: RateLimiter;
  private readonly addresses: RateLimiter;

  constructor(limits: RateLimits) {
    const common = { windowMs: MINUTE_MS, whenDown: 'closed' } as const;
    this.networks = limits.limiter({ name: 'failed-network', points: FAILED_PER_NETWORK, ...common });
    this.addresses = limits.limiter({ name: 'failed-address', points: FAILED_PER_ADDRESS, ...common });
  }

  /** How long that network must wait before it may try (for that address, where one is given), in ms; 0: not at all. */
  async mayTry(network: string, address?: Address): Promise<number> {
    const looks = [this.networks.look(network)];
    if (address !== undefined) looks.push(this.addresses.look(`${address}@${network}`));
    const waits = (await Promise.all(looks)).map(({ isAllowed, resetMs }) => (isAllowed ? 0 : Math.max(1, resetMs)));
    return Math.max(...waits);
  }

  /** A proof from there was wrong. */
  async failed(network: string, address?: Address): Promise<void> {
    const takes = [this.networks.take(network)];
    if (address !== undefined) takes.push(this.addresses.take(`${address}@${network}`));
    await Promise.all(takes);
  }
}
