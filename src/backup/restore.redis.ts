import type { RedisClient } from '../redis/redis-client.redis.js';
import { checkBackup, readBackup } from './backup-reader.js';
import type { Counts, Header } from './backup-lines.js';
import { parseKey } from './key-kinds.js';
import { Refused } from './refused.js';
import { liveNodes, scanKeys } from './store-keys.redis.js';
import { StoreWriter, type Written } from './store-writer.redis.js';
import { markRestore, type RestoreMark, readMark, unmarkRestore } from './unfinished-restore.redis.js';

/**
 * `empty`: into a prefix without data. `merge`: beside what is there, which wins wherever both have something of an address;
 * relays may run. `force`: instead of what is there.
 */
export type RestoreMode = 'empty' | 'merge' | 'force';

export interface RestoreOptions {
  readonly path: string;
  readonly mode: RestoreMode;
  /** ms since 1970, of the store. */
  readonly nowMs: number;
  readonly wait: (ms: number) => Promise<void>;
  readonly onProgress?: (progress: RestoreProgress) => void;
}

export interface RestoreProgress extends Written {
  readonly phase: 'check' | 'restore';
  readonly bytesRead: number;
}

export interface Restored extends Written {
  readonly header: Header;
  readonly inFile: Counts;
  /** It went on where an earlier one was interrupted. */
  readonly wasResumed: boolean;
}

const NOTHING: Written = { units: 0, messages: 0, kept: 0 };

/** Nothing is written before all of the file was checked. Rejects with `BackupFileError` or `Refused`. */
export async function restore(client: RedisClient, options: RestoreOptions): Promise<Restored> {
  const { path, mode, onProgress } = options;
  const { header, total } = await checkBackup(path, (bytesRead) =>
    onProgress?.({ phase: 'check', bytesRead, ...NOTHING }),
  );
  const unfinished = await readMark(client);
  if (unfinished?.id !== header.id) {
    await makeReady(client, options, unfinished);
    await markRestore(client, { id: header.id, file: path, mode, line: 0 });
  }
  const written = await write(client, options, { id: header.id, file: path, mode, line: unfinished?.line ?? 0 });
  await unmarkRestore(client);
  return { ...written, header, inFile: total, wasResumed: unfinished?.id === header.id };
}

async function makeReady(client: RedisClient, options: RestoreOptions, unfinished: RestoreMark | null): Promise<void> {
  const { mode, nowMs } = options;
  if (unfinished !== null && mode !== 'force') {
    throw new Refused(`a restore of ${unfinished.file} is not finished: run it again with that file, or with --force`);
  }
  if (mode === 'merge') return;
  const nodes = await liveNodes(client, nowMs);
  if (nodes > 0) throw new Refused(`${nodes} relay(s) run on this Redis; stop them first, or use --merge`);
  if (mode === 'force') return removeAll(client);
  const found = await anyData(client);
  if (found === null) return;
  throw new Refused(
    `there is data under ${client.prefix} already (${found}): --merge keeps it and adds what is missing, --force removes it first`,
  );
}

async function anyData(client: RedisClient): Promise<string | null> {
  for await (const keys of scanKeys(client)) {
    const found = keys.find((key) => parseKey(key).kind.backup !== 'fleeting' && key !== 'clock');
    if (found !== undefined) return found;
  }
  return null;
}

async function removeAll(client: RedisClient): Promise<void> {
  for await (const keys of scanKeys(client)) {
    await Promise.all(keys.map((key) => client.command('UNLINK', `${client.prefix}${key}`)));
  }
}

/** From the chunk on that an earlier restore had not finished. */
async function write(client: RedisClient, options: RestoreOptions, mark: RestoreMark): Promise<Written> {
  const writer = new StoreWriter(client, mark.id, options.wait);
  for await (const { line, number, bytesRead } of readBackup(options.path)) {
    if (number <= mark.line) continue;
    await writer.write(line);
    if (line.t !== 'end') continue;
    await writer.settle();
    await markRestore(client, { ...mark, line: number });
    options.onProgress?.({ phase: 'restore', bytesRead, ...writer.written });
  }
  await writer.settle();
  await writer.cleanUp();
  return writer.written;
}
