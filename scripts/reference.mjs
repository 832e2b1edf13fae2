// Writes docs/openapi.json and docs/asyncapi.json from the built relay.
import { writeFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);
/** What the compiler made of a file of src/. @param {string} file @returns {Promise<unknown>} */
const built = (file) => import(new URL(`dist/${file}`, root).href);

await import('reflect-metadata');
const { createApp } = /** @type {typeof import('../src/app/create-app.js')} */ (await built('app/create-app.js'));
const { openApiDocument } = /** @type {typeof import('../src/app/openapi.js')} */ (await built('app/openapi.js'));
const { loadSettings } = /** @type {typeof import('../src/common/load-settings.js')} */ (
  await built('common/load-settings.js')
);
const { SystemClock } = /** @type {typeof import('../src/common/clock.js')} */ (await built('common/clock.js'));
const { Logger } = /** @type {typeof import('../src/common/logger.js')} */ (await built('common/logger.js'));
const { asyncApiDocument } = /** @type {typeof import('../src/reference/asyncapi.js')} */ (
  await built('reference/asyncapi.js')
);

const logger = Logger.create({ level: 'silent', json: true });
const app = await createApp({ settings: loadSettings({}), clock: new SystemClock(), logger });
/** @param {string} name @param {unknown} document */
const write = (name, document) =>
  writeFileSync(new URL(`docs/${name}`, root), `${JSON.stringify(document, null, 2)}\n`);
write('openapi.json', openApiDocument(app));
write('asyncapi.json', asyncApiDocument());
await app.close();
console.log('docs/openapi.json, docs/asyncapi.json');
