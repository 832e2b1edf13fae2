import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { createApp } from './app/create-app.js';
import { listen } from './app/listen.js';
import { readSettings } from './app/read-settings.js';
import { stopping } from './app/stopping.js';
import { addressNames } from './common/address-names.js';
import { SystemClock } from './common/clock.js';
import { SettingsError } from './common/load-settings.js';
import { Logger } from './common/logger.js';
import type { Settings } from './common/settings.js';
import { EXIT_CONFIGURATION, StartError } from './common/start-error.js';

async function start(settings: Settings): Promise<void> {
  const { environment, logLevel, authMode, browserSignIn, publicDomain, storage, drainSeconds } = settings;
  const addressName = addressNames(settings, randomBytes);
  const logger = Logger.create({ level: logLevel, json: environment === 'production', addressName });
  const app = await createApp({ settings, clock: new SystemClock(), logger });
  process.on('uncaughtException', (error) => fatal(logger, error));
  process.on('unhandledRejection', (error) => fatal(logger, error));
  const stop = stopping({
    logger,
    drainSeconds,
    close: () => app.close(),
    exit: (code) => process.exit(code),
    after: (delayMs, run) => void setTimeout(run, delayMs).unref(),
  });
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);

  if (authMode === 'open') logger.warn('AUTH_MODE=open: whoever claims an address that never signed in is believed');
  if (browserSignIn) {
    logger.warn(
      'BROWSER_SIGN_IN=true: whoever gets a person to confirm a link in their wallet can get a session of theirs',
    );
  }
  if (environment === 'production' && publicDomain === '') logger.warn('no PUBLIC_DOMAIN: nobody can sign in');
  if (storage === 'memory') logger.warn('STORAGE=memory: everything is forgotten when the relay stops');
  const url = await listen(app, settings);
  logger.info('relay listening', { url, docs: `${url}/docs`, ...(settings.demo ? { demo: `${url}/demo` } : {}) });
}

function fatal(logger: Logger, error: unknown): void {
  logger.error('fatal', error);
  process.exit(1);
}

try {
  await start(await readSettings());
} catch (error) {
  if (!(error instanceof SettingsError || error instanceof StartError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(error instanceof StartError ? error.exitCode : EXIT_CONFIGURATION);
}
