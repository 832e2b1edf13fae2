import type { Change, ClientStore } from '../store.js';
import { fromBase64Url, toBase64Url } from './base64.js';
import { type EncryptionKeyPair, encryptionKeyPairOf, keyIdOf, newEncryptionKeyPair } from './key-pair.js';

const PREFIX = 'enc/key/';
const CURRENT = 'enc/version';
const VERSION_DIGITS = 10;

/** The key pairs of this address: the newest is published and sent with, the older ones still open what was sent to them. */
export class OwnKeys {
  private constructor(
    private readonly store: ClientStore,
    private readonly pairs: EncryptionKeyPair[],
    private published: number,
  ) {}

  /** Makes the first pair where the store has none. */
  static async load(store: ClientStore): Promise<OwnKeys> {
    const pairs = (await store.list(PREFIX)).map(([, secret]) => encryptionKeyPairOf(fromBase64Url(secret)!));
    const keys = new OwnKeys(store, pairs, Number((await store.read(CURRENT)) ?? '0'));
    if (pairs.length === 0) await keys.renew();
    return keys;
  }

  get current(): EncryptionKeyPair {
    return this.pairs.at(-1)!;
  }

  /** Of the last publication; 0 before the first. */
  get version(): number {
    return this.published;
  }

  byId(id: Uint8Array): EncryptionKeyPair | null {
    return this.pairs.find(({ publicKey }) => isSame(keyIdOf(publicKey), id)) ?? null;
  }

  /** For another device of the same address, which takes it with `add`. */
  export(): Uint8Array {
    return this.current.secretKey.slice();
  }

  renew(): Promise<void> {
    return this.add(newEncryptionKeyPair().secretKey);
  }

  /** It becomes the current one. */
  async add(secretKey: Uint8Array): Promise<void> {
    const key = PREFIX + String(this.pairs.length).padStart(VERSION_DIGITS, '0');
    await this.store.write([[key, toBase64Url(secretKey)]]);
    this.pairs.push(encryptionKeyPairOf(secretKey));
  }

  async publishedAs(version: number): Promise<void> {
    const changes: Change[] = [[CURRENT, String(version)]];
    await this.store.write(changes);
    this.published = version;
  }
}

export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
