import type { Address, Proof } from '@relay/protocol';

export interface PublicKey {
  readonly address: Address;
  /** As its owner uploaded it: the relay never looks inside. */
  readonly publicKey: string;
  /** Integer ms since 1970. */
  readonly createdAt: number;
  readonly updatedAt: number;
  /** That the key of the address signed this one; verified before it came here. Null where it was uploaded without. */
  readonly signed: KeySignature | null;
}

export interface KeySignature extends Proof {
  /** Rises with each signed key of the address; a positive safe integer. */
  readonly version: number;
}

export type Put =
  | {
      readonly kind: 'stored';
      readonly key: PublicKey;
      /** Whether it is another key than before, or the first one, or newly signed. */
      readonly isChange: boolean;
    }
  /** The newest signed key once more: nothing changed, not even `updatedAt` or its first signature. */
  | { readonly kind: 'repeat'; readonly key: PublicKey }
  /** `unsigned`: this address once signed a key. `stale`: it once signed that version or a later one. Nothing changed. */
  | { readonly kind: 'unsigned' | 'stale' };

/** The encryption key that each address publishes. */
export abstract class KeyRepository {
  /**
   * Creates or replaces, atomically; `createdAt` stays as it was. Once an address has signed a key, unsigned ones are
   * refused and versions must rise, also after a deletion. Rejects with `RelayError('store_unavailable')` where there is no room.
   */
  abstract put(address: Address, publicKey: string, signed?: KeySignature): Promise<Put>;

  abstract get(address: Address): Promise<PublicKey | null>;

  /** Those that exist, in the order asked for, each once. */
  abstract getMany(addresses: readonly Address[]): Promise<readonly PublicKey[]>;

  /** False if there was none. What was signed leaves its version behind. */
  abstract delete(address: Address): Promise<boolean>;

  abstract count(): Promise<number>;
}
