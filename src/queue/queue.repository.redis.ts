import { type Address, RelayError } from '@relay/protocol';
import { createHash } from 'node:crypto';
import type { Backplane } from '../backplane/backplane.js';
import type { Logger } from '../common/logger.js';
import { NotExecuted, type RedisClient, type Script } from '../redis/redis-client.redis.js';
import { BUCKETS, bucketOf } from '../redis/redis-key.redis.js';
import { AcknowledgeBatch } from './acknowledge-batch.redis.js';
import { AppendBatch, type AppendReply, type Place } from './append-batch.redis.js';
import { type EntryId, formatEntryId, isLater, msOf, sequenceOf } from './entry-id.js';
import { RedisMailboxSurvey } from './mailbox-survey.redis.js';
import { type OwedItem, parseOwed, receiptsOf } from './owed.redis.js';
import { RECEIPT_LETTERS, type Unpacked, unpackEntry } from './packed-entry.redis.js';
import {
  type Acknowledged,
  type Acknowledgement,
  type Appended,
  type AppendedElsewhere,
  type Cursor,
  type DeviceId,
  type Entry,
  type Glance,
  type HistoryPage,
  type Ledger,
  type MailboxDevice,
  type MailboxLimits,
  type MessageEntry,
  type NewMessage,
  type OpenOptions,
  type Owed,
  type OwedReceipts,
  type Page,
  type PendingPage,
  QueueRepository,
  type ReadMark,
  type Receipt,
  type ReceiptEntry,
} from './queue.repository.js';
import { type MailboxScripts, mailboxScripts } from './scripts.redis.js';

export interface RedisQueueOptions {
  readonly client: RedisClient;
  readonly backplane: Backplane & { isJoined(topic: 'mailbox', address: Address): boolean };
  /** ms since 1970, the same for all nodes, whatever their wall clocks do. */
  readonly clock: { now(): number };
  /** How long receipts are kept, and devices and states after they were last used. */
  readonly retentionMs: number;
  /** How long acknowledged entries are kept. */
  readonly historyMs: number;
  readonly maxReceipts: number;
  readonly maxDevices: number;
  /** Whether a message counts as accepted once the primary has it, or when a replica does. */
  readonly durability?: 'primary' | 'replica';
  /** How old a ledger may be: summing it reads every bucket. */
  readonly ledgerMaxAgeMs?: number;
  readonly logger?: Logger;
}

interface State {
  readonly head: EntryId | null;
  readonly droppedUpTo: number;
  readonly furthest: EntryId | null;
  readonly pending: number;
  /** When its first entry is due; 0: never. */
  readonly due: number;
  readonly meanBytes: number;
}

/** A mailbox is remembered this much longer than its mail, so that a device that comes back late learns what it missed. */
const STATE_GRACE_MS = 2 * 60 * 60 * 1000;
const BUCKETS_PER_TURN = 256;
/** Each takes some 40 µs. */
const MAILBOXES_PER_CALL = 25;
const BUCKETS_PER_CALL = 16;
const DUE_PER_BUCKET = 200;
const OWED_FOR_MS = 30_000;
/** Of a bucket in one call; a page has about a hundred. */
const OWED_PAGES = 20;
const PURGE_LEASE_MS = 60_000;
const HISTORY_PAGE = 100;
const MAX_KEPT_KEYS = 20_000;
const REPLICATED_WITHIN_MS = 2_000;

type Reply = readonly (string | number)[];
type StreamReply = readonly (readonly [id: string, fields: readonly string[]])[];

/**
 * Mailboxes in Redis. `{b}` is the bucket of the address, one of 1024 and part of the format; every script works within
 * one, so within one slot of a Cluster. All keys carry the prefix.
 *
 * | key          | type   | holds                                                        | goes away                        |
 * | ------------ | ------ | ------------------------------------------------------------ | -------------------------------- |
 * | `mb:{b}:A`   | stream | the log                                                      | with its last entry              |
 * | `st:{b}:A`   | hash   | counts, devices, digests of remembered messages              | retention + 2 h after its last mail and use |
 * | `shr:{b}:A`  | hash   | pending messages by sender, while the mailbox is half full   | with the next acknowledgement    |
 * | `gho:{b}:A`  | hash   | digests of what blocked senders sent, at most 512            | retention + 2 h after the last   |
 * | `rd:{b}:A`   | zset   | digests of messages whose `read` receipt was stored of late   | 2 minutes after the last         |
 * | `exp:{b}`    | zset   | address → when the first entry of its log is due             | with the last log of the bucket  |
 * | `out:{b}`    | hash   | receipts owed                                                | once they are passed on          |
 * | `tot:{b}`    | hash   | accepted, acknowledged, expired, dropped; mailboxes with mail | stays: one for each bucket       |
 * | `lock:purge` | string | the node that purges                                         | after its round, or a minute     |
 *
 * The scripts are the `.lua` files beside this; mailbox.lua has what they share and the format of an entry.
 */
export class RedisQueueRepository extends QueueRepository {
  private readonly scripts: MailboxScripts;
  private readonly batches = new WeakMap<MailboxLimits, AppendBatch>();
  private readonly acknowledgements: AcknowledgeBatch;
  private readonly keys = new Map<Address, readonly string[]>();
  private readonly listening: string;
  private readonly notListening: string;
  private readonly replicating = new Map<number, Promise<void>>();
  private nextBucket = 0;
  /** Where to go on in buckets that owe more than a call looks through. */
  private readonly owedCursors = new Map<number, string>();
  private rebuilt = 0;
  private isPurging = false;
  private ledgerRead: { readonly at: number; readonly ledger: Promise<Ledger> } | null = null;

  constructor(private readonly options: RedisQueueOptions) {
    super();
    const { retentionMs, historyMs, backplane, client, clock } = options;
    this.listening = `1${backplane.node}`;
    this.notListening = `0${backplane.node}`;
    this.scripts = mailboxScripts({ stateTtlMs: retentionMs + STATE_GRACE_MS, historyMs });
    this.acknowledgements = new AcknowledgeBatch(this.scripts.acknowledge, client, () => clock.now());
  }

  override append(mailbox: Address, message: NewMessage, limits: MailboxLimits): Promise<Appended> {
    return this.batchWithin(limits).add(mailbox, message);
  }

  override async appendReceipts(mailbox: Address, receipts: readonly Receipt[]): Promise<readonly ReceiptEntry[]> {
    const now = this.options.clock.now();
    const args: (string | number)[] = [now + this.options.retentionMs, this.options.maxReceipts];
    args.push(this.listener(mailbox));
    for (const { kind, peer, timestamp, messageId } of receipts) {
      args.push(RECEIPT_LETTERS[kind], peer, timestamp, messageId);
    }
    const ids = (await this.onMailbox(this.scripts.appendReceipts, mailbox, now, args)) as readonly EntryId[];
    return receipts.flatMap((receipt, i) => {
      const id = idOrNull(ids[i]);
      return id === null ? [] : [{ ...receipt, id, sequence: sequenceOf(id) }];
    });
  }

  override async open(mailbox: Address, device: DeviceId, { exclusive = false }: OpenOptions = {}): Promise<Cursor> {
    const args = [device, this.options.maxDevices, exclusive ? 1 : 0, this.listener(mailbox)];
    const [after, head, claim, devices, others] = await this.onMailbox(
      this.scripts.open,
      mailbox,
      this.options.clock.now(),
      args,
    );
    if (after === 'full') throw new RelayError('forbidden', 'This address has as many devices as it may have');
    return {
      after: idOrNull(after),
      head: idOrNull(head),
      claim: Number(claim),
      devices: Number(devices),
      isHeldElsewhere: Number(others) > 0,
    };
  }

  override async devices(mailbox: Address): Promise<readonly MailboxDevice[]> {
    const reply = (await this.options.client.run(this.scripts.devices, [this.key('st', mailbox)], [])) as Reply | null;
    const last = Number(reply?.at(-1) ?? 0);
    const seenSince = this.options.clock.now() - this.options.retentionMs - STATE_GRACE_MS;
    const found: MailboxDevice[] = [];
    for (let i = 0; reply !== null && i + 2 < reply.length; i += 3) {
      const [device, lastUsedAt, sequence] = [String(reply[i]), Number(reply[i + 1]), Number(reply[i + 2])];
      if (lastUsedAt >= seenSince) found.push({ device, lastUsedAt, pending: Math.max(0, last - sequence) });
    }
    return found;
  }

  override async retire(mailbox: Address, device: DeviceId, keepAfter?: EntryId | null): Promise<boolean> {
    const keep = keepAfter === undefined ? '' : (keepAfter ?? '0-0');
    const args = [device, keep];
    const hadPlace: unknown = await this.onMailbox(this.scripts.retire, mailbox, this.options.clock.now(), args);
    return hadPlace === 1;
  }

  override async read(mailbox: Address, after: EntryId | null, maxEntries: number, maxBytes: number): Promise<Page> {
    const state = await this.state(mailbox);
    if (state === null) return { entries: [], upTo: null, droppedUpTo: 0, acknowledgedUpTo: 0 };
    const { head, droppedUpTo, furthest, meanBytes } = state;
    const acknowledgedUpTo = sequenceOf(furthest);
    // Without knowing their sizes, no more than can be expected to fit: a page must not cost a hundred times what it holds.
    const count = Math.min(maxEntries, Math.max(1, Math.ceil(maxBytes / Math.max(1, meanBytes))));
    const entries: Entry[] = [];
    let upTo = after;
    let bytes = 0;
    let position = after;
    // What nobody can read must not look like the end: a page holds an entry as long as there is one.
    for (;;) {
      const found = await this.range(mailbox, position, count);
      const now = this.options.clock.now();
      for (const [id, fields] of found) {
        position = id as EntryId;
        const unpacked = unpackEntry(id, fields[1] ?? '');
        if (unpacked === null) continue;
        if (isShown(unpacked, now)) {
          const { entry } = unpacked;
          bytes += entry.kind === 'message' ? Buffer.byteLength(entry.content) : 0;
          if (bytes > maxBytes && entries.length > 0) return { entries, upTo, droppedUpTo, acknowledgedUpTo };
          entries.push(entry);
        }
        upTo = position;
      }
      if (found.length < count) return { entries, upTo: laterOf(head, upTo), droppedUpTo, acknowledgedUpTo };
      if (entries.length > 0) return { entries, upTo, droppedUpTo, acknowledgedUpTo };
    }
  }

  override async acknowledge(mailbox: Address, acknowledgement: Acknowledgement): Promise<Acknowledged> {
    const { device, upTo, claim = 0, keepAfter, isShared = false, messages = [] } = acknowledgement;
    const keep = keepAfter === undefined ? '' : (keepAfter ?? '0-0');
    const owedMessages =
      messages.length === 0 ? '' : JSON.stringify(messages.map((one) => [one.sequence, one.from, one.messageId]));
    const others = isShared ? this.listener(mailbox) : '';
    const args = [mailbox, device, msOf(upTo), sequenceOf(upTo), claim, keep, owedMessages, others];
    const [kind, before, silent, owed] = await this.acknowledgements.add(this.keysOf(mailbox), args);
    if (kind !== 'acknowledged') return { kind: kind as 'ahead' | 'superseded' };
    return { kind, before: Number(before), silent: sequencesOf(silent as string), owed: owedIn(mailbox, owed) };
  }

  override async markRead(mailbox: Address, from: Address, messageId: string): Promise<ReadMark> {
    const reply = await this.onMailbox(this.scripts.markRead, mailbox, this.options.clock.now(), [from, messageId]);
    const [kind, sequence, wasAcknowledged, owed] = reply;
    if (kind !== 'marked') return { kind: kind as 'repeat' | 'unknown' };
    return {
      kind,
      sequence: Number(sequence),
      wasAcknowledged: wasAcknowledged === 1,
      owed: owedIn(mailbox, owed),
    };
  }

  override async pending(
    mailbox: Address,
    after: EntryId | null,
    maxEntries: number,
    maxBytes: number,
  ): Promise<PendingPage> {
    const state = await this.state(mailbox);
    const messages: MessageEntry[] = [];
    if (state === null) return { messages, more: false };
    let position = laterOf(state.furthest, after);
    let bytes = 0;
    for (;;) {
      const count = Math.min(maxEntries + 1, Math.ceil(maxBytes / Math.max(1, state.meanBytes)) + 1);
      const found = await this.range(mailbox, position, count);
      const now = this.options.clock.now();
      for (const [id, fields] of found) {
        position = id as EntryId;
        const unpacked = unpackEntry(id, fields[1] ?? '');
        if (!isShown(unpacked, now) || unpacked.entry.kind !== 'message') continue;
        bytes += Buffer.byteLength(unpacked.entry.content);
        if (messages.length === maxEntries || (bytes > maxBytes && messages.length > 0))
          return { messages, more: true };
        messages.push(unpacked.entry);
      }
      if (found.length < count) return { messages, more: false };
    }
  }

  override async size(mailbox: Address): Promise<number> {
    const state = await this.state(mailbox);
    if (state === null) return 0;
    if (state.due === 0 || state.due > this.options.clock.now()) return state.pending;
    await this.expire(mailbox);
    return (await this.state(mailbox))?.pending ?? 0;
  }

  override async clear(mailbox: Address): Promise<number> {
    return (await this.onMailbox(this.scripts.clear, mailbox, this.options.clock.now(), [])) as unknown as number;
  }

  override async glance(mailboxes: readonly Address[]): Promise<readonly (Glance | null)[]> {
    const glances = await Promise.allSettled(mailboxes.map((mailbox) => this.glanceAt(mailbox)));
    const failed = glances.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
    const away = failed.find(({ reason }) => reason instanceof RelayError);
    if (away !== undefined) throw away.reason;
    if (failed.length > 0) {
      this.options.logger?.error('mailboxes that cannot be read', failed[0]!.reason, { count: failed.length });
    }
    return glances.map((glance) => (glance.status === 'fulfilled' ? glance.value : null));
  }

  override async history(
    mailbox: Address,
    before: EntryId | null,
    maxEntries: number,
    maxBytes: number,
  ): Promise<HistoryPage> {
    const messages: MessageEntry[] = [];
    const now = this.options.clock.now();
    let position = before;
    let bytes = 0;
    // No more than can be expected to fit: a page must not cost a hundred times what it holds.
    const mean = Math.max(1, (await this.state(mailbox))?.meanBytes ?? 1);
    const count = Math.min(maxEntries + 1, HISTORY_PAGE, Math.ceil(maxBytes / mean) + 1);
    for (;;) {
      const end = position === null ? '+' : `(${position}`;
      const key = this.key('mb', mailbox);
      const found = (await this.options.client.command('XREVRANGE', key, end, '-', 'COUNT', count)) as StreamReply;
      for (const [id, fields] of found) {
        const unpacked = unpackEntry(id, fields[1] ?? '');
        if (isShown(unpacked, now) && unpacked.entry.kind === 'message') {
          bytes += Buffer.byteLength(unpacked.entry.content);
          if (messages.length === maxEntries || (bytes > maxBytes && messages.length > 0)) {
            return { messages, next: messages.at(-1)!.id };
          }
          messages.push(unpacked.entry);
        }
        position = id as EntryId;
      }
      if (found.length < count) return { messages, next: null };
    }
  }

  /**
   * One node at a time; each call works through some buckets. Redis serves nobody else while it works through what one
   * write brought, so each of those is small.
   */
  override async purge(): Promise<boolean> {
    const { client, backplane } = this.options;
    const lock = `${client.prefix}lock:purge`;
    if (!this.isPurging) {
      const locked = await client.command('SET', lock, backplane.node, 'NX', 'PX', PURGE_LEASE_MS);
      if (locked !== 'OK') return false;
      this.isPurging = true;
    }
    const end = this.nextBucket + BUCKETS_PER_TURN;
    while (this.nextBucket < end) {
      const isUnfinished = await this.purgeBuckets(this.nextBucket, this.nextBucket + BUCKETS_PER_CALL);
      if (isUnfinished) return true;
      this.nextBucket += BUCKETS_PER_CALL;
    }
    if (this.nextBucket < BUCKETS) return true;
    this.nextBucket = 0;
    this.isPurging = false;
    await client.command('DEL', lock);
    return false;
  }

  /** true: there is more in them. */
  private async purgeBuckets(from: number, to: number): Promise<boolean> {
    const { client, clock } = this.options;
    const range = ['-inf', clock.now(), 'LIMIT', 0, DUE_PER_BUCKET] as const;
    const keys = Array.from({ length: to - from }, (_, i) => this.bucketKey('exp', from + i));
    const due = await Promise.all(keys.map((key) => client.command('ZRANGEBYSCORE', key, ...range)));
    const mailboxes = due.flat() as Address[];
    let isAnyDone = false;
    for (let i = 0; i < mailboxes.length; i += MAILBOXES_PER_CALL) {
      const some = mailboxes.slice(i, i + MAILBOXES_PER_CALL).map((mailbox) => this.expire(mailbox));
      const results = await Promise.allSettled(some);
      // One damaged mailbox must not keep the others; a store that is away ends the round.
      const away = results.find((one) => one.status === 'rejected' && one.reason instanceof RelayError);
      if (away?.status === 'rejected') throw away.reason as RelayError;
      isAnyDone ||= results.some(({ status }) => status === 'fulfilled');
    }
    return isAnyDone && due.some((found) => (found as string[]).length === DUE_PER_BUCKET);
  }

  override async owed(): Promise<readonly OwedReceipts[]> {
    const items: OwedItem[] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket += BUCKETS_PER_TURN) {
      const due = await Promise.all(Array.from({ length: BUCKETS_PER_TURN }, (_, i) => this.dueIn(bucket + i)));
      items.push(...due.flat());
    }
    return Promise.all(items.map((item) => this.owedReceipts(item)));
  }

  override async settle(owed: readonly Owed[]): Promise<void> {
    const byBucket = new Map<number, string[]>();
    for (const one of owed) {
      const separator = one.indexOf('/');
      const bucket = Number(one.slice(0, separator));
      const fields = byBucket.get(bucket);
      if (fields === undefined) byBucket.set(bucket, [one.slice(separator + 1)]);
      else fields.push(one.slice(separator + 1));
    }
    await Promise.all(
      [...byBucket].map(([bucket, fields]) =>
        this.options.client.command('HDEL', this.bucketKey('out', bucket), ...fields),
      ),
    );
  }

  override ledger(): Promise<Ledger> {
    const { ledgerMaxAgeMs = 1_000 } = this.options;
    const at = performance.now();
    if (this.ledgerRead !== null && at - this.ledgerRead.at < ledgerMaxAgeMs) return this.ledgerRead.ledger;
    const ledger = this.readLedger();
    this.ledgerRead = { at, ledger };
    // A failure is not an answer to keep.
    ledger.catch(() => (this.ledgerRead = null));
    return ledger;
  }

  override now(): number {
    return this.options.clock.now();
  }

  override async reach(): Promise<void> {
    const { client } = this.options;
    const buckets = client.isCluster ? this.bucketOfEachPrimary() : [0];
    await Promise.all(buckets.map((bucket) => client.command('HGET', this.bucketKey('tot', bucket), 'a')));
  }

  override onAppended(listener: AppendedElsewhere): void {
    this.options.backplane.listen('e', (mailbox, payload) => {
      const space = payload.indexOf(' ');
      const unpacked = unpackEntry(payload.slice(0, space), payload.slice(space + 1));
      if (unpacked !== null) listener(mailbox, unpacked.entry);
    });
  }

  /** For operators. */
  survey(): RedisMailboxSurvey {
    return new RedisMailboxSurvey(this.options.client, this.scripts.weigh);
  }

  /** One WAIT for all that was answered in the same turn, for each bucket in a Cluster. */
  private replicated(mailbox: Address): Promise<void> {
    const { client } = this.options;
    const group = client.isCluster ? bucketOf(mailbox) : 0;
    let waiting = this.replicating.get(group);
    if (waiting === undefined) {
      setImmediate(() => this.replicating.delete(group));
      waiting = client.commandBeside(this.key('mb', mailbox), 'WAIT', 1, REPLICATED_WITHIN_MS).then((replicas) => {
        if (Number(replicas) < 1) throw new RelayError('store_unavailable', 'No replica has the message yet');
      });
      this.replicating.set(group, waiting);
    }
    return waiting;
  }

  /** Each primary is asked once; what none is known to serve makes the command itself fail. */
  private bucketOfEachPrimary(): number[] {
    const buckets = new Map<string | undefined, number>();
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const primary = this.options.client.primaryOf(`{${bucket}}`);
      if (!buckets.has(primary)) buckets.set(primary, bucket);
    }
    return [...buckets.values()];
  }

  /** Goes on where the last call stopped, until something is due or, for now, enough was looked through. */
  private async dueIn(bucket: number): Promise<OwedItem[]> {
    const now = this.options.clock.now();
    let cursor = this.owedCursors.get(bucket) ?? '0';
    let due: OwedItem[] = [];
    for (let page = 0; page < OWED_PAGES && due.length === 0; page++) {
      const args = [now, now + OWED_FOR_MS, cursor];
      const reply = await this.options.client.run(this.scripts.owed, [this.bucketKey('out', bucket)], args);
      const [next = '0', ...found] = reply as string[];
      due = parseOwed(bucket, found);
      cursor = next;
      if (cursor === '0') break;
    }
    if (cursor === '0') this.owedCursors.delete(bucket);
    else this.owedCursors.set(bucket, cursor);
    return due;
  }

  private async readLedger(): Promise<Ledger> {
    const sum = { a: 0, k: 0, x: 0, d: 0, b: 0, r: 0 };
    const replies = await Promise.all(
      Array.from({ length: BUCKETS }, (_, bucket) =>
        this.options.client.command('HMGET', this.bucketKey('tot', bucket), 'a', 'k', 'x', 'd', 'b', 'r'),
      ),
    );
    for (const reply of replies as (string | null)[][]) {
      Object.keys(sum).forEach((field, i) => (sum[field as keyof typeof sum] += Number(reply[i] ?? 0)));
    }
    if (sum.r > this.rebuilt) this.options.logger?.error('damaged mailboxes were rebuilt', undefined, { count: sum.r });
    this.rebuilt = sum.r;
    const { a: accepted, k: acknowledged, x: expired, d: dropped, b: mailboxes } = sum;
    return {
      accepted,
      acknowledged,
      expired,
      dropped,
      pending: accepted - acknowledged - expired - dropped,
      mailboxes,
    };
  }

  /** A `delivered` that nobody passed on is owed no more once its `read` is: it would turn the tick back. */
  private async owedReceipts(item: OwedItem): Promise<OwedReceipts> {
    const { owed, mailbox, kind } = item;
    const receipts = receiptsOf(item);
    if (kind !== 'delivered' || receipts.length === 0) return { owed, receipts };
    const digests = receipts.map(({ to, receipt }) => digestOf(to, receipt.messageId));
    const records = (await this.options.client.command('HMGET', this.key('st', mailbox), ...digests)) as (
      string | null
    )[];
    return { owed, receipts: receipts.filter((_, i) => records[i]?.split(' ', 3)[2]?.includes('r') !== true) };
  }

  private async expire(mailbox: Address): Promise<void> {
    await this.onMailbox(this.scripts.expire, mailbox, this.options.clock.now(), []);
  }

  private async state(mailbox: Address): Promise<State | null> {
    const reply = await this.orRebuilt(mailbox, () =>
      this.options.client.run(this.scripts.state, [this.key('st', mailbox)], []),
    );
    if (reply === null) return null;
    const [last = 0, lastMs = 0, droppedUpTo = 0, furthest = 0, furthestMs = 0, pending = 0, due = 0, meanBytes = 0] = (
      reply as Reply
    ).map(Number);
    return {
      head: last === 0 ? null : formatEntryId(lastMs, last),
      droppedUpTo,
      furthest: furthest === 0 ? null : formatEntryId(furthestMs, furthest),
      pending,
      due,
      meanBytes,
    };
  }

  private async glanceAt(mailbox: Address): Promise<Glance> {
    const keys = [this.key('st', mailbox), this.key('mb', mailbox)];
    const reply = await this.orRebuilt(mailbox, () =>
      this.options.client.run(this.scripts.glance, keys, [this.listener(mailbox)]),
    );
    const [last, lastMs, others, devices, ...claimed] = reply as Reply;
    const claims = new Map<DeviceId, number>();
    for (let i = 0; i < claimed.length; i += 2) claims.set(String(claimed[i]), Number(claimed[i + 1]));
    const head = last === 0 ? null : formatEntryId(Number(lastMs), Number(last));
    return { head, devices: Number(devices), claims, isHeldElsewhere: Number(others) > 0 };
  }

  /** A script that only reads says that the state is damaged; any that writes makes it anew first. */
  private async orRebuilt(mailbox: Address, look: () => Promise<unknown>): Promise<unknown> {
    const reply = await look();
    if (reply !== 'damaged') return reply;
    await this.expire(mailbox);
    const again = await look();
    if (again === 'damaged') throw new Error('A state is damaged and cannot be rebuilt');
    return again;
  }

  private async range(mailbox: Address, after: EntryId | null, count: number): Promise<StreamReply> {
    const start = after === null ? '-' : `(${after}`;
    const reply = await this.options.client.command('XRANGE', this.key('mb', mailbox), start, '+', 'COUNT', count);
    return reply as StreamReply;
  }

  private batchWithin(limits: MailboxLimits): AppendBatch {
    let batch = this.batches.get(limits);
    if (batch === undefined) {
      const { client, clock, backplane } = this.options;
      batch = new AppendBatch(this.scripts.append(limits), {
        client,
        node: backplane.node,
        now: () => clock.now(),
        keysOf: (mailbox) => this.keysOf(mailbox),
        listensTo: (mailbox) => backplane.isJoined('mailbox', mailbox),
        stored: (mailbox, message, place, others) => this.stored(mailbox, message, place, others),
        answered: (mailbox, message, reply) => this.answered(mailbox, message, reply),
        failed: (error) => {
          if (error instanceof NotExecuted) return { kind: 'refused', code: 'store_unavailable' };
          throw error;
        },
      });
      this.batches.set(limits, batch);
    }
    return batch;
  }

  private stored(
    mailbox: Address,
    message: NewMessage,
    { id, ms, sequence }: Place,
    others: number,
  ): Appended | Promise<Appended> {
    const { from, messageId, content, timestamp } = message;
    const entry: MessageEntry = { kind: 'message', id, sequence, from, messageId, content, timestamp, queuedAt: ms };
    return this.kept(mailbox, { kind: 'stored', entry, isHeldElsewhere: others > 0 });
  }

  private answered(mailbox: Address, message: NewMessage, reply: AppendReply): Appended | Promise<Appended> {
    const [first, value, detail] = reply;
    if (first === 'refused') return { kind: 'refused', code: value as 'mailbox_full' };
    if (first === 'blocked') return { kind: 'blocked' };
    if (first === 'repeat') {
      return this.kept(mailbox, { kind: 'repeat', id: value as EntryId, acknowledged: detail === 1 });
    }
    const id = first as EntryId;
    return this.stored(mailbox, message, { id, ms: msOf(id), sequence: sequenceOf(id) }, Number(value));
  }

  /** What counts as stored, once it is as durable as it is to be. */
  private kept(mailbox: Address, appended: Appended): Appended | Promise<Appended> {
    return this.options.durability === 'replica' ? this.replicated(mailbox).then(() => appended) : appended;
  }

  private onMailbox(script: Script, mailbox: Address, now: number, args: readonly (string | number)[]): Promise<Reply> {
    return this.options.client.run(script, this.keysOf(mailbox), [now, mailbox, ...args]) as Promise<Reply>;
  }

  /** Kept for those in use: making them costs as much as the rest of a call. */
  private keysOf(mailbox: Address): readonly string[] {
    let keys = this.keys.get(mailbox);
    if (keys === undefined) {
      if (this.keys.size >= MAX_KEPT_KEYS) this.keys.clear();
      const { prefix } = this.options.client;
      const shared = `:{${bucketOf(mailbox)}}`;
      const own = `${shared}:${mailbox}`;
      keys = [`${prefix}mb${own}`, `${prefix}st${own}`, `${prefix}tot${shared}`, `${prefix}exp${shared}`];
      this.keys.set(mailbox, keys);
    }
    return keys;
  }

  /** Whether this node listens to the mailbox, and its name: what a script needs to wake the others. */
  private listener(mailbox: Address): string {
    const { backplane } = this.options;
    return backplane.isJoined('mailbox', mailbox) ? this.listening : this.notListening;
  }

  private key(kind: 'mb' | 'st', mailbox: Address): string {
    return `${this.options.client.prefix}${kind}:{${bucketOf(mailbox)}}:${mailbox}`;
  }

  private bucketKey(kind: 'exp' | 'out' | 'tot', bucket: number): string {
    return `${this.options.client.prefix}${kind}:{${bucket}}`;
  }
}

function isShown(unpacked: Unpacked | null, now: number): unpacked is Unpacked {
  return unpacked !== null && unpacked.expiresAt > now;
}

function idOrNull(value: string | number | undefined): EntryId | null {
  return value === '' || value === undefined ? null : (value as EntryId);
}

function laterOf(a: EntryId | null, b: EntryId | null): EntryId | null {
  return a === null || (b !== null && isLater(b, a)) ? b : a;
}

/** As mailbox.lua's `digestOf`. */
function digestOf(sender: Address, messageId: string): string {
  return createHash('sha1')
    .update(sender + messageId)
    .digest('hex')
    .slice(0, 22);
}

function owedIn(mailbox: Address, name: string | number | undefined): Owed | null {
  return name === '' || name === undefined ? null : `${bucketOf(mailbox)}/${name}`;
}

/** Of "3-3 7-9": 3, 7, 8, 9. */
function sequencesOf(ranges: string): number[] {
  const sequences: number[] = [];
  if (ranges === '') return sequences;
  for (const range of ranges.split(' ')) {
    const [from = 0, to = 0] = range.split('-').map(Number);
    for (let sequence = from; sequence <= to; sequence++) sequences.push(sequence);
  }
  return sequences;
}
