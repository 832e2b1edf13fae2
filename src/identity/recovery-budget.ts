import { type Address, type Proof, RelayError } from '@relay/protocol';
import { recoverAddress } from './signature.js';

/** Of one turn of the event loop. One recovery may always run. */
const BUDGET_MS = 4;
/** About a second of work; whoever comes later is better served by trying again. */
const MAX_WAITING = 2_000;
const RETRY_AFTER_MS = 2_000;

interface Waiting {
  readonly text: string;
  readonly proof: Proof;
  readonly resolve: (address: Address | null) => void;
  readonly reject: (error: unknown) => void;
}

export interface RecoveryBudgetOptions {
  readonly recover?: typeof recoverAddress;
  /** Monotonic ms. */
  readonly now?: () => number;
  /** Calls back in a later turn, after what came in meanwhile. */
  readonly nextTurn?: (run: () => void) => void;
  readonly maxWaiting?: number;
}

/**
 * Whose signature it is, a few milliseconds of work in each turn of the event loop: a flood of signatures makes those who
 * sign in wait, and nobody else. First come, first served.
 */
export class RecoveryBudget {
  private readonly waiting: Waiting[] = [];
  private isPlanned = false;
  private readonly recover: typeof recoverAddress;
  private readonly now: () => number;
  private readonly nextTurn: (run: () => void) => void;
  private readonly maxWaiting: number;

  constructor({ recover, now, nextTurn, maxWaiting }: RecoveryBudgetOptions = {}) {
    this.recover = recover ?? recoverAddress;
    this.now = now ?? (() => performance.now());
    this.nextTurn = nextTurn ?? ((run) => void setImmediate(run));
    this.maxWaiting = maxWaiting ?? MAX_WAITING;
  }

  /** As `recoverAddress`. Rejects with `RelayError('unavailable')` where too many wait. */
  addressOf(text: string, proof: Proof): Promise<Address | null> {
    if (this.waiting.length >= this.maxWaiting) {
      const details = { retryAfterMs: RETRY_AFTER_MS };
      return Promise.reject(new RelayError('unavailable', 'Too many sign-ins at once', details));
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ text, proof, resolve, reject });
      this.plan();
    });
  }

  private plan(): void {
    if (this.isPlanned) return;
    this.isPlanned = true;
    this.nextTurn(() => this.work());
  }

  private work(): void {
    this.isPlanned = false;
    const until = this.now() + BUDGET_MS;
    let done = 0;
    do {
      const next = this.waiting[done++];
      if (next === undefined) break;
      this.answer(next);
    } while (this.now() < until);
    this.waiting.splice(0, done);
    if (this.waiting.length > 0) this.plan();
  }

  private answer({ text, proof, resolve, reject }: Waiting): void {
    try {
      resolve(this.recover(text, proof));
    } catch (error) {
      reject(error);
    }
  }
}
