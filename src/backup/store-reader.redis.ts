import { parseAddress } from '@relay/protocol';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { BUCKETS } from '../redis/redis-key.redis.js';
import { type Entry, type Line, type Position, type SavedKey, toValue } from './backup-lines.js';
import { ADDRESS_KINDS, type KeyKind, parseKey } from './key-kinds.js';
import { READ_UNIT } from './scripts.redis.js';
import { scanKeys } from './store-keys.redis.js';

export interface ReaderOptions {
  /** Units whose names are held at once; beyond them, the keys are walked several times. */
  readonly maxUnits?: number;
  /** Entries of a log that one call reads. */
  readonly sliceEntries?: number;
  readonly onUnknownKind?: (name: string) => void;
}

/** Lines to write, and where a walk goes on once they are. */
export interface Step {
  readonly lines: readonly Line[];
  readonly position: Position;
  readonly messages: number;
}

const MAX_UNITS = 200_000;
const SLICE_ENTRIES = 400;
const SLICE_BYTES = 512 * 1024;
const UNITS_AT_ONCE = 16;
/** On a busy mailbox the last look is one call, however long that takes. */
const LOOKS = 5;
const ALL = 1_000_000_000;

type Reply = [
  fence: Buffer,
  waiting: number,
  next: Buffer,
  slice: [id: Buffer, fields: Buffer[]][],
  keys: [type: Buffer, until: number, values: (Buffer | null)[]][],
];

/**
 * Walks everything under the prefix that a backup holds, bucket by bucket, in the order of names. It changes nothing and may
 * run beside relays: each address is what it was at one instant; addresses are read one after the other.
 */
export class StoreReader {
  constructor(
    private readonly client: RedisClient,
    private readonly options: ReaderOptions = {},
  ) {}

  /** From `after` on, or from the beginning. Units that are made meanwhile may be missed. */
  async *walk(after?: Position): AsyncGenerator<Step> {
    const sizes = (await this.client.commandEverywhere('DBSIZE')) as number[];
    const keys = sizes.reduce((sum, size) => sum + size, 0);
    const passes = Math.min(BUCKETS, Math.max(1, Math.ceil(keys / (this.options.maxUnits ?? MAX_UNITS))));
    const width = Math.ceil((BUCKETS + 1) / passes);
    for (let from = Math.max(-1, after?.bucket ?? -1); from < BUCKETS; from += width) {
      const units = await this.unitsIn(from, from + width);
      for (let bucket = from; bucket < Math.min(from + width, BUCKETS); bucket++) {
        const done = after?.bucket === bucket ? after.after : '';
        yield* this.bucket(bucket, [...(units.get(bucket) ?? [])].filter((unit) => unit > done).sort());
      }
    }
  }

  /** Names of units by bucket, from `from` to before `to`. */
  private async unitsIn(from: number, to: number): Promise<Map<number, Set<string>>> {
    const units = new Map<number, Set<string>>();
    for await (const keys of scanKeys(this.client)) {
      for (const key of keys) {
        const { kind, isKnown, bucket, name } = parseKey(key);
        if (!isKnown) this.options.onUnknownKind?.(kind.name);
        if (bucket < from || bucket >= to || !['mailbox', 'address', 'own'].includes(kind.backup)) continue;
        const unit = kind.backup === 'own' || !isAddress(name) ? key : name;
        const found = units.get(bucket);
        if (found === undefined) units.set(bucket, new Set([unit]));
        else found.add(unit);
      }
    }
    return units;
  }

  private async *bucket(bucket: number, units: readonly string[]): AsyncGenerator<Step> {
    for (let i = 0; i < units.length; i += UNITS_AT_ONCE) {
      const some = units.slice(i, i + UNITS_AT_ONCE);
      const firsts = await Promise.all(some.map((unit) => this.read(keysOf(bucket, unit))));
      for (const [j, unit] of some.entries()) yield* this.unit(bucket, unit, firsts[j]!);
    }
    // After the mailboxes: what is acknowledged in between is owed here, and waits there.
    if (bucket >= 0)
      yield { lines: await this.counts(bucket), position: { bucket: bucket + 1, after: '' }, messages: 0 };
  }

  private async *unit(bucket: number, unit: string, first: Reply): AsyncGenerator<Step> {
    const keys = keysOf(bucket, unit);
    const [log = ''] = keys;
    const address = isAddress(unit) ? unit : null;
    const before: Position = { bucket, after: predecessorOf(unit) };
    let reply = first;
    let [fence] = first;
    let isFirst = true;
    let entries = 0;
    for (let look = 1; ;) {
      const [, waiting, next, slice, found] = reply;
      entries += slice.length;
      const lines: Line[] = slice.length > 0 ? [{ t: 'entries', key: log, isFirst, entries: slice.map(toEntry) }] : [];
      isFirst = false;
      if (next.length === 0) {
        const saved = found.flatMap((one, i) => toSavedKey(keys[i]!, one, entries));
        if (saved.length > 0) lines.push({ t: 'unit', address, messages: waiting, keys: saved });
        yield { lines, position: { bucket, after: unit }, messages: waiting };
        return;
      }
      yield { lines, position: before, messages: 0 };
      reply = await this.read(keys, next.toString(), look);
      if (reply[0].equals(fence)) continue;
      // The mailbox changed between two slices: what was written of it is overruled by the next slice, which is a first one.
      look++;
      reply = await this.read(keys, '-', look);
      [fence] = reply;
      isFirst = true;
      entries = 0;
    }
  }

  private async read(keys: readonly string[], start = '-', look = 1): Promise<Reply> {
    const { prefix } = this.client;
    const isMailbox = keys[0]!.startsWith('mb:');
    const most = look >= LOOKS ? ALL : (this.options.sliceEntries ?? SLICE_ENTRIES);
    const bytes = look >= LOOKS ? ALL : SLICE_BYTES;
    const all = keys.map((key) => `${prefix}${key}`);
    const args = [isMailbox ? 1 : 0, isMailbox ? 2 : 0, start, most, bytes];
    return (await this.client.run(READ_UNIT, all, args)) as Reply;
  }

  private async counts(bucket: number): Promise<Line[]> {
    const [, , , , [tot, out]] = await this.read([`tot:{${bucket}}`, `out:{${bucket}}`]);
    const totals = pairsOf(tot![2]);
    const count = (name: string): number => Number(totals.get(name) ?? 0);
    const owed = (out![2] as Buffer[]).map(toValue);
    const [acknowledged, expired, dropped] = [count('k'), count('x'), count('d')];
    if (acknowledged + expired + dropped + owed.length === 0) return [];
    return [{ t: 'bucket', bucket, acknowledged, expired, dropped, owed }];
  }
}

function isAddress(name: string): boolean {
  return parseAddress(name) === name;
}

function keysOf(bucket: number, unit: string): string[] {
  return isAddress(unit) ? ADDRESS_KINDS.map(({ name }) => `${name}:{${bucket}}:${unit}`) : [unit];
}

/** Sorts right before it, and after all that sort before it. */
function predecessorOf(unit: string): string {
  return unit.slice(0, -1) + String.fromCharCode(unit.charCodeAt(unit.length - 1) - 1) + '\u{10ffff}';
}

function toEntry([id, fields]: Reply[3][number]): Entry {
  return [id.toString(), ...fields.map(toValue)];
}

function toSavedKey(key: string, [type, until, values]: Reply[4][number], entries: number): SavedKey[] {
  const kind = type.toString();
  if (kind === 'none') return [];
  const times = { until: until < 0 ? null : until };
  if (kind === 'stream') {
    if (!key.startsWith('mb:')) throw new Error(`${key} is a stream, which only mailboxes may be`);
    return [{ key, type: 'stream', ...times, values: [], entries }];
  }
  const kept = kind === 'hash' ? lasting(parseKey(key).kind, values as Buffer[]) : (values as Buffer[]);
  if (kept.length === 0) return [];
  return [{ key, type: kind as SavedKey['type'], ...times, values: kept.map(toValue) }];
}

function lasting({ dropFields }: KeyKind, flat: readonly Buffer[]): readonly Buffer[] {
  if (dropFields === undefined) return flat;
  return flat.filter((_, i) => !flat[i - (i % 2)]!.toString().startsWith(dropFields));
}

function pairsOf(flat: readonly (Buffer | null)[]): Map<string, string> {
  return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), String(flat[i + 1])] as const] : [])));
}
