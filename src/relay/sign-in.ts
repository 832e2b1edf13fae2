import type { Address, ClientFrame, Proof } from '@relay/protocol';
import { encodeFrame, RelayError } from '@relay/protocol';
import type { AuthService, Challenge } from '../auth/auth.service.js';
import type { Session } from '../auth/session.repository.js';
import type { SignInLimits } from '../limits/sign-in-limits.js';

/** How a connection was opened, and for which device. */
export type Opening = Extract<ClientFrame, { type: 'auth' | 'hello' }>;
type Hello = Extract<ClientFrame, { type: 'hello' }>;

/** Where a socket comes from. */
export interface Peer {
  /** What limits count: an IPv4 address or an IPv6 network. */
  readonly network: string;
  /** Of the upgrade. */
  readonly host: string | undefined;
}

/** Who has come in, and why they are believed. */
export interface Entrance {
  readonly opening: Opening;
  /** `null` for who was believed without proof. */
  readonly session: Session | null;
  /** Only after a proof: the client must be told. */
  readonly token: string | null;
}

export type Step =
  { readonly kind: 'in'; readonly entrance: Entrance } | { readonly kind: 'challenge'; readonly frame: string };

export interface SignInParts {
  readonly auth: AuthService;
  readonly limits: SignInLimits;
}

/** What stands between the first frame of one socket and its place in the relay. */
export class SignIn {
  private hello: Hello | null = null;
  private challenge: Challenge | null = null;
  /** Of the challenge, also while its answer is looked at. */
  private until: number | null = null;

  constructor(
    private readonly parts: SignInParts,
    private readonly peer: Peer,
  ) {}

  get network(): string {
    return this.peer.network;
  }

  /** Monotonic ms: until when an answer is waited for; `null` where nothing was asked. */
  get deadline(): number | null {
    return this.until;
  }

  /** Rejects with what the client should hear before it is closed. One call at a time. */
  next(frame: Opening): Promise<Step> {
    if (this.hello !== null) return this.answer(this.hello, frame);
    return frame.type === 'hello' ? this.opened(frame) : this.classic(frame);
  }

  private async classic(frame: Extract<Opening, { type: 'auth' }>): Promise<Step> {
    // It answers no question, and what it says was perhaps signed for another one.
    if (frame.proof !== null) throw new RelayError('auth_failed', 'Nothing was asked: hello comes first');
    await this.parts.auth.believe(frame.address);
    return { kind: 'in', entrance: { opening: frame, session: null, token: null } };
  }

  private async opened(hello: Hello): Promise<Step> {
    const { auth } = this.parts;
    if (hello.token !== null) {
      const session = await auth.session(hello.token);
      if (session?.address === hello.address && session.device === hello.deviceId) {
        return { kind: 'in', entrance: { opening: hello, session, token: null } };
      }
    } else if (!hello.challenge && (await auth.isBelieved(hello.address))) {
      return { kind: 'in', entrance: { opening: hello, session: null, token: null } };
    }
    await this.mayTry(hello.address);
    this.challenge = auth.challenge(hello.address, this.peer.host);
    this.until = this.challenge.deadline;
    this.hello = hello;
    const { nonce, expiresAt } = this.challenge;
    return { kind: 'challenge', frame: encodeFrame({ type: 'challenge', nonce, expiresAt }) };
  }

  private async answer(hello: Hello, frame: Opening): Promise<Step> {
    const { challenge } = this;
    // Whatever comes of it, the question is answered once.
    this.challenge = null;
    if (challenge === null || frame.type !== 'auth' || frame.proof === null) throw new RelayError('auth_required');
    const { token, session } = await this.prove(challenge, frame.address, frame.proof, hello.deviceId);
    return { kind: 'in', entrance: { opening: hello, session, token } };
  }

  private async prove(challenge: Challenge, address: Address, proof: Proof, device: string) {
    await this.mayTry(address);
    try {
      if (address !== challenge.address) throw new RelayError('auth_failed', 'Another address was asked');
      return await this.parts.auth.prove(challenge, proof, device);
    } catch (error) {
      // Where the count cannot be stored, the next attempt is refused for that.
      if (error instanceof RelayError && error.code === 'auth_failed') {
        this.parts.limits.failed(this.peer.network, address).catch(() => undefined);
      }
      throw error;
    }
  }

  private async mayTry(address: Address): Promise<void> {
    const retryAfterMs = await this.parts.limits.mayTry(this.peer.network, address);
    if (retryAfterMs > 0) throw new RelayError('rate_limited', 'Too many failed sign-ins', { retryAfterMs });
  }
}
