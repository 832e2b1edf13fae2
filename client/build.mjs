// @ts-check
/**
 * Writes dist/: one ES module per entry point, chunks that they share, and declarations. The protocol is compiled in, since the package is
 * installed where there is no other; the cryptography and `ws` stay dependencies.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { ENTRY_POINTS, OPTIONS } from './bundle.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const DIST = join(HERE, 'dist');
const TYPES = join(DIST, 'types');

rmSync(DIST, { recursive: true, force: true });
await build({ ...OPTIONS, entryPoints: ENTRY_POINTS, outdir: DIST, splitting: true });
declare();

function declare() {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: HERE, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
  for (const file of declarations(TYPES)) {
    const protocol = relative(dirname(file), join(TYPES, 'protocol', 'index.js'));
    const text = readFileSync(file, 'utf8');
    writeFileSync(
      file,
      text.replaceAll("'@relay/protocol'", `'${protocol.startsWith('.') ? protocol : `./${protocol}`}'`),
    );
  }
}

/** @param {string} folder @returns {string[]} */
function declarations(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return declarations(path);
    return entry.name.endsWith('.d.ts') ? [path] : [];
  });
}
