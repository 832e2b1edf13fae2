import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Scheme } from '@relay/protocol';
import { newIdentity, privateKeyIdentity } from './identity.js';
import type { Identity } from './sign-in.js';

/**
 * The private key in that file, 64 hex digits; the first call makes one, readable by its owner alone. Keep the file as you keep the store
 * beside it: each is of no use without the other.
 */
export async function fileIdentity(path: string, scheme?: Scheme): Promise<Identity> {
  return privateKeyIdentity((await keyIn(path)) ?? (await makeKey(path)), scheme);
}

async function keyIn(path: string): Promise<string | null> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** It appears whole, and never in the place of another: who comes second takes the first one's. */
async function makeKey(path: string): Promise<string> {
  const { address, privateKey } = newIdentity();
  const own = `${path}.${address}.new`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await writeFile(own, `${privateKey}\n`, { mode: 0o600, flush: true });
    await link(own, path);
    return privateKey;
  } catch (error) {
    const first = (error as NodeJS.ErrnoException).code === 'EEXIST' ? await keyIn(path) : null;
    if (first === null) throw error;
    return first;
  } finally {
    await rm(own, { force: true });
  }
}
