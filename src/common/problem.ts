import { ERRORS, type ErrorCode } from '@relay/protocol';
import { STATUS_CODES } from 'node:http';

/** Problem details (RFC 9457) with our `code`, and the `error` member that the first relay's clients read. */
export interface Problem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly error: string;
  readonly retryable: boolean;
  readonly errors?: readonly FieldError[];
}

export interface FieldError {
  readonly field: string;
  readonly message: string;
}

export function problem(status: number, code: ErrorCode, detail: string, errors?: readonly FieldError[]): Problem {
  const { retryable } = ERRORS[code];
  const title = STATUS_CODES[status] ?? 'Error';
  const base = { type: 'about:blank', title, status, detail, code, error: detail, retryable } as const;
  return errors === undefined ? base : { ...base, errors };
}

/** A request that is well-formed and wrong, with what is wrong about it. */
export class InvalidRequest extends Error {
  constructor(readonly errors: readonly FieldError[]) {
    super('invalid request');
  }
}
