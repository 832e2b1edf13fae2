import type { Address } from '@relay/protocol';
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
  /** Both in the order of their coming, which is that of their ends: links of a kind last equally long. */
  private readonly waiting = new Map<string, Kept>();
  private readonly proven = new Map<string, Kept>();

  constructor(
    private readonly clock: Clock,
    private readonly maxLinks: number,
  ) {
    super();
  }

  override begin(token: string, address: Address, nonce: string, ttlMs: number): Promise<boolean> {
    if (this.get(token) !== undefined) return Promise.resolve(false);
    this.keep(this.waiting, token, { address, nonce, provenAt: null, expiresAt: this.clock.monotonic() + ttlMs });
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
    this.waiting.delete(token);
    this.keep(this.proven, token, { ...link, provenAt: now, expiresAt: now + ttlMs });
    return Promise.resolve(true);
  }

  override take(token: string): Promise<Address | null> {
    const link = this.get(token);
    if (link === undefined || link.provenAt === null) return Promise.resolve(null);
    this.proven.delete(token);
    return Promise.resolve(link.address);
  }

  override drop(token: string): Promise<void> {
    this.waiting.delete(token);
    this.proven.delete(token);
    return Promise.resolve();
  }

  private get(token: string): Kept | undefined {
    const link = this.waiting.get(token) ?? this.proven.get(token);
    if (link === undefined || link.expiresAt > this.clock.monotonic()) return link;
    void this.drop(token);
    return undefined;
  }

  private keep(links: Map<string, Kept>, token: string, link: Kept): void {
    links.set(token, link);
    const now = this.clock.monotonic();
    for (const [oldest, { expiresAt }] of links) {
      if (expiresAt > now && links.size <= this.maxLinks) return;
      links.delete(oldest);
    }
  }
}
