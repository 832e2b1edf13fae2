import { type Address, parseAddress } from '@relay/protocol';
import { createHash } from 'node:crypto';
import type { RedisClient, Script } from '../redis/redis-client.redis.js';
import { scriptFile } from '../redis/script-file.redis.js';
import { type SignInLink, SignInLinkRepository } from './sign-in-link.repository.js';

const BEGIN = script('link-begin', '#!lua');
/** Also where Redis is full: it takes as much room as it gives. */
const SWAP = script('link-swap', '#!lua flags=allow-oom');

/** `<ends at, ms> <proven at, ms, or -> <address> <nonce>` */
const LINK = /^(\d{1,15}) (\d{1,15}|-) (0x[0-9a-f]{40}) ([\x21-\x7e]+)$/;

interface Seen extends SignInLink {
  /** As it is stored. */
  readonly text: string;
}

/**
 * | key                   | type | holds                                            | goes away                          |
 * |-----------------------|------|--------------------------------------------------|------------------------------------|
 * | `lnk:{links}`         | hash | each link, under the SHA-256 of its token        | when the time of the last is over, |
 * | `lnk:{links}:waiting` | zset | when those end that wait for their proof, in ms  | and a link with a later one        |
 * | `lnk:{links}:proven`  | zset | when those end that are proven, in ms            |                                    |
 *
 * All in one slot: in buckets, whoever picks tokens would pick whom they push out.
 */
export class RedisSignInLinkRepository extends SignInLinkRepository {
  private readonly keys: readonly [string, string, string];

  constructor(
    private readonly client: RedisClient,
    private readonly clock: { now(): number },
    private readonly maxLinks: number,
  ) {
    super();
    const links = `${client.prefix}lnk:{links}`;
    this.keys = [links, `${links}:waiting`, `${links}:proven`];
  }

  override async begin(token: string, address: Address, nonce: string, ttlMs: number): Promise<boolean> {
    const now = this.clock.now();
    const link = `${now + ttlMs} - ${address} ${nonce}`;
    return (await this.client.run(BEGIN, this.keys, [hashOf(token), link, now, ttlMs, this.maxLinks])) === 1;
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
    return this.swap(token, seen.text, `${now + ttlMs} ${now} ${seen.address} ${nonce}`, now, ttlMs);
  }

  override async take(token: string): Promise<Address | null> {
    const seen = await this.see(token);
    if (typeof seen?.provenForMs !== 'number') return null;
    return (await this.swap(token, seen.text, '')) ? seen.address : null;
  }

  override async drop(token: string): Promise<void> {
    await this.swap(token, '', '');
  }

  private async see(token: string): Promise<Seen | null> {
    const text = await this.client.command('HGET', this.keys[0], hashOf(token));
    if (typeof text !== 'string') return null;
    const [, expiresAt, provenAt, owner, nonce] = LINK.exec(text) ?? [];
    const address = parseAddress(owner);
    const now = this.clock.now();
    if (address === null || nonce === undefined || Number(expiresAt) <= now) return null;
    return { address, nonce, provenForMs: provenAt === '-' ? null : Math.max(0, now - Number(provenAt)), text };
  }

  private async swap(token: string, from: string, to: string, nowMs = 0, ttlMs = 0): Promise<boolean> {
    const args = [hashOf(token), from, to, nowMs, ttlMs, this.maxLinks];
    return (await this.client.run(SWAP, this.keys, args)) === 1;
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

function script(name: string, head: string): Script {
  const [room, own] = ['link-room', name].map((file) => scriptFile(import.meta.url, file).lua);
  return { name, lua: `${head}\n${room}${own}` };
}
