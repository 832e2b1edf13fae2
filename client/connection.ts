import { type Address, type ErrorCode, LIMITS, type WelcomeFrame } from '@relay/protocol';
import { decodeServerFrame, type IncomingFrame } from './decode.js';
import type { Environment, Socket, SocketEvent } from './environment.js';
import { asClientError, ClientError, isRelayCode } from './errors.js';
import { checkNonce, type Identity } from './sign-in.js';

export interface Opening {
  readonly url: string;
  readonly address: Address;
  readonly deviceId: string;
  /** What nonces must name. */
  readonly domain: string;
  readonly token: string | null;
  /** `null`: the relay is asked to believe the address. */
  readonly identity: Identity | null;
  /** Entries that may be unacknowledged at a time. */
  readonly window: number;
}

/** An `error` frame, in the relay's words: they say more than the table does. */
export interface RelayFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface Ending {
  /** Of the close frame; 1006 where there was none. */
  readonly code: number;
  readonly reason: string;
  /** The last failure of the relay's before the end that was not about a message. */
  readonly relayError: RelayFailure | null;
  /** Where it was this side that gave up for good. */
  readonly ownError: ClientError | null;
  /** What the relay asked to wait. */
  readonly waitMs: number | null;
  /** What the socket told, where it told anything. */
  readonly cause: unknown;
}

export interface ConnectionListener {
  welcomed(welcome: WelcomeFrame): void;
  /** After the welcome, in order. */
  received(frame: IncomingFrame): void;
  /** Every frame of either direction, as it is on the wire. */
  seen(direction: 'in' | 'out', text: string): void;
  /** Once, and nothing comes after it. */
  ended(ending: Ending): void;
}

/** A relay that takes longer to let somebody in is tried again; a person who signs has as long as the challenge lasts. */
const SIGN_IN_WITHIN_MS = 15_000;
const NORMAL_CLOSURE = 1000;
const NO_CLOSE_FRAME = 1006;
/** What the developer of a client can do where the relay has no name that the identity could sign. */
const WITHOUT_PROOF =
  'A client that gives `address` in place of `identity` is let in without a proof where the relay has AUTH_MODE=open';

/** One WebSocket, from its opening to its end. */
export class Connection {
  private readonly socket: Socket;
  private isWelcomed = false;
  private hasEnded = false;
  private relayError: RelayFailure | null = null;
  private waitMs: number | null = null;
  private cause: unknown;
  private stopTimer: () => void;

  constructor(
    private readonly opening: Opening,
    private readonly environment: Environment,
    private readonly listener: ConnectionListener,
  ) {
    this.socket = new environment.WebSocket(opening.url);
    this.stopTimer = environment.clock.after(SIGN_IN_WITHIN_MS, () => this.giveUp('no sign-in in time'));
    this.socket.addEventListener('open', () => this.hello());
    this.socket.addEventListener('message', ({ data }) => this.receive(data));
    this.socket.addEventListener('close', (event) => this.end(closeOf(event)));
    // A close follows; without a listener `ws` would throw.
    this.socket.addEventListener('error', ({ error }) => (this.cause = error));
  }

  send(frame: object): void {
    if (this.hasEnded) return;
    const text = JSON.stringify(frame);
    this.listener.seen('out', text);
    this.socket.send(text);
  }

  /** Without waiting for the other side, which may be gone. */
  close(ownError: ClientError | null = null): void {
    this.end({ code: NORMAL_CLOSURE, reason: '', ownError });
  }

  /** As if the link had broken: to be tried again. */
  giveUp(reason: string): void {
    this.end({ code: NO_CLOSE_FRAME, reason, ownError: null });
  }

  private hello(): void {
    const { address, deviceId, token, identity, window } = this.opening;
    const isProven = identity !== null;
    const optional = { ...(token === null ? {} : { token }), ...(isProven ? { challenge: true } : {}) };
    this.send({ type: 'hello', v: 2, address, deviceId, window, ...optional });
  }

  private receive(data: unknown): void {
    if (this.hasEnded) return;
    if (typeof data === 'string') this.listener.seen('in', data);
    const frame = decodeServerFrame(data);
    if (this.isWelcomed) this.watch();
    if (frame === null) return;
    if (frame.type === 'error') this.noteError(frame);
    if (frame.type === 'going_away') this.waitMs = frame.reconnectAfterMs;
    if (frame.type === 'challenge') void this.answer(frame.nonce, frame.expiresAt);
    else if (frame.type === 'auth_success') this.welcome(frame as WelcomeFrame);
    else if (frame.type !== 'pong') this.listener.received(frame);
  }

  private noteError({ code, message, messageId, retryAfterMs }: IncomingFrame & { readonly type: 'error' }): void {
    if (messageId !== undefined) return;
    const isOfProof = code === 'unsupported' && !this.isWelcomed && this.opening.identity !== null;
    const text = isOfProof ? `${message}. ${WITHOUT_PROOF}` : message;
    this.relayError = isRelayCode(code) ? { code, message: text } : null;
    this.waitMs = retryAfterMs ?? this.waitMs;
  }

  private async answer(nonce: string, expiresAt: number): Promise<void> {
    const { identity, address, domain } = this.opening;
    const { clock } = this.environment;
    try {
      if (identity === null) throw new ClientError('auth_required');
      checkNonce(nonce, { domain, address, now: clock.now() });
      this.stopTimer();
      const patienceMs = Math.max(SIGN_IN_WITHIN_MS, expiresAt - clock.now());
      this.stopTimer = clock.after(patienceMs, () => this.giveUp('no sign-in in time'));
      const { scheme, signature } = await identity.sign(nonce);
      this.send({ type: 'auth', address, scheme, signature });
    } catch (error) {
      this.close(asClientError('sign_in_failed', error));
    }
  }

  private welcome(frame: WelcomeFrame): void {
    if (this.isWelcomed) return;
    this.isWelcomed = true;
    this.watch();
    this.listener.welcomed(frame);
  }

  /** Anything that comes is a sign of life; after a silence one is asked for, since browsers show no protocol pings. */
  private watch(): void {
    const { clock } = this.environment;
    this.stopTimer();
    this.stopTimer = clock.after(LIMITS.pingAfterMs, () => {
      this.stopTimer = clock.after(LIMITS.pongWithinMs, () => this.giveUp('no sign of life'));
      this.send({ type: 'ping' });
    });
  }

  private end({ code, reason, ownError }: Pick<Ending, 'code' | 'reason' | 'ownError'>): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.stopTimer();
    const { relayError, waitMs, cause } = this;
    // Does nothing to one that is closed already.
    this.socket.close(NORMAL_CLOSURE);
    this.listener.ended({ code, reason, relayError, ownError, waitMs, cause });
  }
}

function closeOf({ code = NO_CLOSE_FRAME, reason = '' }: SocketEvent): Pick<Ending, 'code' | 'reason' | 'ownError'> {
  return { code, reason, ownError: null };
}
