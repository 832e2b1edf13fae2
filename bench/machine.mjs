// @ts-check
import { cpus } from 'node:os';

/** What the figures were read on. */
export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    platform: process.platform,
  };
}
