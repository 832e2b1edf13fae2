import type { ClientFrame } from '@relay/protocol';
import { encodeFrame, RelayError } from '@relay/protocol';
import type { AuthService, Challenge } from '../auth/auth.service.js';
import type { Session } from '../auth/session.repository.js';

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
  /** Asked once the device has its place in the mailbox: whether what let it in still does. */
  isStillIn(): Promise<boolean>;
  /** It got no place, and no session of it stays. Never rejects. */
  abandon(): Promise<void>;
}

export type Step =
  { readonly kind: 'in'; readonly entrance: Entrance } | { readonly kind: 'challenge'; readonly frame: string };

/** What stands between the first frame of one socket and its place in the relay. */
export class SignIn {
  private hello: Hello | null = null;
  private challenge: Challenge | null = null;
  /** Of the challenge, also while its answer is looked at. */
  private until: number | null = null;

  constructor(
    private readonly auth: AuthService,
    private readonly peer: Peer,
  ) {}

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
    await this.auth.believe(frame.address);
    return this.in(frame, null);
  }

  private async opened(hello: Hello): Promise<Step> {
    const { auth, peer } = this;
    if (hello.token !== null) {
      const session = await auth.session(hello.token);
      if (session?.address === hello.address && session.device === hello.deviceId) {
        return this.in(hello, session);
      }
    } else if (!hello.challenge && (await auth.isBelieved(hello.address))) {
      return this.in(hello, null);
    }
    this.challenge = await auth.ask(hello.address, peer.network, peer.host);
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
    const { address, proof } = frame;
    const answer = { address, proof, device: hello.deviceId };
    const { token, session } = await this.auth.prove(challenge, answer, this.peer.network);
    return this.in(hello, session, token);
  }

  private in(opening: Opening, session: Session | null, token: string | null = null): Step {
    const { auth } = this;
    const entrance: Entrance = {
      opening,
      session,
      token,
      // Who is believed is looked at by address: the first proof of it ends them all.
      isStillIn: async () => session === null || (await auth.isStillIn(session)),
      abandon: async () => {
        if (session !== null && token !== null) await auth.discard(session);
      },
    };
    return { kind: 'in', entrance };
  }
}
