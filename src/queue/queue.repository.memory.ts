import type { Address } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import type { EntryId } from './entry-id.js';
import { type Instant, Mailbox, MAILBOX_COST_BYTES } from './mailbox.memory.js';
import type { Tally } from './pending-load.memory.js';
import {
  type Acknowledged,
  type Appended,
  type Cursor,
  type DeviceId,
  type Ledger,
  type MailboxLimits,
  type NewMessage,
  type Page,
  type PendingPage,
  type Purged,
  QueueRepository,
  type ReadMark,
  type Receipt,
  type ReceiptEntry,
} from './queue.repository.js';

export interface MemoryQueueOptions {
  readonly clock: Clock;
  /** How long receipts are kept, and devices and empty mailboxes after they were last used. */
  readonly retentionMs: number;
  readonly maxReceipts: number;
  /** What all mailboxes together may cost, in bytes of memory, about. */
  readonly maxTotalBytes: number;
}

const EMPTY_PAGE: Page = { entries: [], upTo: null, droppedUpTo: 0 };
/** A mailbox is remembered this much longer than its mail, so that a device that comes back late learns what it missed. */
const STATE_GRACE_MS = 2 * 60 * 60 * 1000;
const EXPIRED_PER_PURGE = 1_000;
const MAILBOXES_PER_PURGE = 2_000;

/** Mailboxes of this process, lost with it. Every method runs to its end at once, so calls never interleave. */
export class MemoryQueueRepository extends QueueRepository {
  private readonly mailboxes = new Map<Address, Mailbox>();
  private readonly tally: Tally = {
    accepted: 0,
    acknowledged: 0,
    expired: 0,
    dropped: 0,
    pending: 0,
    mailboxes: 0,
    bytes: 0,
    unreported: [],
  };
  private round: Iterator<[Address, Mailbox]> | null = null;

  constructor(private readonly options: MemoryQueueOptions) {
    super();
  }

  override append(address: Address, message: NewMessage, limits: MailboxLimits): Promise<Appended> {
    const now = this.instant();
    const roomBytes = this.options.maxTotalBytes - this.tally.bytes - this.mailboxes.size * MAILBOX_COST_BYTES;
    // A refusal must not leave a mailbox behind.
    if (roomBytes < 2 * MAILBOX_COST_BYTES + message.content.length && !this.mailboxes.has(address)) {
      return Promise.resolve({ kind: 'refused', code: 'store_unavailable' });
    }
    return Promise.resolve(this.obtain(address, now).append(message, limits, roomBytes, now));
  }

  override appendReceipts(address: Address, receipts: readonly Receipt[]): Promise<readonly ReceiptEntry[]> {
    const { maxReceipts, retentionMs } = this.options;
    const now = this.instant();
    return Promise.resolve(this.obtain(address, now).appendReceipts(receipts, maxReceipts, retentionMs, now));
  }

  override open(address: Address, device: DeviceId): Promise<Cursor> {
    const now = this.instant();
    return Promise.resolve(this.obtain(address, now).open(device, now));
  }

  override read(address: Address, after: EntryId | null, maxEntries: number, maxBytes: number): Promise<Page> {
    const page = this.mailboxes.get(address)?.read(after, maxEntries, maxBytes, this.instant());
    return Promise.resolve(page ?? EMPTY_PAGE);
  }

  override acknowledge(
    address: Address,
    device: DeviceId,
    upTo: EntryId,
    keepAfter?: EntryId | null,
  ): Promise<Acknowledged> {
    const acknowledged = this.mailboxes.get(address)?.acknowledge(device, upTo, keepAfter, this.instant());
    return Promise.resolve(acknowledged ?? { kind: 'ahead' });
  }

  override markRead(address: Address, from: Address, messageId: string): Promise<ReadMark> {
    return Promise.resolve(this.mailboxes.get(address)?.markRead(from, messageId) ?? { kind: 'unknown' });
  }

  override pending(
    address: Address,
    after: EntryId | null,
    maxEntries: number,
    maxBytes: number,
  ): Promise<PendingPage> {
    const page = this.mailboxes.get(address)?.pending(after, maxEntries, maxBytes, this.instant());
    return Promise.resolve(page ?? { messages: [], more: false });
  }

  override size(address: Address): Promise<number> {
    const mailbox = this.mailboxes.get(address);
    mailbox?.expireDue(this.instant());
    return Promise.resolve(mailbox?.pendingMessages ?? 0);
  }

  override clear(address: Address): Promise<number> {
    return Promise.resolve(this.mailboxes.get(address)?.clear(this.instant()) ?? 0);
  }

  override purge(): Promise<Purged> {
    const now = this.instant();
    const seenSince = now.monotonicMs - this.options.retentionMs - STATE_GRACE_MS;
    const round = (this.round ??= this.mailboxes.entries());
    let more = true;
    for (let i = 0; i < MAILBOXES_PER_PURGE; i++) {
      const next = round.next();
      if (next.done === true) {
        this.round = null;
        more = false;
        break;
      }
      const [address, mailbox] = next.value;
      if (mailbox.retire(seenSince, now)) this.forget(address, mailbox);
      if (this.tally.unreported.length >= EXPIRED_PER_PURGE) break;
    }
    const expired = this.tally.unreported.splice(0, EXPIRED_PER_PURGE);
    return Promise.resolve({ expired, more: more || this.tally.unreported.length > 0 });
  }

  override ledger(): Promise<Ledger> {
    const { accepted, acknowledged, expired, dropped, pending, mailboxes } = this.tally;
    return Promise.resolve({ accepted, acknowledged, expired, dropped, pending, mailboxes });
  }

  private forget(address: Address, mailbox: Mailbox): void {
    mailbox.release();
    this.mailboxes.delete(address);
  }

  private obtain(address: Address, now: Instant): Mailbox {
    let mailbox = this.mailboxes.get(address);
    if (mailbox === undefined) {
      mailbox = new Mailbox(address, this.tally, now);
      this.mailboxes.set(address, mailbox);
    }
    return mailbox;
  }

  private instant(): Instant {
    const { clock } = this.options;
    return { wallMs: clock.now(), monotonicMs: clock.monotonic() };
  }
}
