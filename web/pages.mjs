// @ts-check
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const CLIENT = join(HERE, '../client');

/** Each folder here that has an index.html. */
export const PAGES = readdirSync(HERE, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(HERE, entry.name, 'index.html')))
  .map(({ name }) => name);

/**
 * How a page is built: on its own, so that each can be served or not; from the sources of the client, not from its build.
 * Nothing is inlined: the relay's policy for scripts and styles allows files only.
 *
 * @param {string} page
 * @returns {import('vite').InlineConfig}
 */
export function configOf(page) {
  return {
    configFile: false,
    root: join(HERE, page),
    base: `/${page}/`,
    publicDir: false,
    logLevel: 'warn',
    resolve: {
      alias: [
        { find: /^@relay\/protocol$/, replacement: join(HERE, '../protocol/index.ts') },
        { find: /^@relay\/client$/, replacement: join(CLIENT, 'index.ts') },
        { find: /^@relay\/client\/identity$/, replacement: join(CLIENT, 'identity.ts') },
        { find: /^@relay\/client\/encryption$/, replacement: join(CLIENT, 'encryption/index.ts') },
      ],
    },
    build: {
      outDir: join(HERE, '../dist/web', page),
      emptyOutDir: true,
      target: 'es2022',
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
  };
}
