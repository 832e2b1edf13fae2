import type { Logger } from '../common/logger.js';
import { EXIT_DRAIN_TIMEOUT } from '../common/start-error.js';

/** Beyond the drain; longer than everything in it takes. */
export const LAST_RESORT_SECONDS = 15;

export interface StoppingOptions {
  readonly logger: Logger;
  readonly drainSeconds: number;
  /** Drains, then ends everything. Resolves with the exit code; nothing is 0. */
  readonly close: () => Promise<number | void>;
  readonly exit: (code: number) => void;
  /** Runs it once, after so long; does not keep the process alive. */
  readonly after: (delayMs: number, run: () => void) => void;
}

/** What a signal does: the first drains and exits 0, or 75 where that does not end in time; a second one ends at once with 1. */
export function stopping({ logger, drainSeconds, close, exit, after }: StoppingOptions): (signal: string) => void {
  let isStopping = false;
  return (signal) => {
    if (isStopping) {
      logger.warn('stopped at once', { signal });
      return exit(1);
    }
    isStopping = true;
    logger.info('stopping', { signal });
    after((drainSeconds + LAST_RESORT_SECONDS) * 1000, () => {
      logger.error('the drain did not end in time');
      exit(EXIT_DRAIN_TIMEOUT);
    });
    close().then(
      (code) => exit(code ?? 0),
      (error: unknown) => {
        logger.error('fatal', error);
        exit(1);
      },
    );
  };
}
