import { type Address, RelayError } from '@relay/protocol';
import type { RateLimiter, RateLimits } from './rate-limits.js';
import { Turnstile } from './turnstile.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** A wallet that fails is tried a few times, a whole office has some of them. */
const FAILED_PER_NETWORK = 60;
/** From one network: nobody can keep a person out from elsewhere. */
const FAILED_PER_ADDRESS = 10;
/**
 * Proofs of one network that one node looks at at a time; the others wait. They count as failed meanwhile, so more of them
 * would keep each other out; and all of them at once would keep everybody else's proofs waiting.
 */
const LOOKED_AT_PER_NETWORK = 4;

/**
 * Keeps those apart who try keys that they do not have, and those who make up ever new ones. Closed while the store is away:
 * rejects with `store_unavailable`.
 */
export class SignInLimits {
  private readonly networks: RateLimiter;
  private readonly addresses: RateLimiter;
  private readonly firsts: RateLimiter | null;
  private readonly turnstile = new Turnstile(LOOKED_AT_PER_NETWORK);

  /** `firstPerHour`: addresses of one network that prove themselves for the first time; 0: any number. */
  constructor(limits: RateLimits, firstPerHour: number) {
    const common = { windowMs: MINUTE_MS, whenDown: 'closed', isReturned: true } as const;
    this.networks = limits.limiter({ name: 'failed-network', points: FAILED_PER_NETWORK, ...common });
    this.addresses = limits.limiter({ name: 'failed-address', points: FAILED_PER_ADDRESS, ...common });
    const first = { name: 'first-sign-in', points: firstPerHour, windowMs: HOUR_MS, whenDown: 'closed' } as const;
    this.firsts = firstPerHour === 0 ? null : limits.limiter(first);
  }

  /** How long that network must wait before it may try for that address, in ms; 0: not at all. */
  async mayTry(network: string, address: Address): Promise<number> {
    const looks = [this.networks.look(network), this.addresses.look(addressFrom(network, address))];
    return longest((await Promise.all(looks)).map(({ isAllowed, resetMs }) => (isAllowed ? 0 : resetMs || 1)));
  }

  /**
   * Looks at a proof from there: `look` rejects with `auth_failed` for a wrong one. That counts, from before the look until
   * it has turned out right, so any number at once are no more than so many. Rejects with `rate_limited` without a look.
   */
  attempt<T>(network: string, address: Address, look: () => Promise<T>): Promise<T> {
    return this.turnstile.run(network, async () => {
      await this.take(network, address);
      try {
        const found = await look();
        await this.giveBack(network, address);
        return found;
      } catch (error) {
        if (!isWrong(error)) await this.giveBack(network, address);
        throw error;
      }
    });
  }

  /** As `mayTry`, for the first proof of an address. */
  async mayBegin(network: string): Promise<number> {
    if (this.firsts === null) return 0;
    const { isAllowed, resetMs } = await this.firsts.look(network);
    return isAllowed ? 0 : resetMs || 1;
  }

  /** An address has proved itself that never did before. Rejects with `rate_limited` where its network had enough of them. */
  async begin(network: string): Promise<void> {
    if (this.firsts === null) return;
    const { isAllowed, resetMs } = await this.firsts.take(network);
    if (!isAllowed) throw tooManyNew(resetMs || 1);
  }

  private async take(network: string, address: Address): Promise<void> {
    const taken = [this.networks.take(network), this.addresses.take(addressFrom(network, address))];
    const wait = longest((await Promise.all(taken)).map(({ isAllowed, resetMs }) => (isAllowed ? 0 : resetMs || 1)));
    if (wait === 0) return;
    await this.giveBack(network, address);
    throw tooManyFailed(wait);
  }

  /** Where the store does not answer it stays taken, and its window ends. */
  private async giveBack(network: string, address: Address): Promise<void> {
    const given = [this.networks.giveBack(network), this.addresses.giveBack(addressFrom(network, address))];
    await Promise.allSettled(given);
  }
}

export function tooManyFailed(retryAfterMs: number): RelayError {
  return new RelayError('rate_limited', 'Too many failed sign-ins', { retryAfterMs });
}

export function tooManyNew(retryAfterMs: number): RelayError {
  return new RelayError('rate_limited', 'Too many addresses signed in for the first time', { retryAfterMs });
}

function addressFrom(network: string, address: Address): string {
  return `${address}@${network}`;
}

function longest(waitsMs: readonly number[]): number {
  return Math.max(...waitsMs);
}

function isWrong(error: unknown): boolean {
  return error instanceof RelayError && error.code === 'auth_failed';
}
