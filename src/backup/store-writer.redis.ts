import { type Address, RelayError } from '@relay/protocol';
import { randomBytes } from 'node:crypto';
import type { Argument, RedisClient } from '../redis/redis-client.redis.js';
import { bucketOf, BUCKETS } from '../redis/redis-key.redis.js';
import { type Entry, type Line, type SavedKey, toArgument } from './backup-lines.js';
import { parseKey } from './key-kinds.js';
import { ADD_BANS, ADD_BUCKET, ADVANCE_CLOCK, WRITE_ENTRIES, WRITE_UNIT } from './scripts.redis.js';

type Unit = Extract<Line, { t: 'unit' }>;
type Bucket = Extract<Line, { t: 'bucket' }>;

export interface Written {
  readonly units: number;
  readonly messages: number;
  /** Keys, and bans, that were there before, and stay as they are. */
  readonly kept: number;
}

const IN_FLIGHT = 64;
/** A store that is away for a moment: every write may be repeated. */
const TRIES = 20;
const TRY_AGAIN_MS = 500;

/** Writes the lines of a backup. Each may be written any number of times: what is there stays. */
export class StoreWriter {
  private units = 0;
  private messages = 0;
  private kept = 0;
  private readonly inFlight = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | null = null;

  constructor(
    private readonly client: RedisClient,
    private readonly backupId: string,
    private readonly wait: (ms: number) => Promise<void>,
  ) {}

  get written(): Written {
    const { units, messages, kept } = this;
    return { units, messages, kept };
  }

  /** Resolves when the next may come; `settle` when everything is written. Rejects with what an earlier one met. */
  async write(line: Line): Promise<void> {
    if (line.t === 'entries') return this.entries(line.key, line.isFirst, line.entries);
    if (line.t === 'unit') return this.launch(() => this.unit(line));
    if (line.t === 'bucket') return this.launch(() => this.bucket(line));
  }

  async settle(): Promise<void> {
    await Promise.all(this.inFlight);
    if (this.failure !== null) throw this.failure.error;
  }

  /** After everything: what only a restore needs goes away. */
  async cleanUp(): Promise<void> {
    for (let bucket = 0; bucket < BUCKETS; bucket++) await this.launch(() => this.forget(bucket));
    await this.settle();
  }

  private async launch(work: () => Promise<void>): Promise<void> {
    const done: Promise<void> = work()
      .catch((error: unknown) => {
        this.failure ??= { error };
      })
      .finally(() => this.inFlight.delete(done));
    this.inFlight.add(done);
    if (this.inFlight.size >= IN_FLIGHT) await Promise.race(this.inFlight);
    if (this.failure !== null) throw this.failure.error;
  }

  private async entries(key: string, isFirst: boolean, entries: readonly Entry[]): Promise<void> {
    const args: Argument[] = [isFirst ? 1 : 0];
    for (const [id, ...fields] of entries) args.push(id, fields.length, ...fields.map(toArgument));
    await this.again(() => this.client.run(WRITE_ENTRIES, [this.key(stagedOf(key))], args));
  }

  private async unit(unit: Unit): Promise<void> {
    const [first] = unit.keys;
    if (first === undefined) return;
    this.units += 1;
    if (first.key === 'clock') return this.clock(first);
    if (first.key === 'ban') return this.bans(first);
    const { address } = unit;
    const keys = [...this.beside(first.key, address), ...unit.keys.map(({ key }) => this.key(key))];
    const args = [address ?? '', ...unit.keys.flatMap(argumentsOf)];
    const reply = await this.again(() => this.client.run(WRITE_UNIT, keys, args));
    const [, there, waiting] = reply as [number, number, number];
    this.kept += there;
    this.messages += waiting;
  }

  /** Totals, expiry index, number of public keys, staged log; state, block list, first proof, version of block lists. Without an address only the last counts: it must lie in the same slot. */
  private beside(key: string, address: string | null): string[] {
    if (address === null) {
      const full = this.key(key);
      return [full, full, full, this.key(`staged:{${/\{(.+?)\}/.exec(full)?.[1] ?? full}}`)];
    }
    const own = `{${bucketOf(address as Address)}}`;
    const ofBucket = [`tot:${own}`, `exp:${own}`, `keys:${own}`, `staged:${own}:${address}`];
    const ofAddress = ['st', 'blk', 'own'].map((kind) => `${kind}:${own}:${address}`);
    return [...ofBucket, ...ofAddress, `blv:${own}`].map((name) => this.key(name));
  }

  private async bucket({ bucket, acknowledged, expired, dropped, owed }: Bucket): Promise<void> {
    const keys = [`added:{${bucket}}`, `tot:{${bucket}}`, `out:{${bucket}}`].map((key) => this.key(key));
    const args = [this.backupId, acknowledged, expired, dropped, ...owed.map(toArgument)];
    await this.again(() => this.client.run(ADD_BUCKET, keys, args));
  }

  private async clock({ values: [value = ''] }: SavedKey): Promise<void> {
    await this.again(() => this.client.run(ADVANCE_CLOCK, [this.key('clock')], [toArgument(value)]));
  }

  /** Each by itself: who is banned there stays so, with that note. */
  private async bans({ values }: SavedKey): Promise<void> {
    const args = [randomBytes(9).toString('base64url'), ...values.map(toArgument)];
    this.kept += Number(await this.again(() => this.client.run(ADD_BANS, [this.key('ban')], args)));
  }

  private async forget(bucket: number): Promise<void> {
    await this.again(() => this.client.command('UNLINK', this.key(`added:{${bucket}}`)));
  }

  private async again<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof RelayError) || attempt === TRIES) throw error;
        await this.wait(TRY_AGAIN_MS);
      }
    }
  }

  private key(key: string): string {
    return `${this.client.prefix}${key}`;
  }
}

/** Beside the log that it becomes, in its slot. */
function stagedOf(key: string): string {
  return `staged:${key.slice(key.indexOf('{'))}`;
}

function argumentsOf({ key, type, until, values, entries = 0 }: SavedKey): Argument[] {
  const { kind } = parseKey(key);
  const group = kind.backup === 'mailbox' ? 'mailbox' : kind.name === 'key' || kind.name === 'ses' ? kind.name : '';
  return [group, type, until ?? '', entries, values.length, ...values.map(toArgument)];
}
