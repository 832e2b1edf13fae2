// @ts-check
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));

/** What `package.json` exports, by the name of the built file. */
export const ENTRY_POINTS = {
  index: join(HERE, 'index.ts'),
  node: join(HERE, 'node.ts'),
  identity: join(HERE, 'identity.ts'),
  encryption: join(HERE, 'encryption/index.ts'),
};

/** @type {import('esbuild').BuildOptions} */
export const OPTIONS = {
  absWorkingDir: HERE,
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  target: 'es2022',
  legalComments: 'none',
  logLevel: 'warning',
  alias: { '@relay/protocol': join(HERE, '../protocol/index.ts') },
  external: ['@noble/*', 'node:*', 'ws'],
};
