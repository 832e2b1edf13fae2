import { type Address, type Proof, RelayError, signInNonce } from '@relay/protocol';
import { randomBytes } from 'node:crypto';
import type { Bans } from '../bans/bans.js';
import type { Clock } from '../common/clock.js';
import type { RecoveryBudget } from '../identity/recovery-budget.js';
import { type SignInLimits, tooManyFailed, tooManyNew } from '../limits/sign-in-limits.js';
import type { Revocations } from './revocations.js';
import type { Session, SessionName, SessionRepository } from './session.repository.js';

/** How long a person has to sign. */
export const CHALLENGE_MS = 120_000;
const NONCE_BYTES = 16;
/** Sessions whose sign-in came to nothing while the store was away; each is some hundred bytes. */
const MAX_LEFT_OVER = 1_000;

/** One question to one client, answered at most once: whoever asks forgets it with the first answer. */
export interface Challenge {
  readonly address: Address;
  readonly nonce: string;
  /** ms since 1970, for the client. */
  readonly expiresAt: number;
  /** Monotonic ms, for us. */
  readonly deadline: number;
}

/** The answer to a challenge. */
export interface ChallengeAnswer {
  readonly address: Address;
  readonly proof: Proof;
  readonly device: string;
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

/** Who tells the owner's devices of a session that no signature for this relay stands behind. */
export type GrantObserver = (session: Session) => void;

export interface AuthParts {
  readonly sessions: SessionRepository;
  readonly revocations: Revocations;
  readonly bans: Bans;
  readonly recoveries: RecoveryBudget;
  readonly limits: SignInLimits;
  readonly clock: Clock;
}

/**
 * Who is who: challenges, proofs, tokens, and their end. Whoever comes in comes by here, so here the operator's bans are in
 * force: every method that lets somebody in rejects with `forbidden` for an address that is banned.
 */
export class AuthService {
  private readonly leftOver = new Set<SessionName>();
  private granted: GrantObserver = () => undefined;

  constructor(
    private readonly parts: AuthParts,
    private readonly options: AuthOptions,
  ) {}

  get mode(): 'open' | 'signed' {
    return this.options.mode;
  }

  observe(granted: GrantObserver): void {
    this.granted = granted;
  }

  /**
   * Whether an address is believed without any proof. Rejects with `downgrade_refused` where it ever proved itself, and
   * with `auth_required` where the relay believes nobody.
   */
  async believe(address: Address): Promise<void> {
    // Where nobody is believed, nobody learns who is banned without being it.
    if (this.options.mode === 'open') this.parts.bans.refuse(address);
    if (await this.parts.sessions.hasSignedIn(address)) throw new RelayError('downgrade_refused');
    if (this.options.mode === 'signed') throw new RelayError('auth_required');
  }

  /** The same as a question. */
  async isBelieved(address: Address): Promise<boolean> {
    if (this.options.mode === 'signed') return false;
    this.parts.bans.refuse(address);
    return !(await this.parts.sessions.hasSignedIn(address));
  }

  /** The session of a token; `null` for what is none, expired, or revoked. */
  async session(token: string): Promise<Session | null> {
    const session = await this.parts.sessions.use(token);
    if (session === null || this.parts.revocations.has(session)) return null;
    // The session lasts: whoever is let in again need not sign in.
    this.parts.bans.refuse(session.address);
    return session;
  }

  /**
   * As `challenge`, for whoever may try from there. Rejects with `rate_limited` where too many proofs of that network were
   * wrong, or where the address would be one too many that signs in for the first time: nobody need sign for that.
   */
  async ask(address: Address, network: string, host: string | undefined): Promise<Challenge> {
    const { limits, sessions } = this.parts;
    const [failedMs, firstMs] = await Promise.all([limits.mayTry(network, address), limits.mayBegin(network)]);
    if (failedMs > 0) throw tooManyFailed(failedMs);
    if (firstMs > 0 && !(await sessions.hasSignedIn(address))) throw tooManyNew(firstMs);
    return this.challenge(address, host);
  }

  /** `host`: as the client asked for it. Throws `unsupported` where the relay has no name that could be signed. */
  private challenge(address: Address, host: string | undefined): Challenge {
    const domain = this.options.domainOf(host);
    const { clock } = this.parts;
    const expiresAtSeconds = Math.floor((clock.now() + CHALLENGE_MS) / 1000);
    const random = randomBytes(NONCE_BYTES).toString('hex');
    const nonce = signInNonce({ domain, address, expiresAtSeconds, random });
    return { address, nonce, expiresAt: expiresAtSeconds * 1000, deadline: clock.monotonic() + CHALLENGE_MS };
  }

  /**
   * `network`: where the answer comes from. Rejects with `challenge_expired`, `auth_failed`, `rate_limited` as `ask` does, or
   * `unavailable` where too many sign in at once.
   */
  async prove(challenge: Challenge, { address, proof, device }: ChallengeAnswer, network: string): Promise<SignedIn> {
    await this.parts.limits.attempt(network, address, async () => {
      if (address !== challenge.address) throw new RelayError('auth_failed', 'Another address was asked');
      if (this.parts.clock.monotonic() >= challenge.deadline) throw new RelayError('challenge_expired');
      const signer = await this.parts.recoveries.addressOf(challenge.nonce, proof);
      if (signer !== address) throw new RelayError('auth_failed');
    });
    this.parts.bans.refuse(address);
    await this.admit(address, network);
    // The relay announces it once the device's earlier connection knows that it was replaced.
    return this.parts.sessions.create(address, device);
  }

  /**
   * Whoever there has proved the address. Rejects with `rate_limited` where it is the first time, and one too many from that
   * network: what is kept of an address for ever costs whoever makes up keys nothing. Owners who come again never wait.
   */
  async admit(address: Address, network: string): Promise<void> {
    if (await this.parts.sessions.hasSignedIn(address)) return;
    await this.parts.limits.begin(network);
  }

  /** A session for whoever has proved the address and was admitted: the caller has seen to that. */
  async grant(address: Address, device: string): Promise<SignedIn> {
    this.parts.bans.refuse(address);
    const signedIn = await this.parts.sessions.create(address, device);
    this.parts.revocations.announce(address);
    this.granted(signedIn.session);
    return signedIn;
  }

  /** Whether that session still lasts, as the store says. */
  async isStillIn(session: SessionName): Promise<boolean> {
    return (await this.parts.sessions.keep(session)) !== null;
  }

  /** Its sign-in came to nothing, and nobody was told its token. Never rejects: what the store does not hear now, it hears later. */
  async discard(session: SessionName): Promise<void> {
    this.leftOver.add(session);
    const [oldest] = this.leftOver;
    if (this.leftOver.size > MAX_LEFT_OVER && oldest !== undefined) this.leftOver.delete(oldest);
    await this.discardLeftOver().catch(() => undefined);
  }

  /** Those that could not be ended when their sign-in failed. */
  async discardLeftOver(): Promise<void> {
    for (const session of this.leftOver) {
      await this.parts.sessions.end(session);
      this.leftOver.delete(session);
    }
  }

  /** Ends the session of a device, and its live connection on whichever node; false where there is none. */
  async revoke(address: Address, device: string): Promise<boolean> {
    const existed = await this.parts.sessions.revoke(address, device);
    this.parts.revocations.announce(address);
    return existed;
  }
}
