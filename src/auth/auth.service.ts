import { type Address, type Proof, RelayError, signInNonce } from '@relay/protocol';
import { randomBytes } from 'node:crypto';
import type { Bans } from '../bans/bans.js';
import type { Clock } from '../common/clock.js';
import type { RecoveryBudget } from '../identity/recovery-budget.js';
import type { Revocations } from './revocations.js';
import type { Session, SessionRepository } from './session.repository.js';

/** How long a person has to sign. */
export const CHALLENGE_MS = 120_000;
const NONCE_BYTES = 16;

/** One question to one client, answered at most once: whoever asks forgets it with the first answer. */
export interface Challenge {
  readonly address: Address;
  readonly nonce: string;
  /** ms since 1970, for the client. */
  readonly expiresAt: number;
  /** Monotonic ms, for us. */
  readonly deadline: number;
}

export interface SignedIn {
  readonly token: string;
  readonly session: Session;
}

export interface AuthOptions {
  /** `open`: an address that never signed in is whose client says so. */
  readonly mode: 'open' | 'signed';
  /** What nonces name, where a client asked for that Host; throws `unsupported` where there is none (`common/domain.ts`). */
  readonly domainOf: (host: string | undefined) => string;
}

export interface AuthParts {
  readonly sessions: SessionRepository;
  readonly revocations: Revocations;
  readonly bans: Bans;
  readonly recoveries: RecoveryBudget;
  readonly clock: Clock;
}

/**
 * Who is who: challenges, proofs, tokens, and their end. Whoever comes in comes by here, so here the operator's bans are in
 * force: every method that lets somebody in rejects with `forbidden` for an address that is banned.
 */
export class AuthService {
  constructor(
    private readonly parts: AuthParts,
    private readonly options: AuthOptions,
  ) {}

  get mode(): 'open' | 'signed' {
    return this.options.mode;
  }

  /**
   * Whether an address is believed without any proof. Rejects with `downgrade_refused` where it ever proved itself, and
   * with `auth_required` where the relay believes nobody.
   */
  async believe(address: Address): Promise<void> {
    this.parts.bans.refuse(address);
    if (await this.parts.sessions.hasSignedIn(address)) throw new RelayError('downgrade_refused');
    if (this.options.mode === 'signed') throw new RelayError('auth_required');
  }

  /** The same as a question. */
  async isBelieved(address: Address): Promise<boolean> {
    this.parts.bans.refuse(address);
    return this.options.mode === 'open' && !(await this.parts.sessions.hasSignedIn(address));
  }

  /** The session of a token; `null` for what is none, expired, or revoked. */
  async session(token: string): Promise<Session | null> {
    const session = await this.parts.sessions.use(token);
    if (session === null || this.parts.revocations.has(session)) return null;
    // The session lasts: whoever is let in again need not sign in.
    this.parts.bans.refuse(session.address);
    return session;
  }

  /** `host`: as the client asked for it. Throws `unsupported` where the relay has no name that could be signed. */
  challenge(address: Address, host: string | undefined): Challenge {
    this.parts.bans.refuse(address);
    const domain = this.options.domainOf(host);
    const { clock } = this.parts;
    const expiresAtSeconds = Math.floor((clock.now() + CHALLENGE_MS) / 1000);
    const random = randomBytes(NONCE_BYTES).toString('hex');
    const nonce = signInNonce({ domain, address, expiresAtSeconds, random });
    return { address, nonce, expiresAt: expiresAtSeconds * 1000, deadline: clock.monotonic() + CHALLENGE_MS };
  }

  /** Rejects with `challenge_expired`, `auth_failed`, or `unavailable` where too many sign in at once. */
  async prove({ address, nonce, deadline }: Challenge, proof: Proof, device: string): Promise<SignedIn> {
    const { recoveries, clock } = this.parts;
    if (clock.monotonic() >= deadline) throw new RelayError('challenge_expired');
    if ((await recoveries.addressOf(nonce, proof)) !== address) throw new RelayError('auth_failed');
    this.parts.bans.refuse(address);
    // The relay announces it once the device's earlier connection knows that it was replaced.
    return this.parts.sessions.create(address, device);
  }

  /** A session for whoever has proved the address: the caller has seen to that. */
  async grant(address: Address, device: string): Promise<SignedIn> {
    this.parts.bans.refuse(address);
    const signedIn = await this.parts.sessions.create(address, device);
    this.parts.revocations.announce(address);
    return signedIn;
  }

  /** Ends the session of a device, and its live connection on whichever node; false where there is none. */
  async revoke(address: Address, device: string): Promise<boolean> {
    const existed = await this.parts.sessions.revoke(address, device);
    this.parts.revocations.announce(address);
    return existed;
  }
}
