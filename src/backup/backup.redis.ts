import { existsSync } from 'node:fs';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { BUCKETS } from '../redis/redis-key.redis.js';
import { type Counts, FORMAT, type Header, type Position } from './backup-lines.js';
import { BackupWriter, type Partial, partialOf, readPartial } from './backup-writer.js';
import { readLedger } from './ledger.redis.js';
import { Refused } from './refused.js';
import { type ReaderOptions, StoreReader } from './store-reader.redis.js';

export interface BackupOptions extends ReaderOptions {
  readonly path: string;
  readonly id: string;
  readonly relayVersion: string;
  /** ISO 8601. */
  readonly now: () => string;
  readonly onProgress?: (progress: BackupProgress) => void;
  readonly onResume?: (counts: Counts) => void;
}

export interface BackupProgress extends Counts {
  /** 0 to 1. */
  readonly part: number;
}

/** Saves everything under the prefix, while relays run. What an earlier backup to the same path left is completed. */
export async function backUp(client: RedisClient, options: BackupOptions): Promise<Counts> {
  const { path, onProgress } = options;
  if (existsSync(path)) throw new Refused(`${path} exists; name another file, or remove it`);
  const partial = existsSync(partialOf(path)) ? await readPartial(partialOf(path)) : null;
  if (partial !== null) refuseOther(client, path, partial);
  const writer =
    partial === null
      ? await BackupWriter.create(path, await headerOf(client, options))
      : await BackupWriter.resume(path, partial);
  if (partial !== null) options.onResume?.(partial.counts);
  try {
    let before: Position = partial?.position ?? { bucket: -1, after: '' };
    for await (const { lines, position } of new StoreReader(client, options).walk(before)) {
      await writer.write(lines, before);
      before = position;
      onProgress?.({ ...writer.written, part: Math.min(1, Math.max(0, position.bucket) / BUCKETS) });
    }
    await writer.finish(options.now());
    return writer.written;
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

function refuseOther(client: RedisClient, path: string, { header }: Partial): void {
  if (header.prefix === client.prefix) return;
  throw new Refused(`${partialOf(path)} is the beginning of a backup of ${header.prefix}, not of ${client.prefix}`);
}

async function headerOf(client: RedisClient, { id, relayVersion, now }: BackupOptions): Promise<Header> {
  const { pending: messages, mailboxes } = await readLedger(client);
  return {
    t: 'backup',
    format: FORMAT,
    id,
    relay: relayVersion,
    prefix: client.prefix,
    startedAt: now(),
    expected: { messages, mailboxes },
  };
}
