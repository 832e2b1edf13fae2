import { randomBytes } from 'node:crypto';
import { addressNames } from '../common/address-names.js';
import { SystemClock } from '../common/clock.js';
import { Logger } from '../common/logger.js';
import type { Settings } from '../common/settings.js';
import { createApp } from './create-app.js';
import { endOnBugs } from './end-on-bugs.js';
import { listen } from './listen.js';
import { sayListening, warnOfSettings } from './start-warnings.js';
import { stopping } from './stopping.js';

/** The whole relay in this process; resolves once it listens. Rejects with `StartError`. */
export async function runAlone(settings: Settings): Promise<void> {
  const { environment, logLevel, drainSeconds } = settings;
  const addressName = addressNames(settings, randomBytes);
  const logger = Logger.create({ level: logLevel, json: environment === 'production', addressName });
  const app = await createApp({ settings, clock: new SystemClock(), logger });
  endOnBugs(logger);
  const stop = stopping({
    logger,
    drainSeconds,
    close: () => app.close(),
    exit: (code) => process.exit(code),
    after: (delayMs, run) => void setTimeout(run, delayMs).unref(),
  });
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  warnOfSettings(settings, logger);
  sayListening(settings, logger, await listen(app, settings));
}
