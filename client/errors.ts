import { ERRORS, type ErrorCode, type Outcome } from '@relay/protocol';

/** What goes wrong on this side. Append only, as the relay's own codes are. */
export const CLIENT_ERRORS = {
  closed: 'The client was closed',
  ended: 'The relay ended the connection for good',
  nonce_refused: 'The relay asked to sign something that it should not',
  sign_in_failed: 'The key could not sign',
  outbox_full: 'Too many messages wait to be sent',
  id_in_use: 'A message with this messageId waits to be sent to somebody else, or with another content',
  store_failed: 'The store could not write',
  store_damaged: 'The store holds something that it did not write',
  store_in_use: 'Another process has this store open',
  wrong_store: 'This store belongs to another address',
  handler_failed: 'The application did not take the message; it will be offered again',
  no_verdict: 'The relay did not say what became of the message; it is sent again',
  bad_answer: 'The relay answered what it should not',
  offline: 'Not connected',
  expired: 'Its time ended before anybody acknowledged it',
  key_unsigned: 'The key is not signed by its address',
  key_changed: 'The key is another than before, and was not accepted yet',
  key_rolled_back: 'The key is older than the one that was accepted',
  unreachable: 'The relay cannot be reached',
  lost: 'The connection ended; another is tried',
  session_ended: 'The session was ended or has expired; the next start proves the address anew',
} as const;

const PASSING: readonly string[] = ['offline', 'no_verdict', 'unreachable', 'lost'];

export type ClientErrorCode = ErrorCode | keyof typeof CLIENT_ERRORS;

export interface ClientErrorDetails {
  readonly message?: string | undefined;
  readonly messageId?: string | undefined;
  /** Of a send: whether it was surely not stored. */
  readonly outcome?: Outcome | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** Every failure that the client tells, whether the relay's (codes of its table) or its own. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly messageId: string | undefined;
  readonly outcome: Outcome | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly code: ClientErrorCode,
    details: ClientErrorDetails = {},
  ) {
    super(details.message ?? textOf(code), details.cause === undefined ? {} : { cause: details.cause });
    this.messageId = details.messageId;
    this.outcome = details.outcome;
    this.retryAfterMs = details.retryAfterMs;
  }

  /** Whether the same may succeed later, unchanged. */
  get isRetryable(): boolean {
    return isRelayCode(this.code) ? ERRORS[this.code].retryable : PASSING.includes(this.code);
  }
}

export function isRelayCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code);
}

/** What was thrown by somebody else, in our words. */
export function asClientError(code: ClientErrorCode, thrown: unknown): ClientError {
  return thrown instanceof ClientError ? thrown : new ClientError(code, { cause: thrown });
}

function textOf(code: ClientErrorCode): string {
  return isRelayCode(code) ? ERRORS[code].text : CLIENT_ERRORS[code];
}
