const MAX_WAITING = 16;

/** Work of one connection whose result takes memory until its client has read it: one at a time, and none while it may not. */
export class OneAtATime {
  private readonly waiting: (() => Promise<void>)[] = [];
  private isRunning = false;

  constructor(private readonly mayRun: () => boolean) {}

  /** `work` never rejects. False where too much waits already. */
  add(work: () => Promise<void>): boolean {
    if (this.waiting.length >= MAX_WAITING) return false;
    this.waiting.push(work);
    this.runNext();
    return true;
  }

  /** Call it also when what `mayRun` says may have changed. */
  runNext(): void {
    if (this.isRunning || this.waiting.length === 0 || !this.mayRun()) return;
    this.isRunning = true;
    void this.waiting.shift()!().finally(() => {
      this.isRunning = false;
      this.runNext();
    });
  }
}
