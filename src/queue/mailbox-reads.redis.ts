import { type Address, RelayError } from '@relay/protocol';
import type { Logger } from '../common/logger.js';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { type EntryId, formatEntryId, isLater, sequenceOf } from './entry-id.js';
import type { MailboxKeys } from './mailbox-keys.redis.js';
import { type Unpacked, unpackEntry } from './packed-entry.redis.js';
import type { DeviceId, Entry, Glance, HistoryPage, MessageEntry, Page, PendingPage } from './queue.repository.js';
import type { MailboxScripts } from './scripts.redis.js';

export interface ReadParts {
  readonly client: RedisClient;
  readonly keys: MailboxKeys;
  readonly scripts: Pick<MailboxScripts, 'state' | 'glance'>;
  readonly logger?: Logger | undefined;
  now(): number;
  /** Whether this node listens to the mailbox, and its name. */
  listener(mailbox: Address): string;
  /** Removes what is due there, and makes a damaged state anew. */
  expire(mailbox: Address): Promise<void>;
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

const HISTORY_PAGE = 100;

type Reply = readonly (string | number)[];
type StreamReply = readonly (readonly [id: string, fields: readonly string[]])[];

/** What is asked of mailboxes without changing them; rules: `QueueRepository`. */
export class MailboxReads {
  constructor(private readonly parts: ReadParts) {}

  async read(
    mailbox: Address,
    after: EntryId | null,
    maxEntries: number,
    maxBytes: number,
    lastMeanBytes?: number,
  ): Promise<Page> {
    // Without knowing their sizes, no more than can be expected to fit: a page must not cost a hundred times what it holds.
    const countFor = (mean: number): number =>
      Math.min(maxEntries, Math.max(1, Math.ceil(maxBytes / Math.max(1, mean))));
    const [state, ahead] = await Promise.all([
      this.state(mailbox),
      // Behind the state in the same write, where it need not be waited for: half the round trips of a long backlog.
      lastMeanBytes === undefined ? null : this.range(mailbox, after, countFor(lastMeanBytes)),
    ]);
    if (state === null) return { entries: [], upTo: null, droppedUpTo: 0, acknowledgedUpTo: 0 };
    const { head, droppedUpTo, furthest, meanBytes } = state;
    const acknowledgedUpTo = sequenceOf(furthest);
    const page = { droppedUpTo, acknowledgedUpTo, meanBytes };
    const count = countFor(lastMeanBytes ?? meanBytes);
    const entries: Entry[] = [];
    let upTo = after;
    let bytes = 0;
    let position = after;
    // What nobody can read must not look like the end: a page holds an entry as long as there is one.
    for (let found = ahead; ; found = null) {
      const wasAhead = found !== null;
      found ??= await this.range(mailbox, position, count);
      const now = this.parts.now();
      for (const [id, fields] of found) {
        position = id as EntryId;
        const unpacked = unpackEntry(id, fields[1] ?? '');
        if (unpacked === null) continue;
        if (isShown(unpacked, now)) {
          const { entry } = unpacked;
          bytes += entry.kind === 'message' ? Buffer.byteLength(entry.content) : 0;
          if (bytes > maxBytes && entries.length > 0) return { ...page, entries, upTo };
          entries.push(entry);
        }
        upTo = position;
      }
      // What was asked ahead may be older than the state, whose call may have been held back, and proves no end before its head.
      const isOlder = wasAhead && head !== null && isLater(head, position);
      if (found.length < count && !isOlder) return { ...page, entries, upTo: laterOf(head, upTo) };
      if (entries.length > 0) return { ...page, entries, upTo };
    }
  }

  async pending(mailbox: Address, after: EntryId | null, maxEntries: number, maxBytes: number): Promise<PendingPage> {
    const state = await this.state(mailbox);
    const messages: MessageEntry[] = [];
    if (state === null) return { messages, more: false };
    let position = laterOf(state.furthest, after);
    let bytes = 0;
    for (;;) {
      const count = Math.min(maxEntries + 1, Math.ceil(maxBytes / Math.max(1, state.meanBytes)) + 1);
      const found = await this.range(mailbox, position, count);
      const now = this.parts.now();
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

  async size(mailbox: Address): Promise<number> {
    const state = await this.state(mailbox);
    if (state === null) return 0;
    if (state.due === 0 || state.due > this.parts.now()) return state.pending;
    await this.parts.expire(mailbox);
    return (await this.state(mailbox))?.pending ?? 0;
  }

  async history(mailbox: Address, before: EntryId | null, maxEntries: number, maxBytes: number): Promise<HistoryPage> {
    const messages: MessageEntry[] = [];
    const now = this.parts.now();
    let position = before;
    let bytes = 0;
    // No more than can be expected to fit: a page must not cost a hundred times what it holds.
    const mean = Math.max(1, (await this.state(mailbox))?.meanBytes ?? 1);
    const count = Math.min(maxEntries + 1, HISTORY_PAGE, Math.ceil(maxBytes / mean) + 1);
    for (;;) {
      const end = position === null ? '+' : `(${position}`;
      const key = this.parts.keys.one('mb', mailbox);
      const found = (await this.parts.client.command('XREVRANGE', key, end, '-', 'COUNT', count)) as StreamReply;
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

  async glance(mailboxes: readonly Address[]): Promise<readonly (Glance | null)[]> {
    const glances = await Promise.allSettled(mailboxes.map((mailbox) => this.glanceAt(mailbox)));
    const failed = glances.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
    const away = failed.find(({ reason }) => reason instanceof RelayError);
    if (away !== undefined) throw away.reason;
    if (failed.length > 0) {
      this.parts.logger?.error('mailboxes that cannot be read', failed[0]!.reason, { count: failed.length });
    }
    return glances.map((glance) => (glance.status === 'fulfilled' ? glance.value : null));
  }

  private async state(mailbox: Address): Promise<State | null> {
    const reply = await this.orRebuilt(mailbox, () =>
      this.parts.client.run(this.parts.scripts.state, [this.parts.keys.one('st', mailbox)], []),
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
    const keys = [this.parts.keys.one('st', mailbox), this.parts.keys.one('mb', mailbox)];
    const reply = await this.orRebuilt(mailbox, () =>
      this.parts.client.run(this.parts.scripts.glance, keys, [this.parts.listener(mailbox)]),
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
    await this.parts.expire(mailbox);
    const again = await look();
    if (again === 'damaged') throw new Error('A state is damaged and cannot be rebuilt');
    return again;
  }

  private async range(mailbox: Address, after: EntryId | null, count: number): Promise<StreamReply> {
    const start = after === null ? '-' : `(${after}`;
    const reply = await this.parts.client.command(
      'XRANGE',
      this.parts.keys.one('mb', mailbox),
      start,
      '+',
      'COUNT',
      count,
    );
    return reply as StreamReply;
  }
}

function isShown(unpacked: Unpacked | null, now: number): unpacked is Unpacked {
  return unpacked !== null && unpacked.expiresAt > now;
}

function laterOf(a: EntryId | null, b: EntryId | null): EntryId | null {
  return a === null || (b !== null && isLater(b, a)) ? b : a;
}
