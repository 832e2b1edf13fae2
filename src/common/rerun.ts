/** Work that is done once at a time. Whoever asks while it runs gets it done once more after that: what runs may have begun too early. */
export class Rerun {
  private running: Promise<void> | null = null;
  private mustRunAgain = false;

  constructor(private readonly work: () => Promise<void>) {}

  /** Resolves when the work has been done as of the call. Rejects as it does. */
  run(): Promise<void> {
    if (this.running !== null) {
      this.mustRunAgain = true;
      return this.running;
    }
    this.running = this.runAll().finally(() => (this.running = null));
    return this.running;
  }

  private async runAll(): Promise<void> {
    do {
      this.mustRunAgain = false;
      await this.work();
    } while (this.mustRunAgain);
  }
}
