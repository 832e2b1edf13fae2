declare const address: unique symbol;

/** `0x` + 40 lower-case hex digits: the last 20 bytes of keccak-256 of a secp256k1 public key. Never the zero address. */
export type Address = string & { readonly [address]: true };

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;
const ZERO_ADDRESS = `0x${'0'.repeat(40)}`;

/** The address in lower case, or `null` for anything else; nothing but the case of hex digits is ever normalised. */
export function parseAddress(value: unknown): Address | null {
  if (typeof value !== 'string' || !ADDRESS.test(value)) return null;
  const lower = value.toLowerCase();
  return lower === ZERO_ADDRESS ? null : (lower as Address);
}
