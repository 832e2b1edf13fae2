import { type Address, isSignature, type Proof, RelayError, walletNonce } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import type { AuthService } from './auth.service.js';
import type { Session } from './session.repository.js';
import type { SignInLinkRepository } from './sign-in-link.repository.js';

/** A nonce may be signed for so long. */
const NONCE_MS = 120_000;
/** What a proven link is still good for: `get-account`, and the session of the browser that began. */
const PROVEN_MS = 10 * 60_000;
/**
 * A session waits for so long after the proof. Wallets open the callback as soon as it is accepted, so the browser of
 * somebody who was given a stranger's link is there first, and ends it.
 */
export const SETTLE_MS = 2_000;

/** What wallets are told; they show it. The texts are those that deployed servers answer with. */
export class LinkRefusal extends Error {
  override readonly name = 'LinkRefusal';
}

const NO_DATA = 'no data found';
const TOKEN = /^[\x21-\x7e]{1,128}$/;

/** The token of a link, in what a request has for fields; `null` for what is none. */
export function linkTokenIn(fields: unknown): string | null {
  const { token } = (fields ?? {}) as { token?: unknown };
  return typeof token === 'string' && TOKEN.test(token) ? token : null;
}

export interface SignInLinkParts {
  readonly links: SignInLinkRepository;
  readonly auth: AuthService;
  /** Whose key signed that text; `null` where it is the signature of nobody. */
  readonly recover: (text: string, proof: Proof) => Promise<Address | null>;
  readonly clock: Clock;
  /** 128 bits, 32 hex digits. */
  readonly random: () => string;
}

export type Exchanged =
  | { readonly kind: 'session'; readonly token: string; readonly session: Session }
  /** Not proven, or only just now: ask again. */
  | { readonly kind: 'pending'; readonly retryAfterMs: number };

/** "Sign in with Idena", as wallets call it, and the session that comes of it. Refusals are `LinkRefusal`s. */
export class SignInLinks {
  constructor(private readonly parts: SignInLinkParts) {}

  async startSession(token: string, address: Address, domain: string): Promise<string> {
    const { links, clock, random } = this.parts;
    const expiresAtSeconds = Math.floor((clock.now() + NONCE_MS) / 1000);
    const nonce = walletNonce({ domain, address, expiresAtSeconds, random: random() });
    if (!(await links.begin(token, address, nonce, NONCE_MS))) throw new LinkRefusal('duplicate token');
    return nonce;
  }

  /** False for whatever is not the signature of the link's nonce by the key of its address; another may follow. */
  async authenticate(token: string, signature: unknown): Promise<boolean> {
    const { links, recover } = this.parts;
    const link = await links.find(token);
    if (link === null) throw new LinkRefusal(NO_DATA);
    if (link.provenForMs !== null) throw new LinkRefusal('already authenticated');
    if (!isSignature(signature)) return false;
    if ((await recover(link.nonce, { scheme: 'idena', signature })) !== link.address) return false;
    // Others may have proved it, or ended it, meanwhile.
    if (!(await links.prove(token, link.nonce, PROVEN_MS))) throw new LinkRefusal('already authenticated');
    return true;
  }

  async account(token: string): Promise<Address> {
    const link = await this.parts.links.find(token);
    if (typeof link?.provenForMs !== 'number') throw new LinkRefusal(NO_DATA);
    return link.address;
  }

  /** False for a link that nobody has proven yet: it goes on. */
  async logout(token: string): Promise<boolean> {
    const { links } = this.parts;
    if ((await links.find(token)) === null) throw new LinkRefusal(NO_DATA);
    return (await links.take(token)) !== null;
  }

  /**
   * For the browser that began, and for it alone: whoever calls this has made sure. `network`: where it is. Rejects with
   * `not_found`, or `rate_limited`, after which it may ask again.
   */
  async exchange(token: string, device: string, network: string): Promise<Exchanged> {
    const { links, auth } = this.parts;
    const link = await links.find(token);
    if (link === null) throw new RelayError('not_found', 'This sign-in is over; begin again');
    if (link.provenForMs === null) return { kind: 'pending', retryAfterMs: SETTLE_MS };
    if (link.provenForMs < SETTLE_MS) return { kind: 'pending', retryAfterMs: SETTLE_MS - link.provenForMs };
    await auth.admit(link.address, network);
    const address = await links.take(token);
    if (address === null) throw new RelayError('not_found', 'This sign-in is over; begin again');
    return { kind: 'session', ...(await auth.grant(address, device)) };
  }

  /** It came to a browser that did not begin it: somebody was given a stranger's link. */
  abandon(token: string): Promise<void> {
    return this.parts.links.drop(token);
  }
}
