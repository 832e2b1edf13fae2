import type { Address } from '@relay/protocol';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { LinkRefusal } from './sign-in-link.service.js';

const MINUTE_SECONDS = 60;
/** Whoever mistypes needs three; recovering a key costs. */
const CALLS_PER_TOKEN = 20;
/** Far above what a person does, so that nobody can be kept out by calls in their name alone. */
const STARTS_PER_ADDRESS = 60;
/** Wallets call from their servers, thousands of people from one address: this one only keeps a node upright. */
const CALLS_PER_NETWORK = 6_000;

/** What each node takes of the calls that wallets make. Rejects with `LinkRefusal`. */
export class SignInLinkLimits {
  private readonly tokens = new RateLimiterMemory({ points: CALLS_PER_TOKEN, duration: 2 * MINUTE_SECONDS });
  private readonly addresses = new RateLimiterMemory({ points: STARTS_PER_ADDRESS, duration: MINUTE_SECONDS });
  private readonly networks = new RateLimiterMemory({ points: CALLS_PER_NETWORK, duration: MINUTE_SECONDS });

  async takeCall(network: string, token: string): Promise<void> {
    await take(this.networks, network);
    await take(this.tokens, token);
  }

  takeStart(address: Address): Promise<void> {
    return take(this.addresses, address);
  }
}

async function take(limiter: RateLimiterMemory, key: string): Promise<void> {
  try {
    await limiter.consume(key);
  } catch {
    throw new LinkRefusal('too many requests');
  }
}
