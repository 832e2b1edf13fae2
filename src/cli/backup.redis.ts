import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { backUp } from '../backup/backup.redis.js';
import { BackupFileError } from '../backup/backup-lines.js';
import { bytesOf } from '../backup/backup-reader.js';
import { partialOf } from '../backup/backup-writer.js';
import { Refused } from '../backup/refused.js';
import { restore, type RestoreMode } from '../backup/restore.redis.js';
import { auditMailboxes } from '../queue/mailbox-audit.redis.js';
import { CommandError, EXIT } from './exit-codes.js';
import { duration, Progress } from './progress.js';
import type { Terminal } from './terminal.js';
import { RELAY_VERSION } from '../common/version.js';
import { storeNow, withRedis } from './with-redis.redis.js';

export async function backup(terminal: Terminal, path: string, { json = false }: { json?: boolean }): Promise<number> {
  const progress = new Progress(terminal, json, () => performance.now());
  const note = interruptible(
    terminal,
    progress,
    `${partialOf(path)} has what was saved so far: the same command goes on from there`,
  );
  try {
    const unknown = new Set<string>();
    const counts = await refusing(path, () =>
      withRedis((client) =>
        backUp(client, {
          path,
          id: randomUUID(),
          relayVersion: RELAY_VERSION,
          now: () => new Date().toISOString(),
          onProgress: (state) => progress.update(state),
          onResume: ({ messages }) => terminal.err(`goes on from ${partialOf(path)}: ${messages} messages are saved\n`),
          onUnknownKind: (name) => unknown.add(name),
        }),
      ),
    );
    progress.end();
    for (const name of unknown) terminal.err(`saved as they are, for this version does not know them: keys ${name}…\n`);
    const { seconds } = progress;
    const bytes = await bytesOf(path);
    if (json) terminal.out(`${JSON.stringify({ file: path, bytes, seconds, ...counts })}\n`);
    else {
      const rate = Math.round(counts.messages / seconds);
      terminal.out(
        `${path}: ${counts.messages} messages of ${counts.units} addresses and others, ${bytes} bytes, ${duration(seconds)} (${rate}/s)\n`,
      );
    }
    return EXIT.ok;
  } finally {
    note.off();
  }
}

export interface RestoreFlags {
  readonly json?: boolean;
  readonly merge?: boolean;
  readonly force?: boolean;
  readonly check?: boolean;
}

export async function restoreFile(terminal: Terminal, path: string, flags: RestoreFlags): Promise<number> {
  const { json = false, merge = false, force = false } = flags;
  if (merge && force) throw new CommandError(EXIT.usage, '--merge and --force exclude each other');
  const mode: RestoreMode = merge ? 'merge' : force ? 'force' : 'empty';
  const progress = new Progress(terminal, json, () => performance.now());
  const note = interruptible(
    terminal,
    progress,
    'not finished: relays refuse to start until the same command has gone on to the end',
  );
  try {
    const size = await refusing(path, () => bytesOf(path));
    const { settings, ...done } = await refusing(path, () =>
      withRedis(async (client, settings) => ({
        settings,
        ...(await restore(client, {
          path,
          mode,
          nowMs: await storeNow(client),
          wait: (ms) => wait(ms),
          onProgress: ({ phase, bytesRead, messages, units }) =>
            progress.update({ phase, part: bytesRead / size, messages, units }),
        })),
      })),
    );
    progress.end();
    const { seconds } = progress;
    const { units, messages, kept, inFile, wasResumed, header } = done;
    const audit = await auditMailboxes(settings);
    const isInBalance = audit.differenceCount === 0;
    if (json) {
      const from = { id: header.id, startedAt: header.startedAt, messages: inFile.messages };
      terminal.out(
        `${JSON.stringify({ file: path, seconds, units, messages, kept, wasResumed, backup: from, isInBalance })}\n`,
      );
    } else {
      const rate = Math.round(messages / seconds);
      terminal.out(
        `${messages} messages of ${units} addresses and others restored in ${duration(seconds)} (${rate}/s); the file has ${inFile.messages}\n`,
      );
      if (kept > 0) terminal.out(`${kept} keys were there and stayed as they were\n`);
      terminal.out(isInBalance ? 'in balance\n' : `${audit.differenceCount} differences: relay verify names them\n`);
    }
    return isInBalance ? EXIT.ok : EXIT.failed;
  } finally {
    note.off();
  }
}

async function refusing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BackupFileError) throw new CommandError(EXIT.failed, `${path} is refused, ${error.message}`);
    if (error instanceof Refused) throw new CommandError(EXIT.failed, error.message);
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (
      code !== undefined &&
      syscall !== undefined &&
      ['open', 'stat', 'write', 'rename', 'ftruncate'].includes(syscall)
    ) {
      throw new CommandError(EXIT.failed, `${path}: ${code}`);
    }
    throw error;
  }
}

/** Everything is written so that it can be cut anywhere; a person who cuts it is told what that means. */
function interruptible(terminal: Terminal, progress: Progress, text: string): { off(): void } {
  const stop = (): void => {
    progress.end();
    terminal.err(`interrupted; ${text}\n`);
    process.exit(EXIT.failed);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  return {
    off: () => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  };
}
