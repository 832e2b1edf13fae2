import 'reflect-metadata';
import { createApp } from './app/create-app.js';
import { readSettings } from './app/read-settings.js';
import { SystemClock } from './common/clock.js';
import { SettingsError } from './common/load-settings.js';
import { Logger } from './common/logger.js';
import type { Settings } from './common/settings.js';
import { EXIT_CONFIGURATION, EXIT_UNAVAILABLE, StartError } from './common/start-error.js';

/** Beyond the drain; longer than everything in it takes. */
const LAST_RESORT_SECONDS = 15;

async function start(settings: Settings): Promise<void> {
  const { environment, logLevel, host, port, authMode, browserSignIn, publicDomain, storage, drainSeconds } = settings;
  const logger = Logger.create({ level: logLevel, json: environment === 'production' });
  const app = await createApp({ settings, clock: new SystemClock(), logger });
  process.on('uncaughtException', (error) => fatal(logger, error));
  process.on('unhandledRejection', (error) => fatal(logger, error));
  let isStopping = false;
  const stop = (signal: string): void => {
    if (isStopping) {
      logger.warn('stopped at once', { signal });
      process.exit(1);
    }
    isStopping = true;
    logger.info('stopping', { signal });
    setTimeout(
      () => fatal(logger, new Error('the drain did not end')),
      (drainSeconds + LAST_RESORT_SECONDS) * 1000,
    ).unref();
    app.close().then(
      () => process.exit(0),
      (error: unknown) => fatal(logger, error),
    );
  };
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
  try {
    await app.listen(port, host);
  } catch (error) {
    if (error instanceof StartError) throw error;
    logger.error('cannot listen', error, { host, port });
    process.exit(EXIT_UNAVAILABLE);
  }
  logger.info('relay listening', { url: await app.getUrl(), docs: `${await app.getUrl()}/docs` });
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
