import type { Address } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import { KeyRepository, type PublicKey } from './key.repository.js';

export class MemoryKeyRepository extends KeyRepository {
  private readonly keys = new Map<Address, PublicKey>();

  constructor(private readonly clock: Clock) {
    super();
  }

  override put(address: Address, publicKey: string): Promise<PublicKey> {
    const now = this.clock.now();
    const createdAt = this.keys.get(address)?.createdAt ?? now;
    const key: PublicKey = { address, publicKey, createdAt, updatedAt: now };
    this.keys.set(address, key);
    return Promise.resolve(key);
  }

  override get(address: Address): Promise<PublicKey | null> {
    return Promise.resolve(this.keys.get(address) ?? null);
  }

  override getMany(addresses: readonly Address[]): Promise<readonly PublicKey[]> {
    const found = [...new Set(addresses)].map((address) => this.keys.get(address));
    return Promise.resolve(found.filter((key) => key !== undefined));
  }

  override delete(address: Address): Promise<boolean> {
    return Promise.resolve(this.keys.delete(address));
  }

  override count(): Promise<number> {
    return Promise.resolve(this.keys.size);
  }
}
