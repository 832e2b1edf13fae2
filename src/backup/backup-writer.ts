import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { BackupFileError, type Counts, type Header, type Line, type Position, writeLine } from './backup-lines.js';
import { readBackup } from './backup-reader.js';

const CHUNK_BYTES = 1024 * 1024;
const compress = promisify(gzip);
const NOTHING: Counts = { units: 0, messages: 0, entries: 0 };

export const partialOf = (path: string): string => `${path}.partial`;

/** What an interrupted backup left: up to `at`, the file is right. */
export interface Partial {
  readonly header: Header;
  readonly at: number;
  readonly chunk: number;
  readonly counts: Counts;
  readonly position: Position;
  readonly lines: number;
  readonly hash: Hash;
}

/** `null`: not even its first chunk has begun. What follows the last chunk that has begun is done again. */
export async function readPartial(path: string): Promise<Partial | null> {
  const hash = createHash('sha256');
  let header: Header | undefined;
  let found: Partial | null = null;
  try {
    for await (const { line, text, number } of readBackup(path)) {
      if (line.t === 'backup') header = line;
      if (line.t === 'chunk' && header !== undefined) {
        const { at, n, counts, bucket, after } = line;
        found = { header, at, chunk: n - 1, counts, position: { bucket, after }, lines: number - 1, hash: hash.copy() };
      }
      hash.update(text).update('\n');
    }
  } catch (error) {
    if (!(error instanceof BackupFileError)) throw error;
  }
  return found;
}

/** Writes `<path>.partial`, chunk by chunk, and gives it its name once it is complete. Compressed where the name ends in `.gz`. */
export class BackupWriter {
  private text: string[] = [];
  private length = 0;
  private isInChunk = false;
  private counts: Counts;
  private chunk: number;
  private lines: number;
  private at: number;
  private readonly hash: Hash;

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    { counts, chunk, lines, at, hash }: Omit<Partial, 'header' | 'position'>,
  ) {
    this.counts = counts;
    this.chunk = chunk;
    this.lines = lines;
    this.at = at;
    this.hash = hash;
  }

  static async create(path: string, header: Header): Promise<BackupWriter> {
    // It holds hashes of tokens, and who wrote to whom.
    const file = await open(partialOf(path), 'w', 0o600);
    const writer = new BackupWriter(path, file, {
      counts: NOTHING,
      chunk: 0,
      lines: 0,
      at: 0,
      hash: createHash('sha256'),
    });
    writer.add(header);
    await writer.flush();
    return writer;
  }

  static async resume(path: string, partial: Partial): Promise<BackupWriter> {
    const file = await open(partialOf(path), 'r+');
    await file.truncate(partial.at);
    return new BackupWriter(path, file, partial);
  }

  get written(): Counts {
    return this.counts;
  }

  /** `before`: where the walk goes on if it is interrupted in front of these lines. */
  async write(lines: readonly Line[], before: Position): Promise<void> {
    for (const line of lines) {
      if (!this.isInChunk) this.begin(before);
      this.add(line);
      if (line.t === 'unit') this.count(line);
    }
    if (this.length >= CHUNK_BYTES) await this.endChunk();
  }

  async finish(finishedAt: string): Promise<void> {
    if (this.isInChunk) await this.endChunk();
    this.add({ t: 'total', finishedAt, ...this.counts, lines: this.lines, sha256: this.digest() });
    await this.flush();
    await this.file.sync();
    await this.file.close();
    await rename(partialOf(this.path), this.path);
  }

  /** As far as it is: a later backup to the same path goes on from there. */
  async abandon(): Promise<void> {
    await this.file.close();
  }

  private begin(before: Position): void {
    this.isInChunk = true;
    this.add({ t: 'chunk', n: this.chunk + 1, at: this.at, counts: this.counts, ...before });
  }

  private async endChunk(): Promise<void> {
    this.chunk += 1;
    this.add({ t: 'end', n: this.chunk, sha256: this.digest() });
    this.isInChunk = false;
    await this.flush();
  }

  private add(line: Line): void {
    const text = writeLine(line);
    this.hash.update(text);
    this.text.push(text);
    this.length += text.length;
    this.lines += 1;
  }

  private count({ messages, keys }: Extract<Line, { t: 'unit' }>): void {
    const entries = keys.reduce((sum, { entries = 0 }) => sum + entries, 0);
    const { counts } = this;
    this.counts = { units: counts.units + 1, messages: counts.messages + messages, entries: counts.entries + entries };
  }

  /** Each flush is a gzip member of its own, so that a cut file can go on behind the last. */
  private async flush(): Promise<void> {
    const plain = Buffer.from(this.text.join(''));
    this.text = [];
    this.length = 0;
    const bytes = this.path.endsWith('.gz') ? await compress(plain) : plain;
    await this.file.write(bytes, 0, bytes.length, this.at);
    this.at += bytes.length;
  }

  private digest(): string {
    return this.hash.copy().digest('hex');
  }
}
