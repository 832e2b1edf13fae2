import type { Address } from '@relay/protocol';
import type { EntryId } from './entry-id.js';

/** One installation of a client. All classic connections of an address share `CLASSIC_DEVICE`. */
export type DeviceId = string;
export const CLASSIC_DEVICE: DeviceId = 'classic';

export interface NewMessage {
  readonly from: Address;
  readonly messageId: string;
  readonly content: string;
  /** The sender's, integer ms since 1970. */
  readonly timestamp: number;
  /** From now until nobody gets it any more. */
  readonly ttlMs: number;
}

export interface MessageEntry {
  readonly kind: 'message';
  readonly id: EntryId;
  /** The number in `id`. */
  readonly sequence: number;
  readonly from: Address;
  readonly messageId: string;
  readonly content: string;
  readonly timestamp: number;
  /** When the mailbox took it, integer ms since 1970. */
  readonly queuedAt: number;
  /** The other node that appended it, where its sender may wait to hear of it; absent where that is not known. */
  readonly appendedBy?: string;
}

/** What became of a message, on its way back to who sent it. */
export interface Receipt {
  readonly kind: 'delivered' | 'read' | 'expired';
  /** Whom the message was sent to. */
  readonly peer: Address;
  readonly messageId: string;
  /** When it happened, integer ms since 1970. */
  readonly timestamp: number;
}

export interface ReceiptEntry extends Receipt {
  readonly id: EntryId;
  readonly sequence: number;
}

export type Entry = MessageEntry | ReceiptEntry;

export interface MailboxLimits {
  /** Messages that no device has acknowledged, and the length of the log itself. */
  readonly maxMessages: number;
  /** Their contents' UTF-8 bytes. */
  readonly maxBytes: number;
  /** What one sender may fill of both, 0 to 1. */
  readonly senderShare: number;
  readonly overflow: 'reject' | 'drop_oldest';
  /**
   * Of one sender whom the recipient does not know; all of these together have one sender's share. They never make room
   * for themselves. Absent: everybody counts as known.
   */
  readonly maxStrangerMessages?: number | undefined;
}

export type Appended =
  | {
      readonly kind: 'stored';
      readonly entry: MessageEntry;
      /** Whether another node holds a connection of the recipient, as far as the store knows. */
      readonly isHeldElsewhere: boolean;
      /** Four fifths of what may wait, or more, counting this one. */
      readonly isNearlyFull: boolean;
    }
  /** Stored before, whatever became of it since: `acknowledged` tells whether a device has it, or its owner has read it. */
  | { readonly kind: 'repeat'; readonly id: EntryId; readonly acknowledged: boolean }
  | {
      readonly kind: 'refused';
      readonly code: 'mailbox_full' | 'sender_share_full' | 'stranger_share_full' | 'id_conflict' | 'store_unavailable';
    }
  /** The recipient blocks the sender, who must not learn of it. Nothing was stored but a ghost: who sent what id, and until when. */
  | { readonly kind: 'blocked' };

/** Names the receipts that a call made due, until `settle` says that they were passed on. */
export type Owed = string;

export interface OwedReceipts {
  readonly owed: Owed;
  readonly receipts: readonly { readonly to: Address; readonly receipt: Receipt }[];
}

/** A device's place in the log. */
export interface Cursor {
  /** Up to here everything is acknowledged; `null` before the first entry. */
  readonly after: EntryId | null;
  /** The newest entry that the mailbox ever had, still kept or not. */
  readonly head: EntryId | null;
  /** Of an exclusive opening, which speaks for its device until a later one does; 0 where nobody ever asked for that. */
  readonly claim: number;
  /** Whether the device had no place before this opening. */
  readonly isNew: boolean;
  /** How many devices the address has, this one among them. */
  readonly devices: number;
  /** Whether another node holds a connection of the address, as far as the store knows. */
  readonly isHeldElsewhere: boolean;
}

/** What a node compares with what hints told it of a mailbox. */
export interface Glance {
  /** The newest entry that the mailbox ever had. */
  readonly head: EntryId | null;
  readonly devices: number;
  /** The latest exclusive opening of each device that had one. */
  readonly claims: ReadonlyMap<DeviceId, number>;
  /** Whether another node holds a connection of the address, as far as the store knows. */
  readonly isHeldElsewhere: boolean;
}

/** A device as its owner sees it. */
export interface MailboxDevice {
  readonly device: DeviceId;
  /** Opened or acknowledged, integer ms since 1970. */
  readonly lastUsedAt: number;
  /** Entries between its cursor and the newest, still kept or not. */
  readonly pending: number;
}

export interface OpenOptions {
  /** From now on only this opening acknowledges for the device: earlier ones are superseded. */
  readonly exclusive?: boolean;
}

export interface RetireOptions {
  /** Entries after this one stay, as when acknowledging. */
  readonly keepAfter?: EntryId | null | undefined;
  /** Only while that exclusive opening speaks for the device: the place of a later one is not touched. */
  readonly claim?: number;
}

/** What a device says it has. */
export interface Acknowledgement {
  readonly device: DeviceId;
  readonly upTo: EntryId;
  /** Of the exclusive opening that this comes from; 0 where none is needed. */
  readonly claim?: number;
  /** Entries after this one stay: a live connection still has to read them. */
  readonly keepAfter?: EntryId | null | undefined;
  /**
   * Other nodes may hold connections of the address: what one of them still has to read stays too, as its own `keepAfter`
   * said; everything, while one has not said it.
   */
  readonly isShared?: boolean;
  /**
   * Messages up to `upTo` whose senders are owed `delivered`, unless it is known to be owed no more. What each group is owed
   * has a name of its own: others may bring and settle it.
   */
  readonly messages?: readonly (readonly MessageReference[])[];
}

export type MessageReference = Pick<MessageEntry, 'sequence' | 'from' | 'messageId'>;

export interface Page {
  /** Oldest first. Sequences that are missing before or between them have expired or were dropped. */
  readonly entries: readonly Entry[];
  /** Where a reader stands after this page: the last entry's id or, when there is nothing more, the head. */
  readonly upTo: EntryId | null;
  /** Missing sequences up to this one were dropped to keep the bound; later ones expired, or every device has passed them. */
  readonly droppedUpTo: number;
  /** The furthest sequence that a device has acknowledged. */
  readonly acknowledgedUpTo: number;
  /** Of an entry in the whole mailbox, where the store had to ask: whoever reads on gives it back. */
  readonly meanBytes?: number;
}

export interface PendingPage {
  readonly messages: readonly MessageEntry[];
  /** Whether there are more after these. */
  readonly more: boolean;
}

export type Acknowledged =
  | {
      readonly kind: 'acknowledged';
      /** The furthest that any device had acknowledged before: only what comes after it is delivered by this call. */
      readonly before: number;
      /** Sequences above `before` that are owed no `delivered`: expired, dropped, their `read` went out first, or their sender is blocked. */
      readonly silent: readonly number[];
      /** The rest of `messages` after `before`, to be settled once their senders know: of each group, or none where none is left. */
      readonly owed: readonly Owed[];
    }
  /** Beyond the newest entry: nothing moved. */
  | { readonly kind: 'ahead' }
  /** A later opening speaks for the device: nothing moved. */
  | { readonly kind: 'superseded' };

/** `unknown`: that sender sent no such message here, as far as the mailbox remembers. */
export type ReadMark =
  | {
      readonly kind: 'marked';
      readonly sequence: number;
      readonly wasAcknowledged: boolean;
      readonly owed: Owed | null;
    }
  | { readonly kind: 'repeat' }
  | { readonly kind: 'unknown' };

/** accepted = acknowledged + expired + dropped + pending, always. Receipts are not counted. */
export interface Ledger {
  readonly accepted: number;
  readonly acknowledged: number;
  readonly expired: number;
  readonly dropped: number;
  readonly pending: number;
  /** Mailboxes with a pending message. */
  readonly mailboxes: number;
}

/** What `checkLedger` found. */
export interface LedgerCheck {
  /** By how many messages ledger and mailboxes differ, where they did when they were last looked at; 0: they agree. */
  readonly imbalance: number;
  /** Parts of the store that were looked at just now, and those with too many mailboxes to do so in passing. */
  readonly checked: number;
  readonly skipped: number;
}

/** Part of what may wait, from which on a mailbox counts as nearly full. */
export const NEARLY_FULL = 0.8;

/** Entries as they were before they left the log, newest first. */
export interface HistoryPage {
  readonly messages: readonly MessageEntry[];
  /** Pass as `before` for older ones; `null` at the end. */
  readonly next: EntryId | null;
}

/** Hears of entries that other nodes append; a hint, which may be lost. */
export type AppendedElsewhere = (mailbox: Address, entry: Entry) => void;

/**
 * The log of entries owed to one address, oldest first, with a cursor per device. Operations on one mailbox are atomic
 * and take effect in the order they were called in; nothing is promised across mailboxes. Every method may reject
 * with `RelayError('store_unavailable')`, and then the outcome is unknown.
 */
export abstract class QueueRepository {
  /**
   * Idempotent per (sender, messageId) while the message waits and until 512 later messages came: a repeat changes
   * nothing and says so; the same id with other content is refused. A refusal stores nothing and drops nothing;
   * `store_unavailable` is one: all mailboxes together have reached what the store can hold.
   *
   * To a blocked sender the mailbox is that of somebody who stays away. What it sends leaves a ghost, which counts against
   * its bounds (not those of others), is remembered like a message, and makes an `expired` due when its time ends. What it
   * sent before and a device acknowledges from now on becomes one too: that is silent, and a repeat finds it unacknowledged.
   * `clear` drops ghosts as it does messages. They outlive the block, until their sender is told otherwise.
   *
   * What the store knows at once it says at once: a promise would be a part of what a message costs in memory.
   */
  abstract append(mailbox: Address, message: NewMessage, limits: MailboxLimits): Appended | Promise<Appended>;

  /**
   * Receipts never count against the mailbox's bounds: they have one of their own, and the oldest give way. A `delivered`
   * that comes within two minutes after the `read` of the same message is not stored; those that are, are returned.
   */
  abstract appendReceipts(mailbox: Address, receipts: readonly Receipt[]): Promise<readonly ReceiptEntry[]>;

  /**
   * Registers the device, from now on owed every entry, and keeps it from being retired. A new one starts at the oldest
   * entry still kept. Rejects with `RelayError('forbidden')` where the address has as many devices as it may have.
   */
  abstract open(mailbox: Address, device: DeviceId, options?: OpenOptions): Promise<Cursor>;

  /** Those that have a place in the mailbox, in no order that means anything. */
  abstract devices(mailbox: Address): Promise<readonly MailboxDevice[]>;

  /**
   * Takes a device's place away: it holds nothing back any more, and what its earlier openings acknowledge is superseded.
   * Opened again it is a new one. False where it had no place, or another opening than `claim` has it.
   */
  abstract retire(mailbox: Address, device: DeviceId, options?: RetireOptions): Promise<boolean>;

  /**
   * At most `maxEntries`, and no more than `maxBytes` of content beyond the first. What has expired is never among them. `meanBytes`
   * as the page before had it.
   */
  abstract read(
    mailbox: Address,
    after: EntryId | null,
    maxEntries: number,
    maxBytes: number,
    meanBytes?: number,
  ): Promise<Page>;

  /**
   * Cumulative and monotonic: an older `upTo` changes nothing. Entries leave the log when every device has passed
   * them, but not those that a live connection still has to read, here (`keepAfter`) or on another node (`isShared`).
   */
  abstract acknowledge(mailbox: Address, acknowledgement: Acknowledgement): Promise<Acknowledged>;

  /** Remembers that the owner of the mailbox has read that message; only the first call is `marked`. */
  abstract markRead(mailbox: Address, from: Address, messageId: string): Promise<ReadMark>;

  /** Messages that no device has acknowledged, after an id and oldest first; bounded as `read` is. */
  abstract pending(mailbox: Address, after: EntryId | null, maxEntries: number, maxBytes: number): Promise<PendingPage>;

  /** How many messages no device has acknowledged. */
  abstract size(mailbox: Address): Promise<number>;

  /** Drops what is pending, on the owner's word; returns how many messages that were. */
  abstract clear(mailbox: Address): Promise<number>;

  /** In the order asked for; `null` for one that cannot be read, which keeps no other back. */
  abstract glance(mailboxes: readonly Address[]): Promise<readonly (Glance | null)[]>;

  /** Messages before an id (`null`: the newest), newest first, as far as they are kept. */
  abstract history(
    mailbox: Address,
    before: EntryId | null,
    maxEntries: number,
    maxBytes: number,
  ): Promise<HistoryPage>;

  /** Forgets what has expired, and what nobody will ask for again. Works through a part of the mailboxes; true: call again. */
  abstract purge(): Promise<boolean>;

  /**
   * Receipts that nobody passed on: of messages that expired, and those whose node went away in between. Until they are
   * settled they are named again, but not more often than a node may take to settle them.
   */
  abstract owed(): Promise<readonly OwedReceipts[]>;

  /** Their senders know, or it waits in their mailboxes. */
  abstract settle(owed: readonly Owed[]): Promise<void>;

  abstract ledger(): Promise<Ledger>;

  /** Counts anew what waits, in a part of the mailboxes with each call. `null` where another node does. */
  abstract checkLedger(): Promise<LedgerCheck | null>;

  /** The clock that `queuedAt` and expiry go by, ms since 1970; the same for all nodes. */
  abstract now(): number;

  /** Asks the store itself, every part of it, whether it answers; rejects where it does not. */
  abstract reach(): Promise<void>;

  /** One listener. Never called where there is but one node. */
  abstract onAppended(listener: AppendedElsewhere): void;
}
