// @ts-check
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, URL } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** @typedef {{ file: string, from: string | RegExp, to: string }} Change  `file`: below dist/ */

/**
 * A copy of the built relay in which something is different; what to run. It stays until somebody makes it anew.
 * @type {(name: string, changes: readonly Change[], version?: string) => string}
 */
export function changedBuild(name, changes, version = '0.0.0') {
  // Below the packages, so that the copy finds them.
  const copy = join(ROOT, 'node_modules', '.cache', name);
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  cpSync(join(ROOT, 'dist'), join(copy, 'dist'), { recursive: true });
  writeFileSync(join(copy, 'package.json'), JSON.stringify({ type: 'module', version }));
  for (const { file, from, to } of changes) {
    const path = join(copy, 'dist', file);
    const before = readFileSync(path, 'utf8');
    const after = before.replace(from, to);
    if (after === before) throw new Error(`dist/${file} has no ${String(from)}`);
    writeFileSync(path, after);
  }
  return join(copy, 'dist', 'main.js');
}
