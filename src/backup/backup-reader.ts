import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { BackupFileError, type Counts, FORMAT, type Header, type Line, readLine } from './backup-lines.js';

/** What was read so far is right; this is the next line. */
export interface Checked {
  readonly line: Line;
  /** As it stands in the file, without its line feed. */
  readonly text: string;
  readonly number: number;
  /** Of the file as it is on the disk. */
  readonly bytesRead: number;
}

export interface Summary {
  readonly header: Header;
  readonly total: Extract<Line, { t: 'total' }>;
}

/** A line holds at most one slice of a log, or all that is known of one address beside its log. */
const MAX_LINE_BYTES = 256 * 1024 * 1024;
const GZIP_MAGIC = 0x1f8b;

/** Reads a backup and checks it as it goes. Throws `BackupFileError` at the first line that is not as it was written. */
export async function* readBackup(path: string): AsyncGenerator<Checked> {
  const check = new Check();
  for await (const { text, bytesRead } of linesOf(path)) {
    const line = check.next(text);
    yield { line, text, number: check.lines, bytesRead };
  }
  check.end();
}

/** Reads all of it; throws `BackupFileError` where it is not whole. */
export async function checkBackup(
  path: string,
  onProgress: (bytesRead: number) => void = () => undefined,
): Promise<Summary> {
  let header: Header | undefined;
  let last: Line | undefined;
  for await (const { line, bytesRead } of readBackup(path)) {
    if (line.t === 'backup') header = line;
    last = line;
    onProgress(bytesRead);
  }
  return { header: header!, total: last as Summary['total'] };
}

export async function bytesOf(path: string): Promise<number> {
  return (await stat(path)).size;
}

/** Order of lines, their checksums, and the digests of what precedes. */
export class Check {
  lines = 0;
  private readonly hash: Hash = createHash('sha256');
  private chunk = 0;
  private isInChunk = false;
  private isOver = false;
  private counts = { units: 0, messages: 0, entries: 0 };
  private staged = 0;

  /** The next line, without its line feed. */
  next(text: string): Line {
    const number = this.lines + 1;
    if (this.isOver) throw new BackupFileError(number, 'something follows the end of the backup');
    const line = readLine(text, number);
    const wrong = this.problemOf(line);
    if (wrong !== null) throw new BackupFileError(number, wrong);
    this.lines = number;
    this.hash.update(text).update('\n');
    return line;
  }

  /** After the last line. */
  end(): void {
    if (!this.isOver)
      throw new BackupFileError(this.lines + 1, 'the file ends here, before the backup does: it was cut');
  }

  private problemOf(line: Line): string | null {
    if ((this.lines === 0) !== (line.t === 'backup')) return 'a backup begins with one header';
    switch (line.t) {
      case 'backup':
        return line.format === FORMAT ? null : `the format is ${line.format}; this version reads ${FORMAT}`;
      case 'chunk':
        return this.beginChunk(line.n, line.counts);
      case 'end':
        return this.endChunk(line.n, line.sha256);
      case 'total':
        return this.finish(line);
      case 'entries':
      case 'unit':
      case 'bucket':
        return this.isInChunk ? this.count(line) : 'a chunk should begin here';
    }
  }

  private beginChunk(n: number, counts: Counts): string | null {
    if (this.isInChunk || n !== this.chunk + 1) return `chunk ${this.chunk + 1} is missing or not complete`;
    const { units, messages, entries } = this.counts;
    if (counts.units !== units || counts.messages !== messages || counts.entries !== entries) {
      return 'the chunks before do not hold what they should';
    }
    this.chunk = n;
    this.isInChunk = true;
    return null;
  }

  private endChunk(n: number, sha256: string): string | null {
    if (!this.isInChunk || n !== this.chunk) return `no chunk ${n} has begun`;
    this.isInChunk = false;
    return this.digest() === sha256 ? null : `the checksum of chunk ${n} is wrong: lines are missing, or not in order`;
  }

  private finish(line: Extract<Line, { t: 'total' }>): string | null {
    if (this.isInChunk) return `chunk ${this.chunk} is not complete`;
    if (this.digest() !== line.sha256 || line.lines !== this.lines) return 'the checksum of the whole is wrong';
    this.isOver = true;
    return null;
  }

  private count(line: Extract<Line, { t: 'entries' | 'unit' | 'bucket' }>): string | null {
    if (line.t === 'entries') this.staged = (line.isFirst ? 0 : this.staged) + line.entries.length;
    if (line.t !== 'unit') return null;
    const log = line.keys.find(({ type }) => type === 'stream');
    if (log !== undefined && log.entries !== this.staged) return 'the entries before it are not all there';
    this.counts.units += 1;
    this.counts.messages += line.messages;
    this.counts.entries += log?.entries ?? 0;
    return null;
  }

  private digest(): string {
    return this.hash.copy().digest('hex');
  }
}

/** Memory is bounded by the longest line. A gzip file that is cut gives what is before. */
async function* linesOf(path: string): AsyncGenerator<{ text: string; bytesRead: number }> {
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  const source = (await isGzip(path)) ? file.pipe(createGunzip()) : file;
  // Without a listener on the file, an error of it would never reach the stream behind it.
  if (source !== file) file.on('error', (error) => source.destroy(error));
  let parts: Buffer[] = [];
  let length = 0;
  let lines = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
        parts.push(chunk.subarray(start, end));
        yield { text: Buffer.concat(parts).toString('utf8'), bytesRead: file.bytesRead };
        lines += 1;
        parts = [];
        length = 0;
        start = end + 1;
      }
      if (start < chunk.length) parts.push(chunk.subarray(start));
      length += chunk.length - start;
      if (length > MAX_LINE_BYTES) throw new BackupFileError(lines + 1, 'this is no line of a backup');
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'Z_BUF_ERROR')
      throw new BackupFileError(lines + 1, 'the file ends here, before the backup does: it was cut');
    if (code.startsWith('Z_'))
      throw new BackupFileError(lines + 1, 'from here on it cannot be decompressed: it was altered');
    throw error;
  } finally {
    file.destroy();
  }
  if (length > 0) throw new BackupFileError(lines + 1, 'the file ends within this line: it was cut');
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.readUInt16BE(0) === GZIP_MAGIC;
  } finally {
    await file.close();
  }
}
