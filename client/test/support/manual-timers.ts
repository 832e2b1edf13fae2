import type { Clock } from '../../environment.js';

interface Timer {
  readonly dueAt: number;
  readonly run: () => void;
}

/** Stands still until it is moved; then runs what is due, in order. */
export class ManualTimers implements Clock {
  private readonly timers = new Set<Timer>();

  constructor(private nowMs = Date.UTC(2100, 0, 1)) {}

  now(): number {
    return this.nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueAt: this.nowMs + delayMs, run };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  get size(): number {
    return this.timers.size;
  }

  /** What was promised meanwhile is kept before it returns. */
  async advance(ms: number): Promise<void> {
    const until = this.nowMs + ms;
    for (;;) {
      await settled();
      const due = [...this.timers].filter(({ dueAt }) => dueAt <= until).sort((a, b) => a.dueAt - b.dueAt)[0];
      if (due === undefined) break;
      this.timers.delete(due);
      this.nowMs = Math.max(this.nowMs, due.dueAt);
      due.run();
    }
    this.nowMs = until;
  }
}

/** Everything that needs no input and no timer has happened. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
