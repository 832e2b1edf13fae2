import { type Address, RelayError } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import { type SignInLink, SignInLinkRepository } from './sign-in-link.repository.js';

/** Times are monotonic ms. */
interface Kept {
  readonly address: Address;
  readonly nonce: string;
  readonly provenAt: number | null;
  readonly expiresAt: number;
}

/** Links of this process. Every method runs to its end at once, so calls never interleave. */
export class MemorySignInLinkRepository extends SignInLinkRepository {
  private readonly links = new Map<string, Kept>();

  constructor(
    private readonly clock: Clock,
    private readonly maxLinks = Infinity,
  ) {
    super();
  }

  override begin(token: string, address: Address, nonce: string, ttlMs: number): Promise<boolean> {
    if (this.get(token) !== undefined) return Promise.resolve(false);
    if (this.links.size >= this.maxLinks) this.forgetExpired();
    if (this.links.size >= this.maxLinks) return Promise.reject(new RelayError('store_unavailable'));
    this.links.set(token, { address, nonce, provenAt: null, expiresAt: this.clock.monotonic() + ttlMs });
    return Promise.resolve(true);
  }

  override find(token: string): Promise<SignInLink | null> {
    const link = this.get(token);
    if (link === undefined) return Promise.resolve(null);
    const { address, nonce, provenAt } = link;
    return Promise.resolve({
      address,
      nonce,
      provenForMs: provenAt === null ? null : this.clock.monotonic() - provenAt,
    });
  }

  override prove(token: string, nonce: string, ttlMs: number): Promise<boolean> {
    const link = this.get(token);
    if (link?.nonce !== nonce || link.provenAt !== null) return Promise.resolve(false);
    const now = this.clock.monotonic();
    this.links.set(token, { ...link, provenAt: now, expiresAt: now + ttlMs });
    return Promise.resolve(true);
  }

  override take(token: string): Promise<Address | null> {
    const link = this.get(token);
    if (link === undefined || link.provenAt === null) return Promise.resolve(null);
    this.links.delete(token);
    return Promise.resolve(link.address);
  }

  override drop(token: string): Promise<void> {
    this.links.delete(token);
    return Promise.resolve();
  }

  private get(token: string): Kept | undefined {
    const link = this.links.get(token);
    if (link === undefined || link.expiresAt > this.clock.monotonic()) return link;
    this.links.delete(token);
    return undefined;
  }

  private forgetExpired(): void {
    const now = this.clock.monotonic();
    for (const [token, { expiresAt }] of this.links) if (expiresAt <= now) this.links.delete(token);
  }
}
