import type { Address } from '@relay/protocol';
import type { Screen } from '../contacts/contact.repository.js';
import { type EntryId, formatEntryId, sequenceOf } from './entry-id.js';
import { quickFingerprint } from './fingerprint.memory.js';
import { type Ghost, Ghosts } from './ghosts.memory.js';
import type { MailboxLoad } from './mailbox-survey.js';
import {
  CLASSIC_DEVICE,
  type Acknowledged,
  type Acknowledgement,
  type Appended,
  type Cursor,
  type DeviceId,
  type Entry,
  type Glance,
  type HistoryPage,
  type MailboxDevice,
  type MailboxLimits,
  type MessageEntry,
  type NewMessage,
  type Page,
  type PendingPage,
  type ReadMark,
  type Receipt,
  type ReceiptEntry,
  type RetireOptions,
} from './queue.repository.js';
import { type LoadBeside, PendingLoad, type Tally } from './pending-load.memory.js';
import { RECORD_COST_BYTES, type RememberedMessage, RememberedMessages } from './remembered-messages.memory.js';
import { SilencedSequences } from './silenced-sequences.memory.js';

/** Both clocks at one moment, in whole ms: the wall's for people and ids, the monotonic one for expiry. */
export interface Instant {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

interface Stored {
  readonly entry: Entry;
  readonly bytes: number;
  readonly storedAt: number;
  readonly expiresAt: number;
}

export interface MailboxRules {
  readonly maxDevices: number;
  /** How long acknowledged entries are kept. */
  readonly historyMs: number;
  /** A device, or an empty mailbox, that nobody used for so long is forgotten. */
  readonly unseenMs: number;
  readonly screen: Screen;
}

interface Device {
  readonly id: DeviceId;
  sequence: number;
  after: EntryId | null;
  seenAt: number;
  claim: number;
}

/** Of an entry and its places in the maps. */
const ENTRY_COST_BYTES = 500;
/** Of a new mailbox with one small message. */
export const MAILBOX_COST_BYTES = 1_000;

/** Longer than a `delivered` can be late. */
const READ_KEPT_MS = 120_000;

/** One for all mailboxes without entries, and so nothing may be put into it. */
const EMPTY = Object.freeze<Stored[]>([]) as Stored[];
const NOTHING: readonly number[] = [];
const NOTHING_PENDING = { messages: 0, bytes: 0 };
const BLOCKED: Appended = { kind: 'blocked' };
const NO_GHOSTS: LoadBeside = { all: { messages: 0, bytes: 0 }, own: { messages: 0, bytes: 0 } };

/** One mailbox of `MemoryQueueRepository`. What holds entries is made when first needed: most mailboxes of connected users are empty. */
export class Mailbox {
  private log: Stored[] = EMPTY;
  private devices: Device[] = [];
  private remembered: RememberedMessages | null = null;
  private pendingLoad: PendingLoad | null = null;
  /** Ahead of `furthest` and owed no `delivered`: expired, dropped, or read before they were acknowledged. */
  private silenced: SilencedSequences | null = null;

  /** Of messages whose `read` was stored of late: when, by peer and messageId, oldest first. */
  private reads: Map<string, number> | null = null;

  /** What blocked senders believe to be waiting. */
  private ghosts: Ghosts | null = null;

  private last = 0;
  private lastMs = 0;
  private head: EntryId | null = null;
  /** The furthest that any device has acknowledged. */
  private furthest = 0;
  private furthestId: EntryId | null = null;
  private droppedUpTo = 0;
  private messagesInLog = 0;
  private bytesInLog = 0;
  /** `null`: nothing will. */
  private nextExpiry: number | null = null;
  private touchedAt: number;
  private claims = 0;

  constructor(
    private readonly address: Address,
    private readonly tally: Tally,
    private readonly rules: MailboxRules,
    now: Instant,
  ) {
    this.touchedAt = now.monotonicMs;
  }

  /** Messages that no device has acknowledged. */
  get pendingMessages(): number {
    return this.pendingLoad?.messages ?? 0;
  }

  load(): MailboxLoad {
    const { messages, bytes } = this.pendingLoad ?? NOTHING_PENDING;
    const first = messages === 0 ? undefined : this.firstPending();
    return { address: this.address, messages, bytes, oldestAt: first?.queuedAt ?? null };
  }

  glance(): Glance {
    const claimed = this.devices.filter(({ claim }) => claim > 0);
    const claims = new Map(claimed.map(({ id, claim }) => [id, claim]));
    return { head: this.head, devices: this.devices.length, claims, isHeldElsewhere: false };
  }

  /** `roomBytes`: what the store as a whole can still hold. */
  append(message: NewMessage, limits: MailboxLimits, roomBytes: number, now: Instant): Appended {
    const print = quickFingerprint(message.content);
    const { from, messageId, content, timestamp } = message;
    const isBlocked = this.rules.screen.blocks(this.address, from);
    const known = this.remembered?.find(from, messageId);
    if (known !== undefined) return this.repeated(known, print, isBlocked, message);
    const ghost = isBlocked ? this.ghosts?.find(from, messageId) : undefined;
    // As if it were stored, a repeat and another content with the same id included.
    if (ghost !== undefined) return ghost.fingerprint === print ? BLOCKED : { kind: 'refused', code: 'id_conflict' };

    this.expireDue(now);
    const beside = isBlocked ? (this.ghosts?.loads(from) ?? NO_GHOSTS) : undefined;
    const bytes = Buffer.byteLength(content);
    if (bytes + ENTRY_COST_BYTES + RECORD_COST_BYTES > roomBytes) return { kind: 'refused', code: 'store_unavailable' };
    const isKnown = (peer: Address): boolean => this.rules.screen.knows(this.address, peer);
    const pendingLoad = (this.pendingLoad ??= new PendingLoad(this.tally));
    if (pendingLoad.isOverStrangers(from, bytes, limits, isKnown, beside)) {
      return { kind: 'refused', code: 'stranger_share_full' };
    }
    const obstacle = pendingLoad.obstacle(from, bytes, limits, beside);
    if (obstacle !== null && !this.makeRoom(pendingLoad, from, bytes, limits, beside))
      return { kind: 'refused', code: obstacle };
    if (isBlocked) {
      this.addGhost({ from, messageId, fingerprint: print, bytes, expiresAt: now.monotonicMs + message.ttlMs });
      this.touchedAt = now.monotonicMs;
      return BLOCKED;
    }
    // Its sender is blocked no more, and had sent it before.
    this.ghosts?.cancel(from, messageId);

    const id = this.nextId(now);
    const entry: MessageEntry = {
      kind: 'message',
      id,
      sequence: this.last,
      from,
      messageId,
      content,
      timestamp,
      queuedAt: now.wallMs,
    };
    this.push({ entry, bytes, storedAt: now.monotonicMs, expiresAt: now.monotonicMs + message.ttlMs });
    this.messagesInLog++;
    this.bytesInLog += bytes;
    this.tally.accepted++;
    pendingLoad.add(from, bytes);
    this.boundLog(limits);
    const sequence = this.last;
    const record = { from, messageId, sequence, id, fingerprint: print, read: false, lost: false, hidden: false };
    (this.remembered ??= new RememberedMessages(this.tally)).add(record, this.furthest);
    return { kind: 'stored', entry, isHeldElsewhere: false, isNearlyFull: pendingLoad.isNearlyFull(limits) };
  }

  appendReceipts(receipts: readonly Receipt[], maxReceipts: number, ttlMs: number, now: Instant): ReceiptEntry[] {
    this.expireDue(now);
    const entries = receipts
      .filter((receipt) => this.isNews(receipt, now))
      .map((receipt) => {
        const id = this.nextId(now);
        const entry: ReceiptEntry = { ...receipt, id, sequence: this.last };
        this.push({ entry, bytes: 0, storedAt: now.monotonicMs, expiresAt: now.monotonicMs + ttlMs });
        return entry;
      });
    if (this.log.length - this.messagesInLog > maxReceipts) this.dropOldestReceipts(maxReceipts);
    return entries;
  }

  /** A `delivered` that another device's acknowledgement makes due may come after the `read`. */
  private isNews({ kind, peer, messageId }: Receipt, now: Instant): boolean {
    if (kind === 'expired') return true;
    if (kind === 'delivered') return this.reads?.has(peer + messageId) !== true;
    const reads = (this.reads ??= new Map<string, number>());
    reads.set(peer + messageId, now.monotonicMs);
    for (const [key, at] of reads) {
      if (at >= now.monotonicMs - READ_KEPT_MS) break;
      reads.delete(key);
    }
    return true;
  }

  /** `null` where there are as many devices as there may be. */
  open(id: DeviceId, exclusive: boolean, now: Instant): Cursor | null {
    this.expireDue(now);
    this.retireDevices(now, id);
    const isNew = !this.devices.some((known) => known.id === id);
    if (isNew && this.devices.length >= this.rules.maxDevices) return null;
    this.touchedAt = now.monotonicMs;
    const device = this.register(id, now);
    if (exclusive) device.claim = ++this.claims;
    const { after, claim } = device;
    return { after, head: this.head, claim, isNew, devices: this.devices.length, isHeldElsewhere: false };
  }

  listDevices(now: Instant): MailboxDevice[] {
    this.retireDevices(now);
    return this.devices.map(({ id, seenAt, sequence }) => ({
      device: id,
      lastUsedAt: Math.round(now.wallMs - (now.monotonicMs - seenAt)),
      pending: this.last - sequence,
    }));
  }

  retireDevice(id: DeviceId, { keepAfter, claim }: RetireOptions, now: Instant): boolean {
    this.expireDue(now);
    const index = this.devices.findIndex((device) => device.id === id && (claim ?? device.claim) === device.claim);
    if (index < 0) return false;
    this.devices.splice(index, 1);
    this.trim(keepAfter === undefined ? Infinity : sequenceOf(keepAfter), now);
    return true;
  }

  read(after: EntryId | null, maxEntries: number, maxBytes: number, now: Instant): Page {
    this.expireDue(now);
    const entries: Entry[] = [];
    let bytes = 0;
    let index = this.indexAfter(sequenceOf(after));
    for (; index < this.log.length && entries.length < maxEntries; index++) {
      const stored = this.log[index]!;
      bytes += stored.bytes;
      if (bytes > maxBytes && entries.length > 0) break;
      entries.push(stored.entry);
    }
    const upTo = index < this.log.length ? (entries.at(-1)?.id ?? after) : this.head;
    return { entries, upTo, droppedUpTo: this.droppedUpTo, acknowledgedUpTo: this.furthest };
  }

  acknowledge({ device: id, upTo, claim = 0, keepAfter }: Acknowledgement, now: Instant): Acknowledged {
    const sequence = sequenceOf(upTo);
    if (sequence > this.last) return { kind: 'ahead' };
    const known = this.devices.find((device) => device.id === id);
    if (claim > 0 && known?.claim !== claim) return { kind: 'superseded' };
    // Before the cursor moves: an acknowledgement that comes after the expiry comes too late to count.
    this.expireDue(now);
    const named = this.log[this.indexAfter(sequence) - 1]?.entry;
    // An id that nobody gave.
    if (named?.sequence === sequence && named.id !== upTo) return { kind: 'ahead' };
    const device = this.register(id, now);
    if (sequence > device.sequence) {
      device.sequence = sequence;
      device.after = upTo;
    }
    const before = this.furthest;
    const silent = sequence > before ? this.advance(upTo, sequence) : NOTHING;
    this.retireDevices(now, id);
    this.trim(keepAfter === undefined ? Infinity : sequenceOf(keepAfter), now);
    this.touchedAt = now.monotonicMs;
    return { kind: 'acknowledged', before, silent, owed: [] };
  }

  markRead(from: Address, messageId: string): ReadMark {
    const known = this.remembered?.find(from, messageId);
    if (known === undefined || known.lost || this.rules.screen.blocks(this.address, from)) return { kind: 'unknown' };
    if (known.read) return { kind: 'repeat' };
    known.read = true;
    const isTaken = known.sequence <= this.furthest;
    if (!isTaken) this.silence(known.sequence);
    // It was taken while its sender was blocked, who was not told so.
    const wasAcknowledged = isTaken && !known.hidden;
    if (known.hidden) this.ghosts?.cancel(from, messageId);
    return { kind: 'marked', sequence: known.sequence, wasAcknowledged, owed: null };
  }

  pending(after: EntryId | null, maxEntries: number, maxBytes: number, now: Instant): PendingPage {
    this.expireDue(now);
    const messages: MessageEntry[] = [];
    let pageBytes = 0;
    for (let i = this.indexAfter(Math.max(sequenceOf(after), this.furthest)); i < this.log.length; i++) {
      const { entry, bytes } = this.log[i]!;
      if (entry.kind !== 'message') continue;
      pageBytes += bytes;
      const isFull = messages.length === maxEntries || (pageBytes > maxBytes && messages.length > 0);
      if (isFull) return { messages, more: true };
      messages.push(entry);
    }
    return { messages, more: false };
  }

  history(before: EntryId | null, maxEntries: number, maxBytes: number, now: Instant): HistoryPage {
    this.expireDue(now);
    const messages: MessageEntry[] = [];
    let pageBytes = 0;
    const end = before === null ? this.log.length : this.indexAfter(sequenceOf(before) - 1);
    for (let i = end - 1; i >= 0; i--) {
      const { entry, bytes } = this.log[i]!;
      if (entry.kind !== 'message') continue;
      pageBytes += bytes;
      const isFull = messages.length === maxEntries || (pageBytes > maxBytes && messages.length > 0);
      if (isFull) return { messages, next: messages.at(-1)!.id };
      messages.push(entry);
    }
    return { messages, next: null };
  }

  clear(now: Instant): number {
    this.expireDue(now);
    const count = this.pendingMessages;
    this.remove(() => false);
    this.ghosts?.dropAll();
    this.droppedUpTo = this.last;
    this.tally.dropped += count;
    return count;
  }

  /** Forgets devices that nobody used, and says whether the mailbox itself can be forgotten. */
  retire(now: Instant): boolean {
    this.expireDue(now);
    const known = this.devices.length;
    this.retireDevices(now);
    // Only then: what a slow connection still reads is kept beyond its device's cursor.
    if (this.devices.length < known || this.rules.historyMs > 0) this.trim(Infinity, now);
    if (this.log.length > 0 || this.ghosts?.isWaiting === true) return false;
    // One device and never an entry: it would be made again just the same. Strangers leave many of these.
    const isStrange = this.devices.every(({ id, claim }) => id === CLASSIC_DEVICE && claim === 0);
    if (this.head === null && isStrange && this.ghosts === null) return true;
    return this.devices.length === 0 && this.touchedAt < now.monotonicMs - this.rules.unseenMs;
  }

  /** The mailbox itself is forgotten. */
  release(): void {
    this.remembered?.forgetAll();
    this.ghosts?.forgetAll();
  }

  /** Removes what has expired, from its instant on: whoever looks at the log calls this first. */
  expireDue(now: Instant): void {
    this.expireGhosts(now);
    if (this.nextExpiry === null || now.monotonicMs < this.nextExpiry) return;
    this.touchedAt = now.monotonicMs;
    this.remove(({ entry, expiresAt }) => {
      if (expiresAt > now.monotonicMs) return true;
      if (entry.kind === 'message' && entry.sequence > this.furthest) this.expire(entry);
      return false;
    });
  }

  private expire({ from, messageId }: MessageEntry): void {
    this.tally.expired++;
    this.tally.unreported.push({ mailbox: this.address, from, messageId });
  }

  private expireGhosts(now: Instant): void {
    if (this.ghosts === null || now.monotonicMs < this.ghosts.nextExpiry) return;
    for (const { from, messageId } of this.ghosts.takeExpired(now.monotonicMs)) {
      this.tally.unreported.push({ mailbox: this.address, from, messageId });
    }
  }

  private repeated(
    known: RememberedMessage,
    print: number,
    isBlocked: boolean,
    { from, messageId }: NewMessage,
  ): Appended {
    if (known.fingerprint !== print) return { kind: 'refused', code: 'id_conflict' };
    // Whoever has read it has it, acknowledged or not.
    const isTaken = !known.lost && (known.read || known.sequence <= this.furthest);
    const isHidden = known.hidden && !known.read;
    if (isTaken && isHidden && !isBlocked) this.ghosts?.cancel(from, messageId);
    return { kind: 'repeat', id: known.id, acknowledged: isTaken && !(isHidden && isBlocked) };
  }

  private addGhost(ghost: Omit<Ghost, 'waits'>): void {
    (this.ghosts ??= new Ghosts(this.tally)).add(ghost);
  }

  /** Drops the oldest pending messages where the policy allows it: a sender beyond its share pays with its own. */
  private makeRoom(
    pendingLoad: PendingLoad,
    from: Address,
    bytes: number,
    limits: MailboxLimits,
    beside?: LoadBeside,
  ): boolean {
    if (limits.overflow !== 'drop_oldest' || bytes > limits.maxBytes) return false;
    if (beside !== undefined) {
      // Nothing real gives way to a ghost.
      this.ghosts?.dropOldest(pendingLoad.isOverShare(from, bytes, limits, beside) ? from : null);
      return true;
    }
    do {
      const ownOnly = pendingLoad.isOverShare(from, bytes, limits);
      const victim = this.log.find(
        ({ entry }) => entry.kind === 'message' && entry.sequence > this.furthest && (!ownOnly || entry.from === from),
      );
      if (victim === undefined) return false;
      this.droppedUpTo = Math.max(this.droppedUpTo, victim.entry.sequence);
      this.remove((stored) => stored !== victim);
      this.tally.dropped++;
    } while (pendingLoad.obstacle(from, bytes, limits) !== null);
    return true;
  }

  /** A device that stays behind while another keeps up loses its oldest entries, so it never closes the mailbox. */
  private boundLog({ maxMessages, maxBytes }: MailboxLimits): void {
    let count = 0;
    let messages = this.messagesInLog;
    let bytes = this.bytesInLog;
    while (messages > maxMessages || bytes > maxBytes) {
      const stored = this.log[count];
      if (stored === undefined || stored.entry.sequence > this.furthest) break;
      if (stored.entry.kind === 'message') messages--;
      bytes -= stored.bytes;
      count++;
    }
    if (count === 0) return;
    this.droppedUpTo = Math.max(this.droppedUpTo, this.log[count - 1]!.entry.sequence);
    this.shift(count);
  }

  private dropOldestReceipts(maxReceipts: number): void {
    // A quarter at once, so that a mailbox at its bound does not pay for a pass over the log with every receipt.
    let surplus = this.log.length - this.messagesInLog - Math.floor(maxReceipts * 0.75);
    this.remove(({ entry }) => {
      if (entry.kind === 'message' || surplus <= 0) return true;
      surplus--;
      this.droppedUpTo = Math.max(this.droppedUpTo, entry.sequence);
      return false;
    });
  }

  private nextId(now: Instant): EntryId {
    this.touchedAt = now.monotonicMs;
    this.lastMs = Math.max(this.lastMs, now.wallMs);
    return (this.head = formatEntryId(this.lastMs, ++this.last));
  }

  private push(stored: Stored): void {
    if (this.log === EMPTY) this.log = [stored];
    else this.log.push(stored);
    this.tally.bytes += costOf(stored);
    if (this.nextExpiry === null || stored.expiresAt < this.nextExpiry) this.nextExpiry = stored.expiresAt;
  }

  private register(id: DeviceId, now: Instant): Device {
    let device = this.devices.find((known) => known.id === id);
    if (device === undefined) {
      const { sequence, after } = this.oldestOwed();
      device = { id, sequence, after, seenAt: now.monotonicMs, claim: 0 };
      // Mostly the only one: an array that is pushed to makes place for sixteen more.
      if (this.devices.length === 0) this.devices = [device];
      else this.devices.push(device);
    }
    device.seenAt = now.monotonicMs;
    return device;
  }

  /** Where a new device starts: at the oldest entry, or before what nobody acknowledged and is lost, to be told of it. */
  private oldestOwed(): { sequence: number; after: EntryId | null } {
    const oldest = this.log[0]?.entry;
    if (oldest === undefined || oldest.sequence > this.furthest) {
      return { sequence: this.furthest, after: this.furthestId };
    }
    const sequence = oldest.sequence - 1;
    return { sequence, after: sequence === 0 ? null : formatEntryId(0, sequence) };
  }

  private advance(upTo: EntryId, sequence: number): readonly number[] {
    const hidden: number[] = [];
    for (let i = this.indexAfter(this.furthest); i < this.log.length; i++) {
      const { entry, bytes, expiresAt } = this.log[i]!;
      if (entry.sequence > sequence) break;
      if (entry.kind !== 'message') continue;
      this.pendingLoad?.remove(entry.from, bytes);
      this.tally.acknowledged++;
      if (this.hides(entry, bytes, expiresAt)) hidden.push(entry.sequence);
    }
    const silent = this.silenced?.takeUpTo(sequence) ?? NOTHING;
    this.furthest = sequence;
    this.furthestId = upTo;
    return hidden.length === 0 ? silent : [...silent, ...hidden];
  }

  /** Whoever is blocked is not told that somebody took what came before, nor finds out: it looks as if it still waited. */
  private hides({ from, messageId }: MessageEntry, bytes: number, expiresAt: number): boolean {
    if (!this.rules.screen.blocks(this.address, from)) return false;
    const known = this.remembered?.find(from, messageId);
    // Of what was read before the block, it knows.
    if (known === undefined || known.read) return false;
    known.hidden = true;
    this.addGhost({ from, messageId, fingerprint: known.fingerprint, bytes, expiresAt });
    return true;
  }

  private firstPending(): MessageEntry | undefined {
    for (let i = this.indexAfter(this.furthest); i < this.log.length; i++) {
      const { entry } = this.log[i]!;
      if (entry.kind === 'message') return entry;
    }
    return undefined;
  }

  private retireDevices(now: Instant, but?: DeviceId): void {
    const seenSince = now.monotonicMs - this.rules.unseenMs;
    for (let i = this.devices.length - 1; i >= 0; i--) {
      const { id, seenAt } = this.devices[i]!;
      if (id !== but && seenAt < seenSince) this.devices.splice(i, 1);
    }
  }

  private trim(keepAfter: number, now: Instant): void {
    const keptSince = now.monotonicMs - this.rules.historyMs;
    let floor = keepAfter;
    for (const device of this.devices) floor = Math.min(floor, device.sequence);
    // Without a device nobody has acknowledged: what is pending stays.
    floor = Math.min(floor, this.furthest);
    let count = 0;
    for (; count < this.log.length; count++) {
      const { entry, storedAt } = this.log[count]!;
      if (entry.sequence > floor || (this.rules.historyMs > 0 && storedAt > keptSince)) break;
    }
    if (count > 0) this.shift(count);
  }

  /** Takes settled entries off the front. */
  private shift(count: number): void {
    for (let i = 0; i < count; i++) {
      const stored = this.log[i]!;
      if (stored.entry.kind === 'message') this.messagesInLog--;
      this.bytesInLog -= stored.bytes;
      this.tally.bytes -= costOf(stored);
    }
    if (count === this.log.length) this.log = EMPTY;
    else this.log.splice(0, count);
    if (this.log.length === 0) this.nextExpiry = null;
  }

  /** Takes entries out anywhere, pending ones included, which are then lost. */
  private remove(keep: (stored: Stored) => boolean): void {
    this.nextExpiry = null;
    this.log = this.log.filter((stored) => {
      if (keep(stored)) {
        this.nextExpiry = Math.min(this.nextExpiry ?? Infinity, stored.expiresAt);
        return true;
      }
      this.tally.bytes -= costOf(stored);
      const { entry, bytes } = stored;
      if (entry.kind !== 'message') return false;
      this.messagesInLog--;
      this.bytesInLog -= bytes;
      if (entry.sequence > this.furthest) {
        this.pendingLoad?.remove(entry.from, bytes);
        const known = this.remembered?.find(entry.from, entry.messageId);
        if (known !== undefined) known.lost = true;
        this.silence(entry.sequence);
      }
      return false;
    });
  }

  private silence(sequence: number): void {
    (this.silenced ??= new SilencedSequences()).add(sequence);
  }

  private indexAfter(sequence: number): number {
    const { log } = this;
    let low = 0;
    let high = log.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (log[middle]!.entry.sequence <= sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A string may take two bytes a character where it holds a single one beyond Latin-1; the limit leaves room for that. */
function costOf({ bytes }: Stored): number {
  return bytes + ENTRY_COST_BYTES;
}
