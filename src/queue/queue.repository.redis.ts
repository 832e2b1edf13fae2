import { type Address, RelayError } from '@relay/protocol';
import type { Backplane } from '../backplane/backplane.js';
import type { Logger } from '../common/logger.js';
import { NotExecuted, type RedisClient, type Script } from '../redis/redis-client.redis.js';
import { BUCKETS, bucketOf } from '../redis/redis-key.redis.js';
import { AcknowledgeBatch } from './acknowledge-batch.redis.js';
import { AppendBatch, type AppendReply, type Place } from './append-batch.redis.js';
import { type EntryId, msOf, sequenceOf } from './entry-id.js';
import { PATIENCE_MS } from './lanes.js';
import { LedgerWatch } from './ledger-watch.redis.js';
import { MailboxKeys } from './mailbox-keys.redis.js';
import { MailboxPurge } from './mailbox-purge.redis.js';
import { MailboxReads } from './mailbox-reads.redis.js';
import { RedisMailboxSurvey } from './mailbox-survey.redis.js';
import { OwedInRedis } from './owed-receipts.redis.js';
import { QueueLedger } from './queue-ledger.redis.js';
import { RECEIPT_LETTERS, unpackEntry } from './packed-entry.redis.js';
import {
  type Acknowledged,
  type Acknowledgement,
  type Appended,
  type AppendedElsewhere,
  type Cursor,
  type DeviceId,
  type Glance,
  type HistoryPage,
  type Ledger,
  type LedgerCheck,
  type MailboxDevice,
  type MailboxLimits,
  type MessageEntry,
  type MessageReference,
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
  type RetireOptions,
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
  /** 0 (inclusive) to 1. */
  readonly random?: () => number;
}

/** A mailbox is remembered this much longer than its mail, so that a device that comes back late learns what it missed. */
const STATE_GRACE_MS = 2 * 60 * 60 * 1000;
const REPLICATED_WITHIN_MS = 2_000;

type Reply = readonly (string | number)[];

/**
 * Mailboxes in Redis. `{b}` is the bucket of the address, one of 1024 and part of the format; every script works within
 * one, so within one slot of a Cluster. All keys carry the prefix.
 *
 * | key          | type   | holds                                                        | goes away                        |
 * | ------------ | ------ | ------------------------------------------------------------ | -------------------------------- |
 * | `mb:{b}:A`   | stream | the log                                                      | with its last entry              |
 * | `st:{b}:A`   | hash   | counts, devices, digests of remembered messages              | retention + 2 h after its last mail and use |
 * | `shr:{b}:A`  | hash   | pending messages by sender, while the mailbox is half full   | with the next acknowledgement    |
 * | `gho:{b}:A`  | hash   | what blocked senders believe to be waiting: no content        | retention + 2 h after the last   |
 * | `rd:{b}:A`   | zset   | digests of messages whose `read` receipt was stored of late   | 2 minutes after the last         |
 * | `exp:{b}`    | zset   | address → when the first entry of its log is due             | with the last log of the bucket  |
 * | `ghx:{b}`    | zset   | address → when the first of those is due                     | with the last of the bucket      |
 * | `out:{b}`    | hash   | receipts owed                                                | once they are passed on          |
 * | `tot:{b}`    | hash   | accepted, acknowledged, expired, dropped; mailboxes with mail | stays: one for each bucket       |
 * | `lock:purge` | string | the node that purges                                         | after its round, or a minute     |
 * | `lock:audit` | string | the node that compares ledger and mailboxes                  | a minute after its last look     |
 *
 * The scripts are the `.lua` files beside this; mailbox.lua has what they share and the format of an entry.
 */
export class RedisQueueRepository extends QueueRepository {
  private readonly scripts: MailboxScripts;
  private readonly batches = new WeakMap<MailboxLimits, AppendBatch>();
  private readonly acknowledgements: AcknowledgeBatch;
  private readonly keys: MailboxKeys;
  private readonly reads: MailboxReads;
  private readonly expiry: MailboxPurge;
  private readonly receipts: OwedInRedis;
  private readonly totals: QueueLedger;
  private readonly listening: string;
  private readonly notListening: string;
  private readonly replicating = new Map<number, Promise<void>>();
  private readonly watch: LedgerWatch;

  constructor(private readonly options: RedisQueueOptions) {
    super();
    const { retentionMs, historyMs, backplane, client, clock } = options;
    this.listening = `1${backplane.node}`;
    this.notListening = `0${backplane.node}`;
    this.scripts = mailboxScripts({ stateTtlMs: retentionMs + STATE_GRACE_MS, historyMs });
    const now = (): number => clock.now();
    this.acknowledgements = new AcknowledgeBatch(this.scripts.acknowledge, client, now);
    const { ledgerMaxAgeMs = 1_000, logger, random = Math.random } = options;
    const keys = new MailboxKeys(client.prefix);
    const expire = (mailbox: Address, withGhosts = false): Promise<void> => this.expire(mailbox, withGhosts);
    const listener = (mailbox: Address): string => this.listener(mailbox);
    this.keys = keys;
    this.reads = new MailboxReads({ client, keys, scripts: this.scripts, logger, now, listener, expire });
    this.expiry = new MailboxPurge({ client, keys, node: backplane.node, now, expire });
    this.receipts = new OwedInRedis(client, keys, this.scripts.owed, now);
    this.totals = new QueueLedger(client, keys, ledgerMaxAgeMs, logger);
    this.watch = new LedgerWatch({ client, clock, node: backplane.node, random, logger });
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
    const [after, head, claim, devices, others, isNew] = await this.onMailbox(
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
      isNew: Number(isNew) === 1,
      devices: Number(devices),
      isHeldElsewhere: Number(others) > 0,
    };
  }

  override async devices(mailbox: Address): Promise<readonly MailboxDevice[]> {
    const reply = (await this.options.client.run(
      this.scripts.devices,
      [this.keys.one('st', mailbox)],
      [],
    )) as Reply | null;
    const last = Number(reply?.at(-1) ?? 0);
    const seenSince = this.options.clock.now() - this.options.retentionMs - STATE_GRACE_MS;
    const found: MailboxDevice[] = [];
    for (let i = 0; reply !== null && i + 2 < reply.length; i += 3) {
      const [device, lastUsedAt, sequence] = [String(reply[i]), Number(reply[i + 1]), Number(reply[i + 2])];
      if (lastUsedAt >= seenSince) found.push({ device, lastUsedAt, pending: Math.max(0, last - sequence) });
    }
    return found;
  }

  override async retire(
    mailbox: Address,
    device: DeviceId,
    { keepAfter, claim }: RetireOptions = {},
  ): Promise<boolean> {
    const keep = keepAfter === undefined ? '' : (keepAfter ?? '0-0');
    const args = [device, keep, claim ?? ''];
    const hadPlace: unknown = await this.onMailbox(this.scripts.retire, mailbox, this.options.clock.now(), args);
    return hadPlace === 1;
  }

  override async acknowledge(mailbox: Address, acknowledgement: Acknowledgement): Promise<Acknowledged> {
    const { device, upTo, claim = 0, keepAfter, isShared = false, messages = [] } = acknowledgement;
    const keep = keepAfter === undefined ? '' : (keepAfter ?? '0-0');
    const owedMessages = messages.map(referencesIn).join('\n');
    const others = isShared ? this.listener(mailbox) : '';
    const args = [mailbox, device, msOf(upTo), sequenceOf(upTo), claim, keep, owedMessages, others];
    const [kind, before, silent, owed] = await this.acknowledgements.add(this.keys.of(mailbox), args);
    if (kind !== 'acknowledged') return { kind: kind as 'ahead' | 'superseded' };
    const first = owedIn(mailbox, owed);
    const names = first === null ? [] : messages.map((_, i) => (i === 0 ? first : `${first}.${i}`));
    return { kind, before: Number(before), silent: sequencesOf(silent as string), owed: names };
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

  override async clear(mailbox: Address): Promise<number> {
    return (await this.onMailbox(this.scripts.clear, mailbox, this.options.clock.now(), [])) as unknown as number;
  }

  override read(
    mailbox: Address,
    after: EntryId | null,
    maxEntries: number,
    maxBytes: number,
    meanBytes?: number,
  ): Promise<Page> {
    return this.reads.read(mailbox, after, maxEntries, maxBytes, meanBytes);
  }

  override pending(
    mailbox: Address,
    after: EntryId | null,
    maxEntries: number,
    maxBytes: number,
  ): Promise<PendingPage> {
    return this.reads.pending(mailbox, after, maxEntries, maxBytes);
  }

  override size(mailbox: Address): Promise<number> {
    return this.reads.size(mailbox);
  }

  override glance(mailboxes: readonly Address[]): Promise<readonly (Glance | null)[]> {
    return this.reads.glance(mailboxes);
  }

  override history(
    mailbox: Address,
    before: EntryId | null,
    maxEntries: number,
    maxBytes: number,
  ): Promise<HistoryPage> {
    return this.reads.history(mailbox, before, maxEntries, maxBytes);
  }

  override purge(): Promise<boolean> {
    return this.expiry.run();
  }

  override owed(): Promise<readonly OwedReceipts[]> {
    return this.receipts.due();
  }

  override settle(owed: readonly Owed[]): Promise<void> {
    return this.receipts.settle(owed);
  }

  override ledger(): Promise<Ledger> {
    return this.totals.read();
  }

  override checkLedger(): Promise<LedgerCheck | null> {
    return this.watch.check();
  }

  override now(): number {
    return this.options.clock.now();
  }

  override async reach(): Promise<void> {
    const { client } = this.options;
    const buckets = client.isCluster ? this.bucketOfEachPrimary() : [0];
    await Promise.all(buckets.map((bucket) => client.command('HGET', this.keys.bucket('tot', bucket), 'a')));
  }

  override onAppended(listener: AppendedElsewhere): void {
    this.options.backplane.listen('e', (mailbox, payload, node) => {
      const space = payload.indexOf(' ');
      const entry = unpackEntry(payload.slice(0, space), payload.slice(space + 1))?.entry;
      if (entry === undefined) return;
      listener(mailbox, entry.kind === 'message' ? Object.assign(entry, { appendedBy: node }) : entry);
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
      waiting = client.commandBeside(this.keys.one('mb', mailbox), 'WAIT', 1, REPLICATED_WITHIN_MS).then((replicas) => {
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

  private batchWithin(limits: MailboxLimits): AppendBatch {
    let batch = this.batches.get(limits);
    if (batch === undefined) {
      const { client, clock, backplane } = this.options;
      batch = new AppendBatch(this.scripts.append(limits), {
        client,
        node: backplane.node,
        now: () => clock.now(),
        keysOf: (mailbox) => this.keys.of(mailbox),
        listensTo: (mailbox) => backplane.isJoined('mailbox', mailbox),
        stored: (mailbox, message, place, others) => this.stored(mailbox, message, place, others),
        answered: (mailbox, message, reply) => this.answered(mailbox, message, reply),
        failed: (error) => {
          if (error instanceof NotExecuted) return { kind: 'refused', code: 'store_unavailable' };
          throw error;
        },
        // What a replica must confirm is answered so much later.
        patienceMs: this.options.durability === 'replica' ? PATIENCE_MS - REPLICATED_WITHIN_MS : PATIENCE_MS,
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
    isNearlyFull = false,
  ): Appended | Promise<Appended> {
    const { from, messageId, content, timestamp } = message;
    const entry: MessageEntry = { kind: 'message', id, sequence, from, messageId, content, timestamp, queuedAt: ms };
    return this.kept(mailbox, { kind: 'stored', entry, isHeldElsewhere: others > 0, isNearlyFull });
  }

  private answered(mailbox: Address, message: NewMessage, reply: AppendReply): Appended | Promise<Appended> {
    const [first, value, detail] = reply;
    if (first === 'refused') return { kind: 'refused', code: value as 'mailbox_full' };
    // It takes as long as what is stored.
    if (first === 'blocked') return this.kept(mailbox, { kind: 'blocked' });
    if (first === 'repeat') {
      return this.kept(mailbox, { kind: 'repeat', id: value as EntryId, acknowledged: detail === 1 });
    }
    const id = first as EntryId;
    return this.stored(mailbox, message, { id, ms: msOf(id), sequence: sequenceOf(id) }, Number(value), detail === 1);
  }

  /** What counts as stored, once it is as durable as it is to be. */
  private kept(mailbox: Address, appended: Appended): Appended | Promise<Appended> {
    return this.options.durability === 'replica' ? this.replicated(mailbox).then(() => appended) : appended;
  }

  private async expire(mailbox: Address, withGhosts = false): Promise<void> {
    await this.onMailbox(this.scripts.expire, mailbox, this.options.clock.now(), withGhosts ? [1] : []);
  }

  private onMailbox(script: Script, mailbox: Address, now: number, args: readonly (string | number)[]): Promise<Reply> {
    return this.options.client.run(script, this.keys.of(mailbox), [now, mailbox, ...args]) as Promise<Reply>;
  }

  /** Whether this node listens to the mailbox, and its name: what a script needs to wake the others. */
  private listener(mailbox: Address): string {
    const { backplane } = this.options;
    return backplane.isJoined('mailbox', mailbox) ? this.listening : this.notListening;
  }
}

function idOrNull(value: string | number | undefined): EntryId | null {
  return value === '' || value === undefined ? null : (value as EntryId);
}

/** JSON, in one line. */
function referencesIn(messages: readonly MessageReference[]): string {
  return JSON.stringify(messages.map(({ sequence, from, messageId }) => [sequence, from, messageId]));
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
