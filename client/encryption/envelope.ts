import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Address } from '@relay/protocol';
import { fromBase64, toBase64 } from './base64.js';
import { type EncryptionKeyPair, encryptionKeyPairOf, KEY_BYTES, KEY_ID_BYTES, keyIdOf } from './key-pair.js';
import { pad, unpad } from './padding.js';

/**
 * Version 1, before base64: version (1 byte, 0x01), id of the sender's key (8), id of the recipient's key (8), ephemeral public key (32),
 * ciphertext with tag. The key and nonce are HKDF-SHA-256 of two agreements, ephemeral with recipient and sender with recipient, as the
 * authenticated mode of HPKE (RFC 9180) mixes them: only the two can make it, and who takes the sender's key later cannot read it.
 */
export interface EnvelopeHeader {
  readonly senderKeyId: Uint8Array;
  readonly recipientKeyId: Uint8Array;
}

/** What an envelope is bound to beside its keys: moved to another sender, recipient or message, it does not open. */
export interface Binding {
  readonly from: Address;
  readonly to: Address;
  readonly messageId: string;
}

export interface Sealing {
  readonly binding: Binding;
  readonly own: EncryptionKeyPair;
  readonly peerKey: Uint8Array;
  /** The padded length is a multiple of this. */
  readonly padToBytes: number;
  /** 32 bytes used for this one message; random unless a test vector says otherwise. */
  readonly ephemeralSecret?: Uint8Array;
}

export interface Opening {
  readonly binding: Binding;
  readonly own: EncryptionKeyPair;
  readonly peerKey: Uint8Array;
}

const VERSION = 1;
const HEADER_BYTES = 1 + 2 * KEY_ID_BYTES + KEY_BYTES;
const TAG_BYTES = 16;
const NONCE_BYTES = 24;
const DOMAIN = 'relay envelope 1';

/** The content of a message. Throws for a key of the other side that agrees on nothing (a point of small order). */
export function seal(plaintext: Uint8Array, sealing: Sealing): string {
  const { binding, own, peerKey, padToBytes, ephemeralSecret = x25519.utils.randomSecretKey() } = sealing;
  const ephemeral = encryptionKeyPairOf(ephemeralSecret);
  const header = concatBytes(Uint8Array.of(VERSION), keyIdOf(own.publicKey), keyIdOf(peerKey), ephemeral.publicKey);
  const shared = concatBytes(
    x25519.getSharedSecret(ephemeral.secretKey, peerKey),
    x25519.getSharedSecret(own.secretKey, peerKey),
  );
  const cipher = cipherOf(shared, contextOf(header, binding, own.publicKey, peerKey));
  return toBase64(concatBytes(header, cipher.encrypt(pad(plaintext, padToBytes))));
}

/** `null` for what is no envelope of a version known here. */
export function headerOf(content: string): EnvelopeHeader | null {
  const bytes = fromBase64(content);
  if (bytes?.[0] !== VERSION || bytes.length < HEADER_BYTES + TAG_BYTES) return null;
  return {
    senderKeyId: bytes.subarray(1, 1 + KEY_ID_BYTES),
    recipientKeyId: bytes.subarray(1 + KEY_ID_BYTES, 1 + 2 * KEY_ID_BYTES),
  };
}

/** `null` for anything that was not sealed with exactly these keys for exactly this message. */
export function unseal(content: string, { binding, own, peerKey }: Opening): Uint8Array | null {
  const bytes = fromBase64(content);
  if (bytes === null || headerOf(content) === null) return null;
  const header = bytes.subarray(0, HEADER_BYTES);
  const ephemeralKey = header.subarray(HEADER_BYTES - KEY_BYTES);
  try {
    const shared = concatBytes(
      x25519.getSharedSecret(own.secretKey, ephemeralKey),
      x25519.getSharedSecret(own.secretKey, peerKey),
    );
    const cipher = cipherOf(shared, contextOf(header, binding, peerKey, own.publicKey));
    return unpad(cipher.decrypt(bytes.subarray(HEADER_BYTES)));
  } catch {
    return null;
  }
}

/** The key is new for every message, so its nonce need not travel. */
function cipherOf(shared: Uint8Array, context: Uint8Array) {
  const derived = hkdf(sha256, shared, utf8ToBytes(DOMAIN), context, KEY_BYTES + NONCE_BYTES);
  return xchacha20poly1305(derived.subarray(0, KEY_BYTES), derived.subarray(KEY_BYTES), context);
}

/** Addresses have one length and come before the id, so no two bindings give the same bytes. */
function contextOf(header: Uint8Array, binding: Binding, senderKey: Uint8Array, recipientKey: Uint8Array): Uint8Array {
  const { from, to, messageId } = binding;
  return concatBytes(utf8ToBytes(DOMAIN), header, senderKey, recipientKey, utf8ToBytes(from + to + messageId));
}
