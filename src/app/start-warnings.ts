import type { Logger } from '../common/logger.js';
import type { Settings } from '../common/settings.js';

/** What an operator may not have meant. */
export function warnOfSettings(settings: Settings, logger: Logger): void {
  const { environment, authMode, browserSignIn, publicDomain, storage } = settings;
  if (authMode === 'open') logger.warn('AUTH_MODE=open: whoever claims an address that never signed in is believed');
  if (browserSignIn) {
    logger.warn(
      'BROWSER_SIGN_IN=true: whoever gets a person to confirm a link in their wallet can get a session of theirs',
    );
  }
  if (environment === 'production' && publicDomain === '') logger.warn('no PUBLIC_DOMAIN: nobody can sign in');
  if (storage === 'memory') logger.warn('STORAGE=memory: everything is forgotten when the relay stops');
}

/** Where it is, once somebody can come. */
export function sayListening(settings: Settings, logger: Logger, url: string): void {
  const { demo, storage, workerCount: workers } = settings;
  const more = { storage, ...(demo ? { demo: `${url}/demo` } : {}), ...(workers > 1 ? { workers } : {}) };
  logger.info('relay listening', { url, docs: `${url}/docs`, ...more });
}
