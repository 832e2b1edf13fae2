import { CLOSE_CODES, ERRORS, type ErrorCode } from '@relay/protocol';
import type { Random } from './environment.js';

export interface BackoffBounds {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Full jitter: anything from nothing up to a bound that doubles, so that many who failed together do not come back together. */
export class Backoff {
  private attempt = 0;

  constructor(
    private readonly random: Random,
    private readonly bounds: BackoffBounds,
  ) {}

  nextMs(): number {
    const { firstMs, maxMs } = this.bounds;
    const boundMs = Math.min(maxMs, firstMs * 2 ** this.attempt);
    if (boundMs < maxMs) this.attempt++;
    return Math.round(this.random.fraction() * boundMs);
  }

  reset(): void {
    this.attempt = 0;
  }
}

/**
 * Whether to connect again as it is. The error that a close belongs to knows more than the code (a challenge that expired closes with
 * 4401 too). A code that the table does not know, and no code at all (1005, 1006), is a broken link.
 */
export function mayReconnect(closeCode: number, lastError: ErrorCode | null): boolean {
  if (lastError !== null && ERRORS[lastError].closeCode === closeCode) return ERRORS[lastError].retryable;
  const known: Readonly<Record<number, { readonly reconnect: boolean }>> = CLOSE_CODES;
  return known[closeCode]?.reconnect ?? true;
}
