import type { Logger } from '../common/logger.js';
import type { Metrics } from '../common/metrics.js';

export interface Job {
  readonly name: string;
  readonly everyMs: number;
  readonly run: () => void | Promise<void>;
}

/** What runs by itself. A job never overlaps itself, and one that fails is logged and runs again. */
export class Jobs {
  private readonly running = new Map<string, Promise<void>>();
  private isEnding = false;
  /** Whoever still runs is waited for no longer. */
  private isOver = false;

  constructor(
    readonly all: readonly Job[],
    private readonly logger: Logger,
    private readonly metrics: Metrics,
  ) {}

  /** Runs one now, unless it is running or all end. Never rejects. */
  async run(name: string): Promise<void> {
    const job = this.all.find((known) => known.name === name);
    if (job === undefined) throw new Error(`No job is called ${name}`);
    if (this.isEnding || this.running.has(name)) return;
    const run = this.attempt(job).finally(() => this.running.delete(name));
    this.running.set(name, run);
    await run;
  }

  /** None begins any more; resolves once those under way have ended, or after `withinMs`: what cuts one short after that is no failure. */
  async end(withinMs: number): Promise<void> {
    this.isEnding = true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, withinMs)));
    await Promise.race([Promise.all(this.running.values()), late]);
    clearTimeout(timer);
    this.isOver = true;
  }

  private async attempt({ name, run }: Job): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (this.isOver) return this.logger.debug('scheduled job cut short', { job: name });
      this.metrics.jobsFailed.add('failed');
      this.logger.error('scheduled job failed', error, { job: name });
    }
  }
}
