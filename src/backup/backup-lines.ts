import { crc32 } from 'node:zlib';

export const FORMAT = 1;

/** Bytes as they stand in a line: text where they are UTF-8, else base64 in a member of that name. */
export type Value = string | { readonly base64: string };

export interface SavedKey {
  /** Without the prefix. */
  readonly key: string;
  readonly type: 'string' | 'hash' | 'zset' | 'set' | 'list' | 'stream';
  /** When it expires, ms since 1970; `null`: never. */
  readonly until: number | null;
  /** As Redis lists it: members; fields and values in turn; members and scores in turn. Empty for a stream, whose entries precede. */
  readonly values: readonly Value[];
  /** Of a stream. */
  readonly entries?: number;
}

export type Entry = readonly [id: string, ...fields: Value[]];

export interface Header {
  readonly t: 'backup';
  readonly format: number;
  readonly id: string;
  readonly relay: string;
  readonly prefix: string;
  readonly startedAt: string;
  /** What the store held when the backup began, for the time that is left. */
  readonly expected: { readonly messages: number; readonly mailboxes: number };
}

export interface Counts {
  readonly units: number;
  readonly messages: number;
  readonly entries: number;
}

/** Where a walk goes on: after the unit of that name, in the order of names. */
export interface Position {
  readonly bucket: number;
  readonly after: string;
}

/**
 * One line each. A file is a header, chunks, and a total. A chunk begins with `chunk`, which says where in the file it
 * begins (compressed bytes) and where in the store, and ends with `end`. Digests are SHA-256 of all lines before, as text.
 */
export type Line =
  | Header
  | ({ readonly t: 'chunk'; readonly n: number; readonly at: number; readonly counts: Counts } & Position)
  | { readonly t: 'entries'; readonly key: string; readonly isFirst: boolean; readonly entries: readonly Entry[] }
  | {
      readonly t: 'unit';
      readonly address: string | null;
      readonly messages: number;
      readonly keys: readonly SavedKey[];
    }
  | {
      readonly t: 'bucket';
      readonly bucket: number;
      readonly acknowledged: number;
      readonly expired: number;
      readonly dropped: number;
      readonly owed: readonly Value[];
    }
  | { readonly t: 'end'; readonly n: number; readonly sha256: string }
  | ({ readonly t: 'total'; readonly finishedAt: string; readonly lines: number; readonly sha256: string } & Counts);

/** A file that is refused, and where; lines count from 1. */
export class BackupFileError extends Error {
  override readonly name = 'BackupFileError';

  constructor(
    readonly line: number,
    readonly reason: string,
  ) {
    super(`line ${line}: ${reason}`);
  }
}

/** With a checksum of its own in front, so that what was altered can be named. Ends with a line feed. */
export function writeLine(line: Line): string {
  const rest = JSON.stringify(line).slice(1);
  return `{"crc":"${checksum(rest)}",${rest}\n`;
}

const LINE = /^\{"crc":"([0-9a-f]{8})",/;
const KINDS: ReadonlySet<string> = new Set(['backup', 'chunk', 'entries', 'unit', 'bucket', 'end', 'total']);

/** Throws `BackupFileError`. `text` without the line feed. */
export function readLine(text: string, number: number): Line {
  const [{ length } = '', crc] = LINE.exec(text) ?? [];
  if (crc === undefined) throw new BackupFileError(number, 'this is no line of a backup');
  if (crc !== checksum(text.slice(length))) throw new BackupFileError(number, 'its checksum is wrong: it was altered');
  const line = JSON.parse(text) as Line;
  if (!KINDS.has(line.t)) throw new BackupFileError(number, `this version knows no line of the kind ${line.t}`);
  return line;
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

export function toValue(bytes: Buffer): Value {
  const text = bytes.toString('utf8');
  return Buffer.byteLength(text) === bytes.length && Buffer.from(text).equals(bytes)
    ? text
    : { base64: bytes.toString('base64') };
}

export function toArgument(value: Value): string | Buffer {
  return typeof value === 'string' ? value : Buffer.from(value.base64, 'base64');
}
