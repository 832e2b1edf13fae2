import { type Address, LIMITS, RelayError } from '@relay/protocol';
import { type EntryId, sequenceOf } from './entry-id.js';
import {
  CLASSIC_DEVICE,
  type DeviceId,
  type LedgerCheck,
  type MessageEntry,
  type Owed,
  type OwedReceipts,
  type PendingPage,
  type QueueRepository,
} from './queue.repository.js';

/** Who passes on what happened to messages outside of their recipient's connections. */
export interface QueueObserver {
  /** Tells their senders, and settles what is owed once they know or it waits in their mailboxes. */
  acknowledged(mailbox: Address, messages: readonly MessageEntry[], owed: Owed | null): void;
  /** Resolves once it waits in the mailboxes of those who are to know. */
  owed(receipts: OwedReceipts['receipts']): Promise<void>;
  /** What a live connection still has to read stays in the log; `undefined` where there is none. */
  keepAfter(mailbox: Address): EntryId | null | undefined;
}

const NOBODY: QueueObserver = {
  acknowledged: () => undefined,
  owed: () => Promise.resolve(),
  keepAfter: () => undefined,
};

/** The mailbox as REST and the schedule use it. */
export class QueueService {
  private observer: QueueObserver = NOBODY;

  constructor(private readonly queue: QueueRepository) {}

  observe(observer: QueueObserver): void {
    this.observer = observer;
  }

  /** Acknowledges for a client that polls; its senders are told `delivered`. Returns how many messages that were. */
  async acknowledge(mailbox: Address, upTo: EntryId): Promise<number> {
    const messages = await this.pendingUpTo(mailbox, upTo);
    const keepAfter = this.observer.keepAfter(mailbox);
    const result = await this.queue.acknowledge(mailbox, {
      device: CLASSIC_DEVICE,
      upTo,
      keepAfter,
      isShared: true,
      messages: messages.length === 0 ? [] : [messages],
    });
    if (result.kind !== 'acknowledged') throw new RelayError('ack_ahead');
    const { before, silent, owed } = result;
    const first = messages.filter(({ sequence }) => sequence > before && !silent.includes(sequence));
    this.observer.acknowledged(mailbox, first, owed[0] ?? null);
    return messages.filter(({ sequence }) => sequence > before).length;
  }

  /** Takes a device's place in the mailbox away; what live connections of others still read stays. */
  retire(mailbox: Address, device: DeviceId): Promise<boolean> {
    const keepAfter = this.observer.keepAfter(mailbox);
    return this.queue.retire(mailbox, device, { keepAfter });
  }

  /** Whether the ledger accounts for what waits, in a part of the mailboxes. */
  checkLedger(): Promise<LedgerCheck | null> {
    return this.queue.checkLedger();
  }

  /** Works through all mailboxes once, in parts between which other work may run, and passes on what is owed. */
  async purge(): Promise<void> {
    let isUnfinished = true;
    while (isUnfinished) {
      isUnfinished = await this.queue.purge();
      await this.passOnOwed();
      await new Promise(setImmediate);
    }
  }

  /** Receipts whose node went away before it passed them on, and those of expired messages; goes on for as long as some can be. */
  async passOnOwed(): Promise<void> {
    let failed: PromiseRejectedResult | undefined;
    for (;;) {
      const found = await this.queue.owed();
      const passed = await Promise.allSettled(found.map(({ receipts }) => this.observer.owed(receipts)));
      const settled = found.filter((_, i) => passed[i]?.status === 'fulfilled');
      failed ??= passed.find((one) => one.status === 'rejected');
      if (settled.length === 0) break;
      await this.queue.settle(settled.map(({ owed }) => owed));
    }
    if (failed !== undefined) throw failed.reason;
  }

  private async pendingUpTo(mailbox: Address, upTo: EntryId): Promise<MessageEntry[]> {
    const found: MessageEntry[] = [];
    const last = sequenceOf(upTo);
    let after: EntryId | null = null;
    for (;;) {
      const page: PendingPage = await this.queue.pending(mailbox, after, LIMITS.pageSize, LIMITS.pageBytes);
      found.push(...page.messages.filter(({ sequence }) => sequence <= last));
      after = page.messages.at(-1)?.id ?? null;
      if (!page.more || sequenceOf(after) >= last) return found;
    }
  }
}
