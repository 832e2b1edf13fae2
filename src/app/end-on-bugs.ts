import type { Logger } from '../common/logger.js';

/** What nobody caught is logged once, and ends this process with 1. */
export function endOnBugs(logger: Logger): void {
  const end = (error: unknown): void => {
    logger.error('fatal', error);
    process.exit(1);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}
