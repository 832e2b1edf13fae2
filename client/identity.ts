import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { type Address, isSignature, parseAddress, type Proof, type Scheme } from '@relay/protocol';
import type { Identity } from './sign-in.js';

const PREFIXES: Readonly<Record<Scheme, string | null>> = {
  idena: null,
  'idena-prefix': '\x00Idena Signed Message:\n',
  eip191: '\x19Ethereum Signed Message:\n',
};
/** Where `v` of an Ethereum signature begins. */
const EIP191_V = 27;

/** Signs with a private key that is held here: 32 bytes, or 64 hex digits with or without `0x`. */
export function privateKeyIdentity(privateKey: Uint8Array | string, scheme: Scheme = 'idena'): Identity {
  const key = typeof privateKey === 'string' ? hexToBytes(privateKey.replace(/^0x/, '')) : Uint8Array.from(privateKey);
  const address = addressOfPublicKey(secp256k1.getPublicKey(key, false));
  return {
    address,
    sign(text) {
      // One byte of recovery, then r and s, low by default; the wire has the recovery last.
      const signed = secp256k1.sign(hashOf(text, scheme), key, { prehash: false, format: 'recovered' });
      const v = signed[0]! + (scheme === 'eip191' ? EIP191_V : 0);
      return { scheme, signature: `0x${bytesToHex(signed.subarray(1))}${v.toString(16).padStart(2, '0')}` };
    },
  };
}

/** An identity that nobody had before, with its private key to keep: 64 hex digits. */
export function newIdentity(scheme?: Scheme): Identity & { readonly privateKey: string } {
  const key = secp256k1.utils.randomSecretKey();
  return { ...privateKeyIdentity(key, scheme), privateKey: bytesToHex(key) };
}

/** The address whose key made this signature, or `null`: wrong in form, with a high s, or of no key. */
export function recoverAddress(text: string, { scheme, signature }: Proof): Address | null {
  if (!isSignature(signature)) return null;
  const bytes = hexToBytes(signature.slice(2));
  const recovery = bytes[64]! - (scheme === 'eip191' && bytes[64]! >= EIP191_V ? EIP191_V : 0);
  if (recovery !== 0 && recovery !== 1) return null;
  try {
    const parsed = secp256k1.Signature.fromBytes(bytes.subarray(0, 64), 'compact');
    if (parsed.hasHighS()) return null;
    const point = parsed.addRecoveryBit(recovery).recoverPublicKey(hashOf(text, scheme));
    return addressOfPublicKey(point.toBytes(false));
  } catch {
    return null;
  }
}

/** What is signed for a text; see `Scheme`. */
export function hashOf(text: string, scheme: Scheme): Uint8Array {
  const bytes = utf8ToBytes(text);
  const prefix = PREFIXES[scheme];
  if (prefix === null) return keccak_256(keccak_256(bytes));
  return keccak_256(concatBytes(utf8ToBytes(`${prefix}${bytes.length}`), bytes));
}

function addressOfPublicKey(uncompressed: Uint8Array): Address {
  const address = parseAddress(`0x${bytesToHex(keccak_256(uncompressed.subarray(1)).subarray(12))}`);
  if (address === null) throw new RangeError('the key has no address');
  return address;
}
