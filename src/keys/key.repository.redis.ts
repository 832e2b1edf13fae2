import { type Address, isScheme, isSignature } from '@relay/protocol';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { scriptFile } from '../redis/script-file.redis.js';
import { replyCode } from '../redis/redis-error.redis.js';
import { BUCKETS, bucketOf } from '../redis/redis-key.redis.js';
import { KeyRepository, type KeySignature, type PublicKey, type Put } from './key.repository.js';

const PUT = scriptFile(import.meta.url, 'put', 'key-put');
const DELETE = scriptFile(import.meta.url, 'delete', 'key-delete');

/** A count reads every bucket. */
const COUNT_MAX_AGE_MS = 1000;

/**
 * | key         | type   | holds                                                              | goes away           |
 * |-------------|--------|--------------------------------------------------------------------|---------------------|
 * | `key:{b}:A` | hash   | `publicKey` as a JSON string, `createdAt` and `updatedAt` in ms; of a signed one `version`, `scheme`, `signature` | when its owner says |
 * |             |        | `floor`: the highest version that was ever signed                   | never               |
 * | `keys:{b}`  | string | how many public keys the bucket holds                               | at 0                |
 *
 * JSON, since any text must come back as it was, also one that UTF-8 cannot. What somebody wrote there by hand and
 * cannot be read is taken as absent, and the next `put` replaces it.
 */
export class RedisKeyRepository extends KeyRepository {
  private counted: { readonly at: number; readonly total: Promise<number> } | null = null;

  constructor(
    private readonly client: RedisClient,
    private readonly clock: { now(): number },
  ) {
    super();
  }

  override async put(address: Address, publicKey: string, signed: KeySignature | null = null): Promise<Put> {
    const now = this.clock.now();
    const signature = signed === null ? ['', '', ''] : [signed.version, signed.scheme, signed.signature];
    const args = [JSON.stringify(publicKey), now, ...signature];
    const [kind, ...rest] = (await this.client.run(PUT, this.keysOf(address), args)) as [string, ...unknown[]];
    if (kind === 'unsigned' || kind === 'stale') return { kind };
    const createdAt = Number(rest[0]);
    if (kind === 'repeat' && signed !== null) {
      const [, updatedAt, scheme, first] = rest;
      const key = { address, publicKey, createdAt, updatedAt: Number(updatedAt) };
      return { kind, key: { ...key, signed: parseSignature([signed.version, scheme, first].map(String)) } };
    }
    this.counted = null;
    return { kind: 'stored', key: { address, publicKey, createdAt, updatedAt: now, signed }, isChange: rest[1] === 1 };
  }

  override async get(address: Address): Promise<PublicKey | null> {
    try {
      const fields = ['publicKey', 'createdAt', 'updatedAt', 'version', 'scheme', 'signature'];
      return parseKey(address, await this.client.command('HMGET', this.keyOf(address), ...fields));
    } catch (error) {
      if (replyCode(error) === 'WRONGTYPE') return null;
      throw error;
    }
  }

  override async getMany(addresses: readonly Address[]): Promise<readonly PublicKey[]> {
    // Sent in one turn, and so in one write.
    const found = await Promise.all([...new Set(addresses)].map((address) => this.get(address)));
    return found.filter((key) => key !== null);
  }

  override async delete(address: Address): Promise<boolean> {
    const existed = await this.client.run(DELETE, this.keysOf(address), []);
    this.counted = null;
    return existed === 1;
  }

  /** Exact for what this node wrote; what other nodes wrote shows within a second. */
  override count(): Promise<number> {
    const now = this.clock.now();
    if (this.counted === null || Math.abs(now - this.counted.at) >= COUNT_MAX_AGE_MS) {
      const counted = { at: now, total: this.sum() };
      this.counted = counted;
      counted.total.catch(() => {
        if (this.counted === counted) this.counted = null;
      });
    }
    return this.counted.total;
  }

  private async sum(): Promise<number> {
    const buckets = Array.from({ length: BUCKETS }, (_, bucket) => this.client.command('GET', this.countOf(bucket)));
    const counts = await Promise.all(buckets);
    return counts.reduce<number>((total, count) => total + (parseCount(count) ?? 0), 0);
  }

  private keysOf(address: Address): string[] {
    return [this.keyOf(address), this.countOf(bucketOf(address))];
  }

  private keyOf(address: Address): string {
    return `${this.client.prefix}key:{${bucketOf(address)}}:${address}`;
  }

  private countOf(bucket: number): string {
    return `${this.client.prefix}keys:{${bucket}}`;
  }
}

/** `reply`: publicKey, createdAt, updatedAt, version, scheme, signature. */
function parseKey(address: Address, reply: unknown): PublicKey | null {
  const [json, created, updated, ...signature] = reply as (string | null)[];
  const publicKey = parseText(json);
  const [createdAt = null, updatedAt = null] = [created, updated].map(parseCount);
  if (publicKey === null || createdAt === null || updatedAt === null) return null;
  return { address, publicKey, createdAt, updatedAt, signed: parseSignature(signature) };
}

function parseSignature([versionText, scheme, signature]: readonly (string | null)[]): KeySignature | null {
  const version = Number(versionText ?? 0);
  if (!Number.isSafeInteger(version) || version < 1 || !isScheme(scheme) || !isSignature(signature)) return null;
  return { version, scheme, signature };
}

function parseText(json: string | null | undefined): string | null {
  try {
    const text: unknown = JSON.parse(json ?? 'null');
    return typeof text === 'string' ? text : null;
  } catch {
    return null;
  }
}

function parseCount(text: unknown): number | null {
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : null;
}
