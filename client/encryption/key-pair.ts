import { x25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { fromBase64Url, toBase64Url } from './base64.js';

/** Of a device, or of all devices of an address that share it. */
export interface EncryptionKeyPair {
  readonly secretKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

export const KEY_BYTES = 32;
export const KEY_ID_BYTES = 8;
const TEXT_PREFIX = 'x25519-';

export function newEncryptionKeyPair(): EncryptionKeyPair {
  return encryptionKeyPairOf(x25519.utils.randomSecretKey());
}

export function encryptionKeyPairOf(secretKey: Uint8Array): EncryptionKeyPair {
  return { secretKey, publicKey: x25519.getPublicKey(secretKey) };
}

/** Which key a message is for: the first 8 bytes of its SHA-256. Only a hint, what is wrong does not decrypt. */
export function keyIdOf(publicKey: Uint8Array): Uint8Array {
  return sha256(publicKey).subarray(0, KEY_ID_BYTES);
}

/** 32 hex digits for two people to compare, the same on both sides. */
export function fingerprintOf(one: Uint8Array, other: Uint8Array): string {
  const [first, second] = [bytesToHex(one), bytesToHex(other)].sort();
  return bytesToHex(sha256(new TextEncoder().encode(`relay fingerprint ${first} ${second}`))).slice(0, 32);
}

/** As it stands in the directory of keys: `x25519-` and 43 characters of base64url. */
export function publicKeyText(publicKey: Uint8Array): string {
  return TEXT_PREFIX + toBase64Url(publicKey);
}

/** `null` for any other kind of key. */
export function parsePublicKey(text: string): Uint8Array | null {
  if (!text.startsWith(TEXT_PREFIX)) return null;
  const bytes = fromBase64Url(text.slice(TEXT_PREFIX.length));
  return bytes?.length === KEY_BYTES ? bytes : null;
}
