import { type Address, parseAddress } from '@relay/protocol';
import { createHash } from 'node:crypto';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { scriptFile } from '../redis/script-file.redis.js';
import { type SignInLink, SignInLinkRepository } from './sign-in-link.repository.js';

const BEGIN = scriptFile(import.meta.url, 'link-begin');
const SWAP = scriptFile(import.meta.url, 'link-swap');

/** `<ends at, ms> <proven at, ms, or -> <address> <nonce>` */
const LINK = /^(\d{1,15}) (\d{1,15}|-) (0x[0-9a-f]{40}) ([\x21-\x7e]+)$/;

interface Seen extends SignInLink {
  /** As it is stored. */
  readonly text: string;
}

/**
 * | key          | type   | holds                                        | goes away            |
 * |--------------|--------|----------------------------------------------|----------------------|
 * | `lnk:<hash>` | string | a link, under the SHA-256 of its token       | when its time is over |
 *
 * Each call touches one key, so links need no bucket.
 */
export class RedisSignInLinkRepository extends SignInLinkRepository {
  constructor(
    private readonly client: RedisClient,
    private readonly clock: { now(): number },
  ) {
    super();
  }

  override async begin(token: string, address: Address, nonce: string, ttlMs: number): Promise<boolean> {
    const now = this.clock.now();
    const args = [`${now + ttlMs} - ${address} ${nonce}`, now, ttlMs];
    return (await this.client.run(BEGIN, [this.keyOf(token)], args)) === 1;
  }

  override async find(token: string): Promise<SignInLink | null> {
    const seen = await this.see(token);
    if (seen === null) return null;
    const { address, nonce, provenForMs } = seen;
    return { address, nonce, provenForMs };
  }

  override async prove(token: string, nonce: string, ttlMs: number): Promise<boolean> {
    const seen = await this.see(token);
    if (seen?.nonce !== nonce || seen.provenForMs !== null) return false;
    const now = this.clock.now();
    return this.swap(token, seen.text, `${now + ttlMs} ${now} ${seen.address} ${nonce}`, ttlMs);
  }

  override async take(token: string): Promise<Address | null> {
    const seen = await this.see(token);
    if (typeof seen?.provenForMs !== 'number') return null;
    return (await this.swap(token, seen.text, '', 0)) ? seen.address : null;
  }

  override async drop(token: string): Promise<void> {
    await this.client.command('DEL', this.keyOf(token));
  }

  private async see(token: string): Promise<Seen | null> {
    const text = await this.client.command('GET', this.keyOf(token));
    if (typeof text !== 'string') return null;
    const [, expiresAt, provenAt, owner, nonce] = LINK.exec(text) ?? [];
    const address = parseAddress(owner);
    const now = this.clock.now();
    if (address === null || nonce === undefined || Number(expiresAt) <= now) return null;
    return { address, nonce, provenForMs: provenAt === '-' ? null : Math.max(0, now - Number(provenAt)), text };
  }

  private async swap(token: string, from: string, to: string, ttlMs: number): Promise<boolean> {
    return (await this.client.run(SWAP, [this.keyOf(token)], [from, to, ttlMs])) === 1;
  }

  private keyOf(token: string): string {
    return `${this.client.prefix}lnk:${createHash('sha256').update(token).digest('base64url')}`;
  }
}
