/** What ends a connection: why, and whether a client should connect again as it is (with jitter). */
export const CLOSE_CODES = {
  1000: { reason: 'normal closure', reconnect: false },
  1001: { reason: 'going away', reconnect: true },
  1002: { reason: 'protocol error', reconnect: false },
  1003: { reason: 'binary frames are not accepted', reconnect: false },
  1007: { reason: 'invalid UTF-8', reconnect: false },
  1008: { reason: 'too many fragments', reconnect: false },
  1009: { reason: 'frame too large', reconnect: false },
  1011: { reason: 'internal error', reconnect: true },
  1012: { reason: 'service restart', reconnect: true },
  1013: { reason: 'overloaded, try again later', reconnect: true },
  4400: { reason: 'too many bad messages', reconnect: false },
  4401: { reason: 'not authenticated', reconnect: false },
  4403: { reason: 'forbidden', reconnect: false },
  4408: { reason: 'authentication timeout', reconnect: true },
  4409: { reason: 'replaced by a newer connection of this device', reconnect: false },
  4413: { reason: 'too slow: entries stayed unacknowledged', reconnect: true },
  4429: { reason: 'flooding', reconnect: true },
  4440: { reason: 'session revoked or expired', reconnect: false },
} as const satisfies Record<number, { reason: string; reconnect: boolean }>;

export type CloseCode = keyof typeof CLOSE_CODES;

interface Failure {
  readonly httpStatus: number;
  /** Set where this failure also ends the connection. */
  readonly closeCode: CloseCode | null;
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean;
  /** Shown to people by the first relay's clients, so plain words. */
  readonly text: string;
}

/** Every failure a client can hear of, over WebSocket and REST alike. Append only: codes are part of the protocol. */
export const ERRORS = {
  bad_message: { httpStatus: 400, closeCode: null, retryable: false, text: 'Invalid message format' },
  unsupported: { httpStatus: 415, closeCode: null, retryable: false, text: 'Not supported by this relay' },
  auth_required: { httpStatus: 401, closeCode: 4401, retryable: false, text: 'Authentication required' },
  auth_failed: { httpStatus: 401, closeCode: 4401, retryable: false, text: 'Authentication failed' },
  challenge_expired: { httpStatus: 401, closeCode: 4401, retryable: true, text: 'The challenge has expired' },
  downgrade_refused: { httpStatus: 403, closeCode: 4403, retryable: false, text: 'This address requires sign-in' },
  forbidden: { httpStatus: 403, closeCode: null, retryable: false, text: 'Not allowed' },
  too_large: { httpStatus: 413, closeCode: null, retryable: false, text: 'Too large' },
  rate_limited: { httpStatus: 429, closeCode: null, retryable: true, text: 'Too many requests' },
  mailbox_full: { httpStatus: 507, closeCode: null, retryable: true, text: "The recipient's mailbox is full" },
  sender_share_full: {
    httpStatus: 507,
    closeCode: null,
    retryable: true,
    text: "Your share of the recipient's mailbox is full",
  },
  id_conflict: {
    httpStatus: 409,
    closeCode: null,
    retryable: false,
    text: 'This messageId was used for another message',
  },
  ack_ahead: { httpStatus: 409, closeCode: null, retryable: false, text: 'Acknowledged beyond what was sent' },
  recipient_offline: { httpStatus: 404, closeCode: null, retryable: true, text: 'The recipient is not connected' },
  store_unavailable: { httpStatus: 503, closeCode: null, retryable: true, text: 'Storage is unavailable' },
  unavailable: { httpStatus: 503, closeCode: 1013, retryable: true, text: 'The relay is restarting or overloaded' },
  stranger_share_full: {
    httpStatus: 507,
    closeCode: null,
    retryable: true,
    text: 'The recipient does not know you, and enough messages of strangers wait already',
  },
  not_found: { httpStatus: 404, closeCode: null, retryable: false, text: 'Not found' },
  internal: { httpStatus: 500, closeCode: null, retryable: true, text: 'Failed to process message' },
} as const satisfies Record<string, Failure>;

export type ErrorCode = keyof typeof ERRORS;

/** A failure that a client should hear of. Anything else that is thrown is a bug. */
export class RelayError extends Error {
  override readonly name = 'RelayError';

  constructor(
    readonly code: ErrorCode,
    /** Replaces the table's text where more can be said. Never contains content or library text. */
    message?: string,
    readonly details: { readonly retryAfterMs?: number } = {},
  ) {
    super(message ?? ERRORS[code].text);
  }
}
