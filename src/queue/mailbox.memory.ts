import type { Address } from '@relay/protocol';
import { type EntryId, formatEntryId, sequenceOf } from './entry-id.js';
import { fingerprint } from './fingerprint.js';
import type {
  Acknowledged,
  Appended,
  Cursor,
  DeviceId,
  Entry,
  MailboxLimits,
  MessageEntry,
  NewMessage,
  Page,
  PendingPage,
  ReadMark,
  Receipt,
  ReceiptEntry,
} from './queue.repository.js';
import { PendingLoad, type Tally } from './pending-load.memory.js';
import { RECORD_COST_BYTES, type RememberedMessage, RememberedMessages } from './remembered-messages.memory.js';
import { SilencedSequences } from './silenced-sequences.memory.js';

/** Both clocks at one moment: the wall's for people and ids, the monotonic one for expiry. */
export interface Instant {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

interface Stored {
  readonly entry: Entry;
  readonly bytes: number;
  readonly expiresAt: number;
}

interface Device {
  readonly id: DeviceId;
  sequence: number;
  after: EntryId | null;
  seenAt: number;
}

/** Of an entry and its places in the maps. */
const ENTRY_COST_BYTES = 500;
/** Of a new mailbox with one small message. */
export const MAILBOX_COST_BYTES = 1_000;

const NOTHING: readonly number[] = [];

/** One mailbox of `MemoryQueueRepository`. Maps are made when first needed: most mailboxes of connected users are empty. */
export class Mailbox {
  private log: Stored[] = [];
  private readonly devices: Device[] = [];
  private readonly remembered: RememberedMessages;
  private readonly pendingLoad: PendingLoad;
  /** Ahead of `furthest` and owed no `delivered`: expired, dropped, or read before they were acknowledged. */
  private readonly silenced = new SilencedSequences();

  private last = 0;
  private lastMs = 0;
  private head: EntryId | null = null;
  /** The furthest that any device has acknowledged. */
  private furthest = 0;
  private furthestId: EntryId | null = null;
  private droppedUpTo = 0;
  private messagesInLog = 0;
  private bytesInLog = 0;
  private nextExpiry = Infinity;
  private touchedAt: number;

  constructor(
    private readonly address: Address,
    private readonly tally: Tally,
    now: Instant,
  ) {
    this.touchedAt = now.monotonicMs;
    this.pendingLoad = new PendingLoad(tally);
    this.remembered = new RememberedMessages(tally);
  }

  /** Messages that no device has acknowledged. */
  get pendingMessages(): number {
    return this.pendingLoad.messages;
  }

  /** `roomBytes`: what the store as a whole can still hold. */
  append(message: NewMessage, limits: MailboxLimits, roomBytes: number, now: Instant): Appended {
    const print = fingerprint(message.content);
    const known = this.remembered.find(message.from, message.messageId);
    if (known !== undefined) return this.repeated(known, print);

    this.expireDue(now);
    const { from, messageId, content, timestamp } = message;
    const bytes = Buffer.byteLength(content);
    if (bytes + ENTRY_COST_BYTES + RECORD_COST_BYTES > roomBytes) return { kind: 'refused', code: 'store_unavailable' };
    const obstacle = this.pendingLoad.obstacle(from, bytes, limits);
    if (obstacle !== null && !this.makeRoom(from, bytes, limits)) return { kind: 'refused', code: obstacle };

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
    this.push({ entry, bytes, expiresAt: now.monotonicMs + message.ttlMs });
    this.messagesInLog++;
    this.bytesInLog += bytes;
    this.tally.accepted++;
    this.pendingLoad.add(from, bytes);
    this.boundLog(limits);
    const record = { sequence: this.last, id, fingerprint: print, read: false, lost: false };
    this.remembered.add(from, messageId, record, this.furthest);
    return { kind: 'stored', entry };
  }

  appendReceipts(receipts: readonly Receipt[], maxReceipts: number, ttlMs: number, now: Instant): ReceiptEntry[] {
    this.expireDue(now);
    const entries = receipts.map((receipt) => {
      const id = this.nextId(now);
      const entry: ReceiptEntry = { ...receipt, id, sequence: this.last };
      this.push({ entry, bytes: 0, expiresAt: now.monotonicMs + ttlMs });
      return entry;
    });
    if (this.log.length - this.messagesInLog > maxReceipts) this.dropOldestReceipts(maxReceipts);
    return entries;
  }

  open(device: DeviceId, now: Instant): Cursor {
    this.expireDue(now);
    this.touchedAt = now.monotonicMs;
    const { after } = this.register(device, now);
    return { after, head: this.head };
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
    return { entries, upTo, droppedUpTo: this.droppedUpTo };
  }

  acknowledge(deviceId: DeviceId, upTo: EntryId, keepAfter: EntryId | null | undefined, now: Instant): Acknowledged {
    const sequence = sequenceOf(upTo);
    if (sequence > this.last) return { kind: 'ahead' };
    // Before the cursor moves: an acknowledgement that comes after the expiry comes too late to count.
    this.expireDue(now);
    const device = this.register(deviceId, now);
    if (sequence > device.sequence) {
      device.sequence = sequence;
      device.after = upTo;
    }
    const before = this.furthest;
    const silent = sequence > before ? this.advance(upTo, sequence) : NOTHING;
    this.trim(keepAfter === undefined ? Infinity : sequenceOf(keepAfter));
    this.touchedAt = now.monotonicMs;
    return { kind: 'acknowledged', before, silent };
  }

  markRead(from: Address, messageId: string): ReadMark {
    const known = this.remembered.find(from, messageId);
    if (known === undefined || known.lost) return { kind: 'unknown' };
    if (known.read) return { kind: 'repeat' };
    known.read = true;
    const wasAcknowledged = known.sequence <= this.furthest;
    if (!wasAcknowledged) this.silenced.add(known.sequence);
    return { kind: 'marked', sequence: known.sequence, wasAcknowledged };
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

  clear(now: Instant): number {
    this.expireDue(now);
    const count = this.pendingMessages;
    this.remove(() => false);
    this.droppedUpTo = this.last;
    this.tally.dropped += count;
    return count;
  }

  /** Forgets devices unseen since then, and says whether the mailbox itself can be forgotten. */
  retire(seenSince: number, now: Instant): boolean {
    this.expireDue(now);
    const known = this.devices.length;
    for (let i = known - 1; i >= 0; i--) {
      if (this.devices[i]!.seenAt < seenSince) this.devices.splice(i, 1);
    }
    // Only then: what a slow connection still reads is kept beyond its device's cursor.
    if (this.devices.length < known) this.trim(Infinity);
    if (this.log.length > 0) return false;
    // One device and never an entry: it would be made again just the same. Strangers leave many of these.
    if (this.head === null && this.devices.length <= 1) return true;
    return this.devices.length === 0 && this.touchedAt < seenSince;
  }

  /** The mailbox itself is forgotten. */
  release(): void {
    this.remembered.forgetAll();
  }

  /** Removes what has expired, from its instant on: whoever looks at the log calls this first. */
  expireDue(now: Instant): void {
    if (now.monotonicMs < this.nextExpiry) return;
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

  private repeated(known: RememberedMessage, print: number): Appended {
    if (known.fingerprint !== print) return { kind: 'refused', code: 'id_conflict' };
    // Whoever has read it has it, acknowledged or not.
    const acknowledged = !known.lost && (known.read || known.sequence <= this.furthest);
    return { kind: 'repeat', id: known.id, acknowledged };
  }

  /** Drops the oldest pending messages where the policy allows it: a sender beyond its share pays with its own. */
  private makeRoom(from: Address, bytes: number, limits: MailboxLimits): boolean {
    if (limits.overflow !== 'drop_oldest' || bytes > limits.maxBytes) return false;
    do {
      const ownOnly = this.pendingLoad.isOverShare(from, bytes, limits);
      const victim = this.log.find(
        ({ entry }) => entry.kind === 'message' && entry.sequence > this.furthest && (!ownOnly || entry.from === from),
      );
      if (victim === undefined) return false;
      this.droppedUpTo = Math.max(this.droppedUpTo, victim.entry.sequence);
      this.remove((stored) => stored !== victim);
      this.tally.dropped++;
    } while (this.pendingLoad.obstacle(from, bytes, limits) !== null);
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
    this.log.push(stored);
    this.tally.bytes += costOf(stored);
    if (stored.expiresAt < this.nextExpiry) this.nextExpiry = stored.expiresAt;
  }

  private register(id: DeviceId, now: Instant): Device {
    let device = this.devices.find((known) => known.id === id);
    if (device === undefined) {
      const { sequence, after } = this.oldestOwed();
      device = { id, sequence, after, seenAt: now.monotonicMs };
      this.devices.push(device);
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
    for (let i = this.indexAfter(this.furthest); i < this.log.length; i++) {
      const { entry, bytes } = this.log[i]!;
      if (entry.sequence > sequence) break;
      if (entry.kind !== 'message') continue;
      this.pendingLoad.remove(entry.from, bytes);
      this.tally.acknowledged++;
    }
    const silent = this.silenced.takeUpTo(sequence);
    this.furthest = sequence;
    this.furthestId = upTo;
    return silent;
  }

  private trim(keepAfter: number): void {
    let floor = keepAfter;
    for (const device of this.devices) floor = Math.min(floor, device.sequence);
    // Without a device nobody has acknowledged: what is pending stays.
    floor = Math.min(floor, this.furthest);
    let count = 0;
    while (count < this.log.length && this.log[count]!.entry.sequence <= floor) count++;
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
    if (count === this.log.length) this.log = [];
    else this.log.splice(0, count);
    if (this.log.length === 0) this.nextExpiry = Infinity;
  }

  /** Takes entries out anywhere, pending ones included, which are then lost. */
  private remove(keep: (stored: Stored) => boolean): void {
    this.nextExpiry = Infinity;
    this.log = this.log.filter((stored) => {
      if (keep(stored)) {
        this.nextExpiry = Math.min(this.nextExpiry, stored.expiresAt);
        return true;
      }
      this.tally.bytes -= costOf(stored);
      const { entry, bytes } = stored;
      if (entry.kind !== 'message') return false;
      this.messagesInLog--;
      this.bytesInLog -= bytes;
      if (entry.sequence > this.furthest) {
        this.pendingLoad.remove(entry.from, bytes);
        const known = this.remembered.find(entry.from, entry.messageId);
        if (known !== undefined) known.lost = true;
        this.silenced.add(entry.sequence);
      }
      return false;
    });
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
