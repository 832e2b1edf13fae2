import type { Address } from '@relay/protocol';

export interface PublicKey {
  readonly address: Address;
  /** As its owner uploaded it: the relay never looks inside. */
  readonly publicKey: string;
  /** Integer ms since 1970. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** The encryption key that each address publishes. */
export abstract class KeyRepository {
  /** Creates or replaces; `createdAt` stays as it was. Rejects with `RelayError('store_unavailable')` where there is no room. */
  abstract put(address: Address, publicKey: string): Promise<PublicKey>;

  abstract get(address: Address): Promise<PublicKey | null>;

  /** Those that exist, in the order asked for, each once. */
  abstract getMany(addresses: readonly Address[]): Promise<readonly PublicKey[]>;

  /** False if there was none. */
  abstract delete(address: Address): Promise<boolean>;

  abstract count(): Promise<number>;
}
