import { type Address, parseAddress } from '@relay/protocol';
import { createHash, randomBytes } from 'node:crypto';

const TOKEN = /^rs_([0-9a-f]{40})_[A-Za-z0-9_-]{43}$/;
const SECRET_BYTES = 32;
const ID_LENGTH = 16;

export interface NamedSession {
  readonly address: Address;
  /** SHA-256 of the token, base64url: all that is stored of it. */
  readonly hash: string;
}

/**
 * Says whose it is, so that the store finds it beside everything else of the address, in one slot of a Cluster. To clients
 * it is opaque.
 */
export function newToken(address: Address, random: (bytes: number) => Buffer = randomBytes): string {
  return `rs_${address.slice(2)}_${random(SECRET_BYTES).toString('base64url')}`;
}

/** `null` for what is none in form: nobody need be asked about it. */
export function readToken(token: string): NamedSession | null {
  const address = parseAddress(`0x${TOKEN.exec(token)?.[1] ?? ''}`);
  return address === null ? null : { address, hash: hashOf(token) };
}

export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

/** The public name of the session with that hash. Of 256 bits that nobody can guess, it tells 96. */
export function idOf(hash: string): string {
  return hash.slice(0, ID_LENGTH);
}
