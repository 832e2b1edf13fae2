/** Keeps those apart who try keys that they do not have. Tokens are not counted: nobody guesses 256 bits. */
export abstract class SignInLimits {
  /** How long that network must wait before it may try, in ms; 0: not at all. */
  abstract mayTry(network: string): Promise<number>;

  /** A proof from there was wrong. */
  abstract failed(network: string): void;
}

const WINDOW_MS = 60_000;
/** Of wrong proofs, by network and window: a wallet that fails is tried a few times, a whole office has some of them. */
const MAX_FAILED = 30;

/** What one node sees. Forgets everything at the end of a window, and so holds no more than came within one. */
export class LocalSignInLimits extends SignInLimits {
  private readonly failures = new Map<string, number>();
  private windowEndsAt = 0;

  constructor(
    private readonly clock: { monotonic(): number },
    private readonly maxFailed = MAX_FAILED,
  ) {
    super();
  }

  override mayTry(network: string): Promise<number> {
    const now = this.roll();
    const isOver = (this.failures.get(network) ?? 0) >= this.maxFailed;
    return Promise.resolve(isOver ? Math.ceil(this.windowEndsAt - now) : 0);
  }

  override failed(network: string): void {
    this.roll();
    this.failures.set(network, (this.failures.get(network) ?? 0) + 1);
  }

  private roll(): number {
    const now = this.clock.monotonic();
    if (now < this.windowEndsAt) return now;
    this.failures.clear();
    this.windowEndsAt = now + WINDOW_MS;
    return now;
  }
}
