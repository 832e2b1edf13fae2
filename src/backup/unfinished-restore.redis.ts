import { EXIT_CONFIGURATION, StartError } from '../common/start-error.js';
import type { RedisClient } from '../redis/redis-client.redis.js';

/** That a restore is under way, in `<prefix>restoring`: it goes on from there, and no relay may start before. */
export interface RestoreMark {
  readonly id: string;
  readonly file: string;
  readonly mode: 'empty' | 'merge' | 'force';
  /** Up to which everything is written. */
  readonly line: number;
}

const keyOf = (client: RedisClient): string => `${client.prefix}restoring`;

export async function readMark(client: RedisClient): Promise<RestoreMark | null> {
  const json = (await client.command('GET', keyOf(client))) as string | null;
  return json === null ? null : (JSON.parse(json) as RestoreMark);
}

export async function markRestore(client: RedisClient, mark: RestoreMark): Promise<void> {
  await client.command('SET', keyOf(client), JSON.stringify(mark));
}

export async function unmarkRestore(client: RedisClient): Promise<void> {
  await client.command('DEL', keyOf(client));
}

/** A relay that ran on half of its mailboxes would make new ones, which the rest of the restore would have to leave alone. */
export async function refuseUnfinishedRestore(client: RedisClient): Promise<void> {
  const mark = await readMark(client);
  if (mark === null || mark.mode === 'merge') return;
  throw new StartError(EXIT_CONFIGURATION, [
    `a restore of ${mark.file} into this Redis is not finished: run it again, it goes on where it was`,
  ]);
}
