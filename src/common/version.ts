import { readFileSync } from 'node:fs';

/** Of the package; beside `dist` in the image, too. */
export const RELAY_VERSION: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
