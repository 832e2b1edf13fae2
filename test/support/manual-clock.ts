import { Clock } from '../../src/common/clock.js';

/** Stands still until it is moved. Begins later than any real clock: a store never goes back. */
export class ManualClock extends Clock {
  private passedMs = 0;
  private wallOffsetMs = 0;

  constructor(private readonly startMs = Date.UTC(2100, 0, 1)) {
    super();
  }

  override now(): number {
    return this.startMs + this.passedMs + this.wallOffsetMs;
  }

  override monotonic(): number {
    return this.passedMs;
  }

  /** Time passes. */
  advance(ms: number): void {
    this.passedMs += ms;
  }

  /** Somebody sets the wall clock; no time passes. */
  jump(ms: number): void {
    this.wallOffsetMs += ms;
  }
}
