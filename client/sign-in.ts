import { type Address, parseSignInNonce, type Proof } from '@relay/protocol';
import { ClientError } from './errors.js';

/** Whoever holds the key of an address: a private key in memory, a wallet, a person who is asked. */
export interface Identity {
  readonly address: Address;
  /** Signs the text as it is, in the scheme that it names. */
  sign(text: string): Promise<Proof> | Proof;
}

/** A relay's own last 120 s; the rest is for clocks that differ. A longer one could be kept and used by whoever got it out of us. */
const MAX_NONCE_LIFE_MS = 10 * 60 * 1000;
const ORIGIN = /^(wss?):\/\/(?:[^/?#@]*@)?([^/?#]+)/i;
const USUAL_PORTS: Readonly<Record<string, string>> = { ws: ':80', wss: ':443' };

/** The domain that nonces of this relay name: host, and port where it is not the usual one. `null` for what is no WebSocket URL. */
export function domainOf(url: string): string | null {
  const [, scheme, host] = ORIGIN.exec(url) ?? [];
  if (scheme === undefined || host === undefined) return null;
  const usual = USUAL_PORTS[scheme.toLowerCase()]!;
  return (host.endsWith(usual) ? host.slice(0, -usual.length) : host).toLowerCase();
}

export interface Expected {
  readonly domain: string;
  readonly address: Address;
  /** ms since 1970 */
  readonly now: number;
}

/** Throws `nonce_refused` for a nonce whose signature would be worth something elsewhere, to somebody else, or for long. */
export function checkNonce(nonce: string, { domain, address, now }: Expected): void {
  const parsed = parseSignInNonce(nonce);
  const refuse = (why: string): never => {
    throw new ClientError('nonce_refused', { message: `The challenge ${why}` });
  };
  if (parsed === null) return refuse('is none');
  if (parsed.domain !== domain) return refuse(`is for ${parsed.domain}, not for ${domain}`);
  if (parsed.address !== address) return refuse('is for another address');
  if (parsed.expiresAtSeconds * 1000 - now > MAX_NONCE_LIFE_MS) {
    return refuse('is valid for too long, or the clock here is slow');
  }
}
