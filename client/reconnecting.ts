import { CLOSE_CODES, ERRORS, type WelcomeFrame } from '@relay/protocol';
import { Backoff, mayReconnect } from './backoff.js';
import { Connection, type Ending, type Opening } from './connection.js';
import type { IncomingFrame } from './decode.js';
import type { Environment } from './environment.js';
import { CLIENT_ERRORS, ClientError } from './errors.js';
import type { ClientEvents, State } from './events.js';

export interface ReconnectingHost {
  opening(): Opening;
  stateChanged(event: ClientEvents['state']): void;
  welcomed(welcome: WelcomeFrame): void;
  received(frame: IncomingFrame): void;
  /** The connection that was welcomed is gone. */
  lost(): void;
  seen(direction: 'in' | 'out', text: string): void;
  /** The relay ended the session itself: its token is worth nothing. */
  revoked(): void;
}

const RECONNECT = { firstMs: 500, maxMs: 30_000 };
/** A connection that lived so long was a good one, and the next failure is a new one. */
const STABLE_AFTER_MS = 10_000;
const SESSION_REVOKED = 4440;

/** One connection after the other, for as long as the relay's close codes say that another makes sense. */
export class Reconnecting {
  private connection: Connection | null = null;
  private isWelcomed = false;
  private current: State = 'stopped';
  private readonly backoff: Backoff;
  private cancelTimer: () => void = () => undefined;

  constructor(
    private readonly environment: Environment,
    private readonly host: ReconnectingHost,
  ) {
    this.backoff = new Backoff(environment.random, RECONNECT);
  }

  get state(): State {
    return this.current;
  }

  get isSignedIn(): boolean {
    return this.isWelcomed;
  }

  start(): void {
    if (this.current === 'stopped') this.connect();
  }

  /** Ends a wait. */
  wake(): void {
    if (this.current === 'waiting') this.connect();
  }

  /** False where the relay has not let us in. */
  send(frame: object): boolean {
    if (!this.isWelcomed) return false;
    this.connection!.send(frame);
    return true;
  }

  synced(): void {
    if (this.current === 'syncing') this.change({ state: 'online' });
  }

  stop(error?: ClientError): void {
    if (this.current === 'stopped') return;
    this.forgetConnection()?.close();
    this.change({ state: 'stopped', ...(error === undefined ? {} : { error }) });
  }

  private connect(): void {
    this.cancelTimer();
    this.change({ state: 'connecting' });
    // What a connection says after another took its place is of no interest.
    const isCurrent = (): boolean => this.connection === connection;
    const connection: Connection = new Connection(this.host.opening(), this.environment, {
      welcomed: (welcome) => isCurrent() && this.welcomed(welcome),
      received: (frame) => isCurrent() && this.host.received(frame),
      seen: (direction, text) => this.host.seen(direction, text),
      ended: (ending) => isCurrent() && this.ended(ending),
    });
    this.connection = connection;
  }

  private welcomed(welcome: WelcomeFrame): void {
    this.isWelcomed = true;
    this.cancelTimer = this.environment.clock.after(STABLE_AFTER_MS, () => this.backoff.reset());
    this.change({ state: 'syncing' });
    this.host.welcomed(welcome);
  }

  private ended(ending: Ending): void {
    const { isWelcomed } = this;
    this.forgetConnection();
    if (ending.code === SESSION_REVOKED) this.host.revoked();
    const isFinal = ending.ownError !== null || !mayReconnect(ending.code, ending.relayError?.code ?? null);
    if (isFinal) return this.change({ state: 'stopped', error: ending.ownError ?? errorOf(ending) });
    // The relay spreads its own clients: what it asks for is waited, and no more.
    const retryInMs = ending.waitMs ?? this.backoff.nextMs();
    this.change({ state: 'waiting', retryInMs, error: passingErrorOf(ending, isWelcomed) });
    this.cancelTimer = this.environment.clock.after(retryInMs, () => this.connect());
  }

  private forgetConnection(): Connection | null {
    const { connection, isWelcomed } = this;
    this.cancelTimer();
    this.connection = null;
    this.isWelcomed = false;
    if (isWelcomed) this.host.lost();
    return connection;
  }

  private change(event: ClientEvents['state']): void {
    this.current = event.state;
    this.host.stateChanged(event);
  }
}

function errorOf({ code, reason, relayError }: Ending): ClientError {
  if (code === SESSION_REVOKED) return new ClientError('session_ended');
  const message = `The relay ended the connection: ${code}${reason === '' ? '' : ` ${reason}`}`;
  if (relayError !== null) return new ClientError(relayError.code, { message: relayError.message });
  return new ClientError('ended', { message });
}

/** Why another attempt is needed: what people are shown who wait. */
function passingErrorOf({ code, reason, relayError, cause }: Ending, wasWelcomed: boolean): ClientError {
  if (relayError !== null && ERRORS[relayError.code].closeCode === code) {
    return new ClientError(relayError.code, { message: relayError.message, cause });
  }
  const own = wasWelcomed ? 'lost' : 'unreachable';
  const known: Readonly<Record<number, { readonly reason: string }>> = CLOSE_CODES;
  const details = [wordsOf(cause), reason, known[code]?.reason].find((text) => text !== undefined && text !== '');
  return new ClientError(own, { message: details && `${CLIENT_ERRORS[own]}: ${details}`, cause });
}

/** Of what a socket threw: where nobody listens on either address of localhost, Node's error has a code and no text. */
function wordsOf(cause: unknown): string | undefined {
  const { code, message } = Object(cause) as { readonly code?: unknown; readonly message?: unknown };
  return [message, code].find((text): text is string => typeof text === 'string' && text !== '');
}
