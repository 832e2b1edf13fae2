import { type Address, deliveredReceiptFrame, encodeFrame, LIMITS, messageFrame } from '@relay/protocol';
import { type EntryId, isLater, sequenceOf } from '../queue/entry-id.js';
import type { Cursor, Entry, Page, QueueRepository, ReceiptEntry } from '../queue/queue.repository.js';
import type { Link } from './link.js';

/** What a reader tells its connection. */
export interface ReaderEvents {
  /** The position moved: entries or a gap were handed to the link. */
  moved(): void;
  /** A receipt is about to be sent; false where the client knows more already, and it is left out. */
  mayTell(receipt: ReceiptEntry): boolean;
  /** Everything that waited when the mailbox was opened has been sent; once. */
  caughtUp(upTo: EntryId | null): void;
  /** The mailbox could not be read; the reader stands where it stood. */
  failed(error: unknown): void;
}

export interface Window {
  readonly entries: number;
  readonly bytes: number;
}

/** One for all that have nothing in flight, and so nothing may be put into it. */
const NONE = Object.freeze<Entry[]>([]) as Entry[];

/**
 * One connection's position in its mailbox. Whoever has caught up gets a new entry at once (`offer`); whoever lags, because of a
 * backlog, a full window, a full socket or a missed entry, reads on from its position. So order, resumption, flow
 * control and recovery are one mechanism.
 */
export class MailboxReader {
  private after: EntryId | null = null;
  private position = 0;
  /** The newest sequence that is known to exist. */
  private latest = 0;
  /** Entries up to this one waited before the connection could get them. */
  private waitedUpTo = 0;
  /** How many were. */
  settled = 0;
  /** Oldest first. */
  private inFlight: Entry[] = NONE;
  private inFlightBytes = 0;
  /** How many of them, the oldest, the client has acknowledged while the store does not know yet. They make room already. */
  private leaving = 0;
  private leavingBytes = 0;
  /** Of the last page, while there are more. */
  private meanBytes: number | undefined = undefined;
  private state: 'idle' | 'reading' | 'stopped' = 'stopped';
  private isSyncing = true;

  constructor(
    private readonly mailbox: Address,
    private readonly queue: QueueRepository,
    private readonly link: Link,
    private readonly events: ReaderEvents,
    private readonly window: Window,
    /** Whether other connections move the same cursor. */
    private readonly isShared: boolean,
  ) {}

  /** The sequence of the last entry sent. */
  get sentUpTo(): number {
    return this.position;
  }

  get sentId(): EntryId | null {
    return this.after;
  }

  get hasCaughtUp(): boolean {
    return this.state === 'idle' && this.latest <= this.position;
  }

  get unacknowledged(): number {
    return this.inFlight.length;
  }

  /** Whether the window holds back what there is to send. */
  get isWindowFull(): boolean {
    return this.latest > this.position && (this.roomInEntries <= 0 || this.roomInBytes <= 0);
  }

  get isWaitingForAck(): boolean {
    return this.inFlight.length > 0;
  }

  /** `offered`: the newest entry that came since the mailbox was opened. */
  start({ after, head }: Pick<Cursor, 'after' | 'head'>, offered: EntryId | null = null): void {
    this.after = after;
    this.position = sequenceOf(after);
    this.waitedUpTo = sequenceOf(head);
    this.latest = this.waitedUpTo;
    this.state = 'idle';
    if (offered !== null) this.expectUpTo(offered);
    this.readOn();
    this.finishSync();
  }

  /** What is in flight stays known: an acknowledgement may be on its way through the store. */
  stop(): void {
    this.state = 'stopped';
  }

  /** Whether a new entry may be sent at once. */
  canTake(entry: Entry): boolean {
    return entry.sequence === this.position + 1 && this.state === 'idle' && this.hasRoom();
  }

  /** A new entry that `canTake` allowed, straight from where it was appended. */
  take(entry: Entry, frame: string): void {
    this.send(entry, frame);
    this.events.moved();
  }

  /** A new entry that `canTake` did not allow: it is read when its turn comes. */
  expect(entry: Entry): void {
    this.expectUpTo(entry.id);
  }

  /** The mailbox has entries up to this one, which nobody offered. */
  expectUpTo(head: EntryId): void {
    if (this.state === 'stopped' || !isLater(head, this.after)) return;
    const sequence = sequenceOf(head);
    if (sequence <= this.position) this.restart(sequence - 1);
    if (sequence > this.latest) this.latest = sequence;
    this.readOn();
  }

  /** What was sent up to there and is not settled, oldest first. */
  unsettled(upTo: EntryId): Entry[] {
    return this.inFlight.slice(0, this.countUpTo(sequenceOf(upTo)));
  }

  /**
   * An acknowledgement of the oldest in flight goes to the store: whoever lags reads on beside it, in the same write. 0: it did not
   * get there. No more than one window of room: while no acknowledgement gets there, each would make room for another.
   */
  makeRoom(entries: number): void {
    this.leaving = Math.min(entries, this.window.entries);
    this.leavingBytes = 0;
    // Most acknowledge what came last: there is nothing to read, and no need to weigh anything.
    if (this.latest <= this.position) return;
    for (let i = 0; i < entries; i++) this.leavingBytes += weight(this.inFlight[i]!);
    this.leavingBytes = Math.min(this.leavingBytes, this.window.bytes);
    this.readOn();
  }

  /** Takes what is acknowledged up to there out of the window. */
  settle(upTo: EntryId): void {
    const count = this.countUpTo(sequenceOf(upTo));
    this.settled += count;
    this.leaving = 0;
    this.leavingBytes = 0;
    for (let i = 0; i < count; i++) this.inFlightBytes -= weight(this.inFlight[i]!);
    if (count === this.inFlight.length) this.inFlight = NONE;
    else this.inFlight.splice(0, count);
  }

  /** Whether an id that a client names was sent to it: `old` where it is settled, or was before it connected. */
  judge(upTo: EntryId): 'sent' | 'old' | 'ahead' {
    if (upTo === this.after || this.inFlight.some(({ id }) => id === upTo)) return 'sent';
    const oldest = this.inFlight[0];
    return sequenceOf(upTo) < (oldest?.sequence ?? this.position + 1) ? 'old' : 'ahead';
  }

  /** Goes on where it stopped; nothing happens while there is nothing to read or no room for it. */
  readOn(): void {
    if (this.state !== 'idle' || this.latest <= this.position || !this.hasRoom()) return;
    this.state = 'reading';
    const entries = Math.min(this.roomInEntries, LIMITS.pageSize);
    this.queue.read(this.mailbox, this.after, entries, this.roomInBytes, this.meanBytes).then(
      (page) => this.takePage(page),
      (error: unknown) => {
        if (this.state === 'reading') this.state = 'idle';
        this.events.failed(error);
      },
    );
  }

  private takePage(page: Page): void {
    if (this.state !== 'reading') return;
    this.state = 'idle';
    const before = this.position;
    for (const entry of page.entries) {
      this.announceGap(entry.sequence - 1, page);
      this.send(entry, entryFrame(entry, entry.sequence <= this.waitedUpTo));
    }
    const end = sequenceOf(page.upTo);
    if (end > this.position) {
      this.announceGap(end, page);
      this.moveTo(page.upTo, end);
    } else if (page.entries.length === 0) {
      // The store has less than was announced: it lost its memory. What comes next starts a new count.
      this.latest = this.position;
      this.waitedUpTo = Math.min(this.waitedUpTo, this.position);
    }
    if (this.position > before) this.events.moved();
    // What comes later may be of another size.
    this.meanBytes = this.latest > this.position ? page.meanBytes : undefined;
    this.readOn();
    this.finishSync();
  }

  /** The store came back without what it had last: its count begins anew below ours, its ids do not. */
  private restart(position: number): void {
    this.position = position;
    this.latest = position;
  }

  private finishSync(): void {
    if (!this.isSyncing || this.position < this.waitedUpTo) return;
    this.isSyncing = false;
    this.events.caughtUp(this.after);
  }

  private send(entry: Entry, frame: string): void {
    this.moveTo(entry.id, entry.sequence);
    if (entry.kind !== 'message' && !this.events.mayTell(entry)) return;
    this.link.send(frame);
    if (this.inFlight === NONE) this.inFlight = [entry];
    else this.inFlight.push(entry);
    this.inFlightBytes += weight(entry);
  }

  private countUpTo(sequence: number): number {
    let count = 0;
    while (count < this.inFlight.length && this.inFlight[count]!.sequence <= sequence) count++;
    return count;
  }

  private moveTo(id: EntryId | null, sequence: number): void {
    this.after = id;
    this.position = sequence;
    if (sequence > this.latest) this.latest = sequence;
  }

  /** Where the place in the mailbox is shared, what somebody has acknowledged is no gap: whoever shares it was faster. */
  private announceGap(before: number, { droppedUpTo, acknowledgedUpTo }: Page): void {
    const dropped = Math.max(0, Math.min(before, droppedUpTo) - this.position);
    const passedUpTo = Math.max(this.position + dropped, this.isShared ? acknowledgedUpTo : 0);
    const expired = before - passedUpTo;
    if (dropped > 0) this.link.send(encodeFrame({ type: 'gap', reason: 'dropped', count: dropped }));
    if (expired > 0) this.link.send(encodeFrame({ type: 'gap', reason: 'expired', count: expired }));
  }

  private hasRoom(): boolean {
    return this.roomInEntries > 0 && this.roomInBytes > 0 && !this.link.isCongested && this.link.isOpen;
  }

  private get roomInEntries(): number {
    return this.window.entries - this.inFlight.length + this.leaving;
  }

  private get roomInBytes(): number {
    return this.window.bytes - this.inFlightBytes + this.leavingBytes;
  }
}

/** An entry as its mailbox's owner gets it. */
export function entryFrame(entry: Entry, waited: boolean): string {
  switch (entry.kind) {
    case 'message':
      return messageFrame(entry, waited);
    case 'delivered':
      return deliveredReceiptFrame(entry.id, entry.messageId, entry.peer, entry.timestamp);
    case 'read': {
      const { id, peer: from, messageId, timestamp } = entry;
      return encodeFrame({ type: 'read', from, messageId, timestamp, id });
    }
    case 'expired':
      return encodeFrame({ type: 'expired', messageId: entry.messageId, to: entry.peer, id: entry.id });
  }
}

/** Code units, not bytes: near enough to bound memory, and free. */
function weight(entry: Entry): number {
  return entry.kind === 'message' ? entry.content.length : 0;
}
