import { type Address, RelayError } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import { KeyRepository, type KeySignature, type PublicKey, type Put } from './key.repository.js';

/** Of an entry beside the key itself. */
const KEY_COST_BYTES = 300;
/** Of a version that a deleted key left behind. */
const FLOOR_COST_BYTES = 100;

export class MemoryKeyRepository extends KeyRepository {
  private bytes = 0;
  private readonly keys = new Map<Address, PublicKey>();
  /** The highest version that each address ever signed. */
  private readonly floors = new Map<Address, number>();

  constructor(
    private readonly clock: Clock,
    /** What all keys together may cost, in bytes of memory, about. */
    private readonly maxTotalBytes = Infinity,
  ) {
    super();
  }

  override put(address: Address, publicKey: string, signed: KeySignature | null = null): Promise<Put> {
    const now = this.clock.now();
    const old = this.keys.get(address);
    const floor = this.floors.get(address);
    if (signed === null && floor !== undefined) return Promise.resolve({ kind: 'unsigned' });
    if (signed !== null && floor !== undefined && signed.version <= floor) {
      const isRepeat = old?.publicKey === publicKey && old.signed?.version === signed.version;
      return Promise.resolve(isRepeat ? { kind: 'repeat', key: old } : { kind: 'stale' });
    }
    const floorBytes = signed !== null && floor === undefined ? FLOOR_COST_BYTES : 0;
    const bytes = this.bytes + costOf(publicKey) + floorBytes - (old === undefined ? 0 : costOf(old.publicKey));
    if (bytes > this.maxTotalBytes) return Promise.reject(new RelayError('store_unavailable', 'No room for more keys'));
    this.bytes = bytes;
    const createdAt = old?.createdAt ?? now;
    const key: PublicKey = { address, publicKey, createdAt, updatedAt: now, signed };
    this.keys.set(address, key);
    if (signed !== null) this.floors.set(address, signed.version);
    return Promise.resolve({ kind: 'stored', key, isChange: old?.publicKey !== publicKey || signed !== null });
  }

  override get(address: Address): Promise<PublicKey | null> {
    return Promise.resolve(this.keys.get(address) ?? null);
  }

  override getMany(addresses: readonly Address[]): Promise<readonly PublicKey[]> {
    const found = [...new Set(addresses)].map((address) => this.keys.get(address));
    return Promise.resolve(found.filter((key) => key !== undefined));
  }

  override delete(address: Address): Promise<boolean> {
    const old = this.keys.get(address);
    if (old === undefined) return Promise.resolve(false);
    this.bytes -= costOf(old.publicKey);
    return Promise.resolve(this.keys.delete(address));
  }

  override count(): Promise<number> {
    return Promise.resolve(this.keys.size);
  }
}

function costOf(publicKey: string): number {
  return publicKey.length * 2 + KEY_COST_BYTES;
}
