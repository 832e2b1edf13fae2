/** Where time comes from, so that tests can move it. */
export abstract class Clock {
  /** Wall time, integer ms since 1970. May jump; only for what people and other machines read. */
  abstract now(): number;

  /** Milliseconds that only ever pass, whatever happens to the wall clock. For timeouts and expiry in this process. */
  abstract monotonic(): number;
}

export class SystemClock extends Clock {
  override now(): number {
    return Date.now();
  }

  override monotonic(): number {
    return performance.now();
  }
}
