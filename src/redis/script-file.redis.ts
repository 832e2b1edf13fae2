import { readFileSync } from 'node:fs';
import type { Script } from './script-calls.redis.js';

/** The script in `<file>.lua` beside the module that asks, by its `import.meta.url`. */
export function scriptFile(module: string, file: string, name = file): Script {
  return { name, lua: readFileSync(new URL(`./${file}.lua`, module), 'utf8') };
}
