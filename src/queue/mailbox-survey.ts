import type { Address } from '@relay/protocol';

/** What waits in one mailbox: messages that no device has acknowledged. What expired lately may still be counted. */
export interface MailboxLoad {
  readonly address: Address;
  readonly messages: number;
  /** UTF-8, of their contents. */
  readonly bytes: number;
  /** When the mailbox took the oldest of them, integer ms since 1970; `null` where none waits. */
  readonly oldestAt: number | null;
}

/** Mailboxes as an operator looks at them: who is behind. For people, so nothing here is promised to be of one instant. */
export abstract class MailboxSurvey {
  abstract load(mailbox: Address): Promise<MailboxLoad>;

  /**
   * One round over all mailboxes in which a message waits, in parts that cost the store a few milliseconds each; a part may
   * be empty. What waits from the beginning of the round to its end is in it, once or, seldom, twice. Rejects with
   * `RelayError('store_unavailable')`, and then the round is over.
   */
  abstract round(): AsyncIterator<readonly MailboxLoad[], undefined>;
}
