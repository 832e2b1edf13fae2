import { randomBytes } from 'node:crypto';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';

/** @typedef {'idena' | 'idena-prefix' | 'eip191'} Scheme */

const bytesOf = (/** @type {string} */ text) => Uint8Array.from(Buffer.from(text));
const hex = (/** @type {Uint8Array} */ bytes) => Buffer.from(bytes).toString('hex');

/** @type {Record<Scheme, (text: string) => Uint8Array>} */
const DIGESTS = {
  idena: (text) => keccak_256(keccak_256(bytesOf(text))),
  'idena-prefix': (text) => keccak_256(bytesOf(`\x00Idena Signed Message:\n${bytesOf(text).length}${text}`)),
  eip191: (text) => keccak_256(bytesOf(`\x19Ethereum Signed Message:\n${bytesOf(text).length}${text}`)),
};

/** A key of somebody who did not exist before, and its address. */
export class Key {
  #secret = secp256k1.utils.randomSecretKey(randomBytes(48));
  address = `0x${hex(keccak_256(secp256k1.getPublicKey(this.#secret, false).subarray(1)).subarray(12))}`;

  /** 65 bytes r‖s‖v. @param {string} text @param {Scheme} [scheme] */
  sign(text, scheme = 'idena') {
    const signed = secp256k1.sign(DIGESTS[scheme](text), this.#secret, { prehash: false, format: 'recovered' });
    return `0x${hex(signed.subarray(1))}${hex(signed.subarray(0, 1))}`;
  }
}
