import { isDeviceId } from '@relay/protocol';
import { createHash, randomBytes } from 'node:crypto';

/**
 * What ties a sign-in to the browser that began it: a secret in a cookie. The link's token is its digest, so whoever has the
 * link cannot make the cookie, whoever makes a link up has no cookie for it, and no node has to remember either.
 */
export interface Verifier {
  /** 256 bits, base64url. */
  readonly secret: string;
  /** Which device of the address the browser will be. */
  readonly device: string;
}

/** As long as a person may take with the wallet. */
const COOKIE_SECONDS = 600;
const VALUE = /^([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{1,64})$/;

export function newVerifier(device: string | null): Verifier {
  return {
    secret: randomBytes(32).toString('base64url'),
    device: device ?? `browser-${randomBytes(9).toString('base64url')}`,
  };
}

/** In the form of a GUID, which wallets expect. */
export function linkTokenOf({ secret }: Verifier): string {
  const hex = createHash('sha256').update(`sign-in ${secret}`).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

/** The prefix keeps a neighbour's subdomain from setting it; browsers take it over HTTPS only. */
const cookieName = (isSecure: boolean): string => (isSecure ? '__Host-relay-sign-in' : 'relay-sign-in');

export function verifierCookie({ secret, device }: Verifier, isSecure: boolean): string {
  return cookie(`${secret}.${device}`, COOKIE_SECONDS, isSecure);
}

export function clearedCookie(isSecure: boolean): string {
  return cookie('', 0, isSecure);
}

function cookie(value: string, seconds: number, isSecure: boolean): string {
  const secure = isSecure ? '; Secure' : '';
  return `${cookieName(isSecure)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure}`;
}

/** `null` where the browser has none, or one that is not as `verifierCookie` writes it, or a second one. */
export function readVerifier(cookieHeader: string | undefined, isSecure: boolean): Verifier | null {
  const lead = `${cookieName(isSecure)}=`;
  const found = (cookieHeader ?? '').split(';').flatMap((part) => {
    const text = part.trim();
    return text.startsWith(lead) ? [text.slice(lead.length)] : [];
  });
  const [, secret, device] = found.length === 1 ? (VALUE.exec(found[0]!) ?? []) : [];
  return secret === undefined || !isDeviceId(device) ? null : { secret, device };
}

const WALLETS = { web: 'https://app.idena.io/dna/signin', app: 'dna://signin/v1' } as const;
export type Wallet = keyof typeof WALLETS;

/** Where the person confirms. `origin` is the relay's. */
export function walletUrl(wallet: Wallet, token: string, origin: string): string {
  const parameters = new URLSearchParams({
    token,
    callback_url: `${origin}/auth/v1/callback?token=${token}`,
    nonce_endpoint: `${origin}/auth/v1/start-session`,
    authentication_endpoint: `${origin}/auth/v1/authenticate`,
  });
  return `${WALLETS[wallet]}?${parameters.toString()}`;
}
