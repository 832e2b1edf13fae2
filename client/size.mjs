// @ts-check
/** What an entry point costs in a browser: bundled with all it needs, minified, gzipped. Exit 1 beyond the bound. */
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { ENTRY_POINTS, OPTIONS } from './bundle.mjs';

const KIB = 1024;
/** @type {readonly { name: keyof typeof ENTRY_POINTS, maxBytes: number | null }[]} */
const BOUNDS = [
  { name: 'index', maxBytes: 30_000 },
  { name: 'identity', maxBytes: null },
  { name: 'encryption', maxBytes: null },
];

for (const { name, maxBytes } of BOUNDS) {
  const { outputFiles } = await build({
    ...OPTIONS,
    entryPoints: [ENTRY_POINTS[name]],
    external: [],
    platform: 'browser',
    minify: true,
    write: false,
  });
  const bytes = gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length;
  const isTooLarge = maxBytes !== null && bytes > maxBytes;
  const bound = maxBytes === null ? '' : `, at most ${maxBytes}${isTooLarge ? ': TOO LARGE' : ''}`;
  console.log(`${name}: ${bytes} bytes gzipped (${(bytes / KIB).toFixed(1)} KiB)${bound}`);
  if (isTooLarge) process.exitCode = 1;
}
