import { type Address, keyStatement, type Proof, RelayError } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import type { KeyRepository, KeySignature, PublicKey } from './key.repository.js';

/** Whose key signed that text; `null` where it is the signature of nobody. */
export type Recover = (text: string, proof: Proof) => Promise<Address | null>;

export interface KeyUpload {
  readonly address: Address;
  readonly publicKey: string;
  readonly signed: KeySignature | null;
  /** Of this relay, as signatures name it. */
  readonly domain: string;
}

export interface KeyChange {
  readonly address: Address;
  /** ms since 1970. */
  readonly updatedAt: number;
  /** Of a signed key. */
  readonly version: number | null;
}

/** Who tells the owner's devices that the key of their address is another one now, or none. */
export type KeyObserver = (change: KeyChange) => void;

/** The public key as REST uses it. */
export class KeysService {
  private observer: KeyObserver = () => undefined;

  constructor(
    private readonly keys: KeyRepository,
    private readonly recover: Recover,
    private readonly clock: Clock,
  ) {}

  observe(observer: KeyObserver): void {
    this.observer = observer;
  }

  async upload({ address, publicKey, signed, domain }: KeyUpload): Promise<PublicKey> {
    if (signed !== null) await this.verify(address, keyStatement({ domain, address, ...signed, publicKey }), signed);
    const put = await this.keys.put(address, publicKey, signed ?? undefined);
    switch (put.kind) {
      case 'unsigned':
        throw new RelayError('downgrade_refused', 'This address signs its keys: an unsigned one is refused');
      case 'stale':
        throw new RelayError('id_conflict', 'version must be higher than that of every key this address signed before');
      case 'repeat':
        return put.key;
      case 'stored': {
        const { key, isChange } = put;
        if (isChange) this.observer({ address, updatedAt: key.updatedAt, version: key.signed?.version ?? null });
        return key;
      }
    }
  }

  /** False if there was none. */
  async delete(address: Address): Promise<boolean> {
    const existed = await this.keys.delete(address);
    if (existed) this.observer({ address, updatedAt: this.clock.now(), version: null });
    return existed;
  }

  private async verify(address: Address, statement: string, proof: Proof): Promise<void> {
    // What UTF-8 cannot say is signed as if it were something else.
    if (Buffer.from(statement).toString() !== statement) throw new RelayError('bad_message', 'publicKey is no Unicode');
    if ((await this.recover(statement, proof)) === address) return;
    throw new RelayError('auth_failed', 'The signature is not one of this address for this relay, version and key');
  }
}
