import { type Address, LIMITS, RelayError } from '@relay/protocol';
import { type EntryId, sequenceOf } from './entry-id.js';
import {
  CLASSIC_DEVICE,
  type ExpiredMessage,
  type MessageEntry,
  type PendingPage,
  type QueueRepository,
} from './queue.repository.js';

/** Who passes on what happened to messages outside of their recipient's connections. */
export interface QueueObserver {
  acknowledged(mailbox: Address, messages: readonly MessageEntry[]): void;
  expired(messages: readonly ExpiredMessage[]): void;
  /** What a live connection still has to read stays in the log; `undefined` where there is none. */
  keepAfter(mailbox: Address): EntryId | null | undefined;
}

const NOBODY: QueueObserver = {
  acknowledged: () => undefined,
  expired: () => undefined,
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
    const result = await this.queue.acknowledge(mailbox, CLASSIC_DEVICE, upTo, this.observer.keepAfter(mailbox));
    if (result.kind === 'ahead') throw new RelayError('ack_ahead');
    const { before, silent } = result;
    const first = messages.filter(({ sequence }) => sequence > before && !silent.includes(sequence));
    this.observer.acknowledged(mailbox, first);
    return messages.filter(({ sequence }) => sequence > before).length;
  }

  /** Works through all mailboxes once, in parts between which other work may run. */
  async purge(): Promise<void> {
    let more = true;
    while (more) {
      const purged = await this.queue.purge();
      if (purged.expired.length > 0) this.observer.expired(purged.expired);
      ({ more } = purged);
      await new Promise(setImmediate);
    }
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
