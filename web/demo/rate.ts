const SLOTS = 10;
const SLOT_MS = 100;

/** Events in the last second, counted in tenths of it. */
export class Rate {
  private readonly counts = new Array<number>(SLOTS).fill(0);
  private slot = 0;
  private highest = 0;

  /** @param now ms, of a clock that never goes back */
  constructor(private readonly now: () => number) {}

  add(): void {
    this.advance();
    this.counts[this.slot % SLOTS]!++;
    this.highest = Math.max(this.highest, this.sum());
  }

  get perSecond(): number {
    this.advance();
    return this.sum();
  }

  /** The most that one second ever had. */
  get peak(): number {
    return this.highest;
  }

  private sum(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  private advance(): void {
    const slot = Math.floor(this.now() / SLOT_MS);
    for (let passed = Math.min(slot - this.slot, SLOTS); passed > 0; passed--) {
      this.counts[(slot - passed + 1) % SLOTS] = 0;
    }
    this.slot = Math.max(this.slot, slot);
  }
}
