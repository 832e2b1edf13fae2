// Writes `.env.example` and the settings table in README.md from the built settings.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { renderEnvExample, withTable } from './render-settings.mjs';

const root = new URL('../', import.meta.url);
const settings = new URL('dist/common/settings.js', root);
if (!existsSync(settings)) {
  console.error('dist/ is missing: run `npm run build` first');
  process.exit(1);
}

// Declaring the settings is what fills the rows.
await import(settings.href);
/** @type {unknown} */
const decorator = await import(new URL('dist/common/setting.decorator.js', root).href);
const { SETTING_ROWS } = /** @type {{ SETTING_ROWS: readonly import('./render-settings.mjs').Row[] }} */ (decorator);

const readme = new URL('README.md', root);
writeFileSync(new URL('.env.example', root), renderEnvExample(SETTING_ROWS));
writeFileSync(readme, withTable(readFileSync(readme, 'utf8'), SETTING_ROWS));
console.log(`.env.example and README.md: ${SETTING_ROWS.length} settings`);
