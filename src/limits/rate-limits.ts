/** What became of one attempt; times in ms, whole. */
export interface Taken {
  readonly isAllowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Until the window ends. */
  readonly resetMs: number;
}

export interface RateLimit {
  /** Names it among all limits; part of the keys in Redis. */
  readonly name: string;
  readonly points: number;
  /** Whole seconds. */
  readonly windowMs: number;
  /** Where the store is away: refuse with `store_unavailable`, or count in this process alone. */
  readonly whenDown: 'closed' | 'local';
  /** Whether some of it is given back: then nobody is refused from memory, where that is not seen. */
  readonly isReturned?: boolean;
}

/** Counts attempts by key in a window that begins with the first one. The same for all nodes. */
export abstract class RateLimiter {
  /** Takes `points` (1), even where that is refused. Rejects with `RelayError('store_unavailable')` where it is closed. */
  abstract take(key: string, points?: number): Promise<Taken>;

  /** Undoes a `take` of `points` (1), unless its window is over. */
  abstract giveBack(key: string, points?: number): Promise<void>;

  /** As `take`, without taking anything. */
  abstract look(key: string): Promise<Taken>;
}

/** Makes limiters; one for each process and each limit. */
export abstract class RateLimits {
  abstract limiter(limit: RateLimit): RateLimiter;
}
