import { type FileHandle, link, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import process from 'node:process';
import { ClientError } from './errors.js';
import { type Change, ClientStore } from './store.js';
import { applyTo, entriesOf } from './store.memory.js';

interface Write {
  readonly changes: readonly Change[];
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const LINE_FEED = 0x0a;
/** The log is written anew once it holds this many times what is alive, and at least this much. */
const GROWTH = 4;
const COMPACT_FROM_BYTES = 1024 * 1024;

/** Locks of this process: a second store on the same file would not see what the first one writes. */
const held = new Set<string>();

/**
 * A file of lines, each one write: a JSON array of changes. What is alive is also in memory. Writes that come while the disk is busy
 * share the next sync. A line that a killed process left unfinished is cut off at the next opening; that write was never confirmed.
 */
export class FileStore extends ClientStore {
  private readonly values = new Map<string, string>();
  private waiting: Write[] = [];
  private writing: Promise<void> = Promise.resolve();
  private isWriting = false;
  private logBytes = 0;
  private liveBytes = 0;
  private isBroken = false;

  private constructor(
    private readonly path: string,
    private file: FileHandle,
  ) {
    super();
  }

  /** Creates it where there is none, readable by its owner alone: it holds a session token. */
  static async open(path: string): Promise<FileStore> {
    await mkdir(dirname(path), { recursive: true });
    await lock(path);
    try {
      const store = new FileStore(path, await open(path, 'a+', 0o600));
      await store.load();
      return store;
    } catch (error) {
      await unlock(path);
      throw error;
    }
  }

  override read(key: string): Promise<string | null> {
    return Promise.resolve(this.values.get(key) ?? null);
  }

  override list(prefix: string): Promise<readonly (readonly [string, string])[]> {
    return Promise.resolve(entriesOf(this.values, prefix));
  }

  override write(changes: readonly Change[]): Promise<void> {
    if (this.isBroken) return Promise.reject(new ClientError('store_failed'));
    return new Promise((resolve, reject) => {
      this.waiting.push({ changes, line: `${JSON.stringify(changes)}\n`, resolve, reject });
      if (this.isWriting) return;
      this.isWriting = true;
      this.writing = this.writeAll();
    });
  }

  override async close(): Promise<void> {
    await this.writing;
    this.isBroken = true;
    await this.file.close();
    await unlock(this.path);
  }

  private async writeAll(): Promise<void> {
    // What the rest of this turn adds goes along.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const writes = this.waiting;
      this.waiting = [];
      await this.writeTogether(writes).then(
        () => writes.forEach(({ resolve }) => resolve()),
        (error: unknown) => this.fail(writes, error),
      );
    }
    // In the step that found nothing more: a write that comes a step later must not count on this loop.
    this.isWriting = false;
  }

  private async writeTogether(writes: readonly Write[]): Promise<void> {
    const text = writes.map(({ line }) => line).join('');
    await this.file.appendFile(text);
    await this.file.datasync();
    for (const { changes } of writes) this.apply(changes);
    this.logBytes += Buffer.byteLength(text);
    if (this.logBytes > COMPACT_FROM_BYTES && this.logBytes > GROWTH * this.liveBytes) {
      // The writes are durable whether or not there is room for another file; the next one tries again.
      await this.compact().catch(() => undefined);
    }
  }

  /** After half a line nothing may follow: the next opening cuts it off, and finds everything before it. */
  private fail(writes: readonly Write[], cause: unknown): void {
    this.isBroken = true;
    const error = new ClientError('store_failed', { cause });
    for (const { reject } of [...writes, ...this.waiting]) reject(error);
    this.waiting = [];
  }

  private apply(changes: readonly Change[]): void {
    for (const [key, value] of changes) {
      this.liveBytes -= sizeOf(key, this.values.get(key));
      this.liveBytes += sizeOf(key, value ?? undefined);
    }
    applyTo(this.values, changes);
  }

  private async load(): Promise<void> {
    const bytes = await readFile(this.path);
    const end = bytes.lastIndexOf(LINE_FEED) + 1;
    if (end < bytes.length) await this.cut(end);
    for (const line of bytes.subarray(0, end).toString().split('\n')) {
      if (line !== '') this.apply(parse(line));
    }
    this.logBytes = end;
    if (this.logBytes > GROWTH * this.liveBytes) await this.compact();
  }

  private async cut(end: number): Promise<void> {
    await this.file.truncate(end);
    await this.file.sync();
  }

  /** The new file takes the old one's place in one step; until then the old one is whole. */
  private async compact(): Promise<void> {
    const next = `${this.path}.new`;
    await rm(next, { force: true });
    const file = await open(next, 'a+', 0o600);
    const text = `${JSON.stringify([...this.values])}\n`;
    await file.appendFile(text);
    await file.sync();
    await rename(next, this.path);
    const old = this.file;
    this.file = file;
    this.logBytes = Buffer.byteLength(text);
    await syncDirectory(dirname(this.path));
    await old.close();
  }
}

function sizeOf(key: string, value: string | undefined): number {
  return value === undefined ? 0 : key.length + value.length;
}

function parse(line: string): readonly Change[] {
  try {
    const changes: unknown = JSON.parse(line);
    if (Array.isArray(changes) && changes.every(isChange)) return changes;
  } catch {
    // Said below.
  }
  throw new ClientError('store_damaged');
}

function isChange(value: unknown): value is Change {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [key, content] = value as unknown[];
  return typeof key === 'string' && (content === null || typeof content === 'string');
}

/** A name is durable once its directory is; not every platform lets a directory be opened. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r').catch(() => null);
  await directory?.sync().catch(() => undefined);
  await directory?.close();
}

/** Held by a process that lives; what a killed one left is taken over. */
async function lock(path: string): Promise<void> {
  if (held.has(path)) throw new ClientError('store_in_use');
  held.add(path);
  const own = `${path}.lock.${process.pid}`;
  try {
    await writeFile(own, String(process.pid), { mode: 0o600 });
    await takeLock(`${path}.lock`, own);
  } catch (error) {
    held.delete(path);
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

/** A link appears in one step, with its content: nobody sees a lock without a holder. */
async function takeLock(lockPath: string, own: string): Promise<void> {
  for (;;) {
    try {
      return await link(own, lockPath);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (lives(Number(await readFile(lockPath, 'utf8').catch(() => '')))) throw new ClientError('store_in_use');
    await rm(lockPath, { force: true });
  }
}

async function unlock(path: string): Promise<void> {
  held.delete(path);
  await rm(`${path}.lock`, { force: true });
}

/** Our own number is left over from a process before us that had the same: what this one holds, it knows. */
function lives(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
