import { type Address, RelayError } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import type { Screen } from '../contacts/contact.repository.js';
import type { EntryId } from './entry-id.js';
import type { MailboxLoad } from './mailbox-survey.js';
import { type Instant, Mailbox, MAILBOX_COST_BYTES, type MailboxRules } from './mailbox.memory.js';
import type { Tally } from './pending-load.memory.js';
import {
  type Acknowledged,
  type Acknowledgement,
  type Appended,
  type Cursor,
  type DeviceId,
  type Glance,
  type HistoryPage,
  type Ledger,
  type LedgerCheck,
  type MailboxDevice,
  type MailboxLimits,
  type NewMessage,
  type OpenOptions,
  type OwedReceipts,
  type Page,
  type PendingPage,
  QueueRepository,
  type ReadMark,
  type Receipt,
  type ReceiptEntry,
  type RetireOptions,
} from './queue.repository.js';

export interface MemoryQueueOptions {
  readonly clock: Clock;
  /** How long receipts are kept, and devices and empty mailboxes after they were last used. */
  readonly retentionMs: number;
  readonly maxReceipts: number;
  /** Of one address. */
  readonly maxDevices: number;
  /** How long acknowledged entries are kept. */
  readonly historyMs: number;
  /** What all mailboxes together may cost, in bytes of memory, about. */
  readonly maxTotalBytes: number;
  /** Without one nobody is blocked, and everybody known. */
  readonly screen?: Screen | undefined;
}

const UNKNOWN: Glance = { head: null, devices: 0, claims: new Map(), isHeldElsewhere: false };
const OPEN: Screen = { blocks: () => false, knows: () => true };
const EMPTY_PAGE: Page = { entries: [], upTo: null, droppedUpTo: 0, acknowledgedUpTo: 0 };
/** A mailbox is remembered this much longer than its mail, so that a device that comes back late learns what it missed. */
const STATE_GRACE_MS = 2 * 60 * 60 * 1000;
const EXPIRED_PER_CALL = 1_000;
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

  private readonly rules: MailboxRules;

  constructor(private readonly options: MemoryQueueOptions) {
    super();
    const { maxDevices, historyMs, retentionMs, screen = OPEN } = options;
    this.rules = { maxDevices, historyMs, unseenMs: retentionMs + STATE_GRACE_MS, screen };
  }

  override append(address: Address, message: NewMessage, limits: MailboxLimits): Appended {
    const now = this.instant();
    const roomBytes = this.options.maxTotalBytes - this.tally.bytes - this.mailboxes.size * MAILBOX_COST_BYTES;
    // A refusal must not leave a mailbox behind.
    if (roomBytes < 2 * MAILBOX_COST_BYTES + message.content.length && !this.mailboxes.has(address)) {
      return { kind: 'refused', code: 'store_unavailable' };
    }
    return this.obtain(address, now).append(message, limits, roomBytes, now);
  }

  override appendReceipts(address: Address, receipts: readonly Receipt[]): Promise<readonly ReceiptEntry[]> {
    const { maxReceipts, retentionMs } = this.options;
    const now = this.instant();
    return Promise.resolve(this.obtain(address, now).appendReceipts(receipts, maxReceipts, retentionMs, now));
  }

  override open(address: Address, device: DeviceId, { exclusive = false }: OpenOptions = {}): Promise<Cursor> {
    const now = this.instant();
    const cursor = this.obtain(address, now).open(device, exclusive, now);
    if (cursor !== null) return Promise.resolve(cursor);
    return Promise.reject(new RelayError('forbidden', 'This address has as many devices as it may have'));
  }

  override devices(address: Address): Promise<readonly MailboxDevice[]> {
    return Promise.resolve(this.mailboxes.get(address)?.listDevices(this.instant()) ?? []);
  }

  override retire(address: Address, device: DeviceId, options: RetireOptions = {}): Promise<boolean> {
    return Promise.resolve(this.mailboxes.get(address)?.retireDevice(device, options, this.instant()) ?? false);
  }

  override read(address: Address, after: EntryId | null, maxEntries: number, maxBytes: number): Promise<Page> {
    const page = this.mailboxes.get(address)?.read(after, maxEntries, maxBytes, this.instant());
    return Promise.resolve(page ?? EMPTY_PAGE);
  }

  override acknowledge(address: Address, acknowledgement: Acknowledgement): Promise<Acknowledged> {
    const acknowledged = this.mailboxes.get(address)?.acknowledge(acknowledgement, this.instant());
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

  override glance(addresses: readonly Address[]): Promise<readonly Glance[]> {
    return Promise.resolve(addresses.map((address) => this.mailboxes.get(address)?.glance() ?? UNKNOWN));
  }

  override history(
    address: Address,
    before: EntryId | null,
    maxEntries: number,
    maxBytes: number,
  ): Promise<HistoryPage> {
    const page = this.mailboxes.get(address)?.history(before, maxEntries, maxBytes, this.instant());
    return Promise.resolve(page ?? { messages: [], next: null });
  }

  override purge(): Promise<boolean> {
    const now = this.instant();
    const round = (this.round ??= this.mailboxes.entries());
    for (let i = 0; i < MAILBOXES_PER_PURGE; i++) {
      const next = round.next();
      if (next.done === true) {
        this.round = null;
        return Promise.resolve(false);
      }
      const [address, mailbox] = next.value;
      if (mailbox.retire(now)) this.forget(address, mailbox);
      if (this.tally.unreported.length >= EXPIRED_PER_CALL) break;
    }
    return Promise.resolve(true);
  }

  /** Only of what expired: in one process, a receipt is passed on in the turn that makes it due. */
  override owed(): Promise<readonly OwedReceipts[]> {
    const due = this.tally.unreported.splice(0, EXPIRED_PER_CALL);
    const timestamp = this.options.clock.now();
    const receipts = due.map(({ mailbox, from, messageId }) => {
      const receipt: Receipt = { kind: 'expired', peer: mailbox, messageId, timestamp };
      return { to: from, receipt };
    });
    return Promise.resolve(receipts.length === 0 ? [] : [{ owed: '', receipts }]);
  }

  override settle(): Promise<void> {
    return Promise.resolve();
  }

  override now(): number {
    return this.options.clock.now();
  }

  override reach(): Promise<void> {
    return Promise.resolve();
  }

  override onAppended(): void {
    // There is no other node.
  }

  override ledger(): Promise<Ledger> {
    const { accepted, acknowledged, expired, dropped, pending, mailboxes } = this.tally;
    return Promise.resolve({ accepted, acknowledged, expired, dropped, pending, mailboxes });
  }

  /** What waits is counted with each mailbox, the rest where it happens. */
  override checkLedger(): Promise<LedgerCheck> {
    const { accepted, acknowledged, expired, dropped } = this.tally;
    let pending = 0;
    for (const mailbox of this.mailboxes.values()) pending += mailbox.pendingMessages;
    const imbalance = Math.abs(accepted - acknowledged - expired - dropped - pending);
    return Promise.resolve({ imbalance, checked: 1, skipped: 0 });
  }

  load(address: Address): MailboxLoad {
    return this.mailboxes.get(address)?.load() ?? { address, messages: 0, bytes: 0, oldestAt: null };
  }

  /** Of each mailbox, also of those in which nothing waits. */
  *loads(): Generator<MailboxLoad> {
    for (const mailbox of this.mailboxes.values()) yield mailbox.load();
  }

  private forget(address: Address, mailbox: Mailbox): void {
    mailbox.release();
    this.mailboxes.delete(address);
  }

  private obtain(address: Address, now: Instant): Mailbox {
    let mailbox = this.mailboxes.get(address);
    if (mailbox === undefined) {
      mailbox = new Mailbox(address, this.tally, this.rules, now);
      this.mailboxes.set(address, mailbox);
    }
    return mailbox;
  }

  private instant(): Instant {
    const { clock } = this.options;
    // Other numbers take 16 bytes of their own in everything that keeps them.
    return { wallMs: clock.now(), monotonicMs: Math.trunc(clock.monotonic()) };
  }
}
