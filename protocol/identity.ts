import type { Address } from './address.js';

/**
 * How a text becomes what the key of an address signs. `idena`: keccak256 twice, as `dna_sign` does; `idena-prefix`: keccak256 after
 * "\x00Idena Signed Message:\n" and the length in bytes; `eip191`: Ethereum's `personal_sign`.
 */
export const SCHEMES = ['idena', 'idena-prefix', 'eip191'] as const;
export type Scheme = (typeof SCHEMES)[number];

/** Proof that the key of an address signed a text: 65 bytes r‖s‖v in hex, after `0x`. */
export interface Proof {
  readonly scheme: Scheme;
  readonly signature: string;
}

const SIGNATURE = /^0x[0-9a-fA-F]{130}$/;
/** A host name or IP address, with a port where it is not the usual one. */
const DOMAIN = /^[a-z0-9.:[\]-]{1,255}$/;
/** What stands behind the domain in a statement: a name that holds one could pass for a shorter name, and for words of its signer. */
const ADDRESS_IN_DOMAIN = /-0x[0-9a-f]{40}/;
const SIGN_IN_NONCE = /^relay:signin-([a-z0-9.:[\]-]{1,255})-(0x[0-9a-f]{40})-([1-9]\d{0,11})-([0-9a-f]{32})$/;

export interface SignInNonce {
  /** The relay that asks. Whoever signs compares it with the relay that it means to talk to. */
  readonly domain: string;
  readonly address: Address;
  /** Seconds since 1970. */
  readonly expiresAtSeconds: number;
  /** 128 bits, 32 hex digits. */
  readonly random: string;
}

/**
 * What a client signs to prove that an address is its own: printable ASCII, for one address, one relay, a short time. It
 * begins as nothing that wallets sign for a link: else any site that people sign in to by link could pass it on to them.
 */
export function signInNonce(parts: SignInNonce): string {
  return `relay:${walletNonce(parts)}`;
}

/** What a wallet signs for a link. It signs whatever begins with `signin-`, unseen, so this proves an address and opens nothing. */
export function walletNonce({ domain, address, expiresAtSeconds, random }: SignInNonce): string {
  return `signin-${domain}-${address}-${expiresAtSeconds}-${random}`;
}

/** `null` for anything that `signInNonce` does not write. */
export function parseSignInNonce(nonce: string): SignInNonce | null {
  const [, domain, address, expiresAt, random] = SIGN_IN_NONCE.exec(nonce) ?? [];
  if (domain === undefined || random === undefined) return null;
  return { domain, address: address as Address, expiresAtSeconds: Number(expiresAt), random };
}

export interface KeyStatement {
  readonly domain: string;
  readonly address: Address;
  /** Rises with each key of the address. */
  readonly version: number;
  readonly publicKey: string;
}

/**
 * What the key of an address signs to say that a public key is its own; nobody who signs it signs in anywhere. Throws for a
 * domain that would make it mean something to another relay too.
 */
export function keyStatement({ domain, address, version, publicKey }: KeyStatement): string {
  if (ADDRESS_IN_DOMAIN.test(domain)) throw new RangeError('The domain holds an address: nothing can be signed for it');
  return `key-${domain}-${address}-${version}-${publicKey}`;
}

/** Whether a relay may be called so in what is signed: then each statement can be read in one way only. */
export function isDomain(value: unknown): value is string {
  return typeof value === 'string' && DOMAIN.test(value) && !ADDRESS_IN_DOMAIN.test(value);
}

export function isScheme(value: unknown): value is Scheme {
  return typeof value === 'string' && (SCHEMES as readonly string[]).includes(value);
}

/** The form alone: whether it is a signature of anybody takes arithmetic. */
export function isSignature(value: unknown): value is string {
  return typeof value === 'string' && SIGNATURE.test(value);
}
