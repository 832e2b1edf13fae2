import type { Scheme } from '@relay/protocol';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';

/** A key, its address, and what it signs: written from the definitions, with another library than the relay's. */
export class SigningKey {
  readonly address: string;

  constructor(private readonly secret: Uint8Array) {
    const publicKey = secp256k1.getPublicKey(secret, false);
    this.address = `0x${hex(keccak_256(publicKey.subarray(1)).subarray(12))}`;
  }

  /** A different one for each number. */
  static of(n: number): SigningKey {
    return new SigningKey(keccak_256(new TextEncoder().encode(`test key ${n}`)));
  }

  /** 65 bytes r‖s‖v, `0x` and hex; v is 0 or 1. */
  sign(text: string, scheme: Scheme = 'idena'): string {
    const recovered = secp256k1.sign(digestOf(text, scheme), this.secret, { prehash: false, format: 'recovered' });
    return `0x${hex(recovered.subarray(1))}${hex(recovered.subarray(0, 1))}`;
  }

  get privateKey(): string {
    return `0x${hex(this.secret)}`;
  }
}

function digestOf(text: string, scheme: Scheme): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  switch (scheme) {
    case 'idena':
      return keccak_256(keccak_256(bytes));
    case 'idena-prefix':
      return keccak_256(new TextEncoder().encode(`\x00Idena Signed Message:\n${bytes.length}${text}`));
    case 'eip191':
      return keccak_256(new TextEncoder().encode(`\x19Ethereum Signed Message:\n${bytes.length}${text}`));
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
