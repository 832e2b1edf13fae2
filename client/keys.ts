import { type Address, isScheme, LIMITS, parseAddress, type Scheme } from '@relay/protocol';
import { ClientError } from './errors.js';
import type { Http } from './http.js';

/** A public key as the relay's directory has it: believed only once its signature is. */
export interface DirectoryKey {
  readonly address: Address;
  readonly publicKey: string;
  /** ms since 1970 */
  readonly updatedAt: number;
  /** By the key of the address, over `keyStatement`; all three or none. */
  readonly signed: { readonly version: number; readonly scheme: Scheme; readonly signature: string } | null;
}

export interface KeyUpload {
  readonly publicKey: string;
  readonly version?: number;
  readonly scheme?: Scheme;
  readonly signature?: string;
}

const PATH = '/api/public-keys';

/** The directory of public keys, over REST. Nothing is verified here: see `@relay/client/encryption`. */
export class Keys {
  constructor(
    private readonly http: Http,
    private readonly own: Address,
  ) {}

  async publish(upload: KeyUpload): Promise<void> {
    await this.http.call({ method: 'POST', path: PATH, body: { address: this.own, ...upload } });
  }

  /** `null` where the address has published none. */
  async fetch(address: Address): Promise<DirectoryKey | null> {
    // Not by GET: that answers 404 for none, which browsers show as an error whatever is made of it.
    return (await this.fetchMany([address]))[0] ?? null;
  }

  /** Those that exist. */
  async fetchMany(addresses: readonly Address[]): Promise<readonly DirectoryKey[]> {
    const found: DirectoryKey[] = [];
    for (let start = 0; start < addresses.length; start += LIMITS.addressesPerRequest) {
      const page = addresses.slice(start, start + LIMITS.addressesPerRequest);
      const answer = await this.http.call({ method: 'POST', path: `${PATH}/batch`, body: { addresses: page } });
      const { keys } = answer as { readonly keys?: Readonly<Record<string, unknown>> };
      for (const address of page) {
        const key = keys?.[address];
        if (key !== undefined) found.push(keyOf(key, address));
      }
    }
    return found;
  }

  /** False where there was none. */
  async delete(): Promise<boolean> {
    try {
      await this.http.call({ method: 'DELETE', path: `${PATH}/${this.own}` });
      return true;
    } catch (error) {
      if (error instanceof ClientError && error.code === 'not_found') return false;
      throw error;
    }
  }
}

function keyOf(answer: unknown, address: Address): DirectoryKey {
  const key = (answer ?? {}) as Readonly<Record<string, unknown>>;
  const { publicKey, updatedAt, version, scheme, signature } = key;
  if (parseAddress(key.address) !== address || typeof publicKey !== 'string') throw new ClientError('bad_answer');
  const isSigned = typeof version === 'number' && isScheme(scheme) && typeof signature === 'string';
  return {
    address,
    publicKey,
    updatedAt: typeof updatedAt === 'number' ? updatedAt : 0,
    signed: isSigned ? { version, scheme, signature } : null,
  };
}
