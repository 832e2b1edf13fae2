import { type Address, isSignature, parseAddress, type Proof, type Scheme } from '@relay/protocol';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { recover } from 'tiny-secp256k1';

/** Half of the group's order (SEC 2 §2.4.1): of s and n - s only the smaller counts, so that nobody makes a second signature of one. */
const HALF_ORDER = Buffer.from('7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0', 'hex');
const ORDER = Buffer.from('fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141', 'hex');
const ZERO = Buffer.alloc(32);

const IDENA_PREFIX = '\x00Idena Signed Message:\n';
const ETHEREUM_PREFIX = '\x19Ethereum Signed Message:\n';

/** What the key signs, by scheme: 32 bytes. */
const DIGESTS: Record<Scheme, (text: Buffer) => Uint8Array> = {
  idena: (text) => keccak_256(keccak_256(text)),
  'idena-prefix': (text) => keccak_256(prefixed(IDENA_PREFIX, text)),
  eip191: (text) => keccak_256(prefixed(ETHEREUM_PREFIX, text)),
};

/**
 * Whose key signed that text, in that scheme and no other; `null` for what is no signature. Takes 0.3 ms of the event loop
 * where the form is right (`RecoveryBudget` spreads that), and nothing where it is not.
 */
export function recoverAddress(text: string, { scheme, signature }: Proof): Address | null {
  if (!isSignature(signature)) return null;
  const bytes = Buffer.from(signature.slice(2), 'hex');
  const recovery = recoveryOf(bytes[64]!, scheme);
  if (recovery === null || !isWithinOrder(bytes.subarray(0, 32), bytes.subarray(32, 64))) return null;
  const digest = DIGESTS[scheme](Buffer.from(text, 'utf8'));
  try {
    const key = recover(digest, bytes.subarray(0, 64), recovery, false);
    return key === null ? null : addressOfKey(key);
  } catch {
    // No point of the curve has that r.
    return null;
  }
}

/** `null` for 2 and 3 too: an r beyond the order is never met in practice, and one form less is one less to get wrong. */
function recoveryOf(v: number, scheme: Scheme): 0 | 1 | null {
  const recovery = scheme === 'eip191' && v >= 27 ? v - 27 : v;
  return recovery === 0 || recovery === 1 ? recovery : null;
}

function isWithinOrder(r: Buffer, s: Buffer): boolean {
  if (r.equals(ZERO) || s.equals(ZERO)) return false;
  return r.compare(ORDER) < 0 && s.compare(HALF_ORDER) <= 0;
}

/** `key`: 65 bytes, uncompressed, of which the first says so. */
function addressOfKey(key: Uint8Array): Address | null {
  const hash = keccak_256(key.subarray(1));
  return parseAddress(`0x${Buffer.from(hash.subarray(12)).toString('hex')}`);
}

function prefixed(prefix: string, text: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${prefix}${text.length}`, 'latin1'), text]);
}
