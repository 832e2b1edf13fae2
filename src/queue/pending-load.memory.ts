import type { Address } from '@relay/protocol';
import type { MailboxLimits } from './queue.repository.js';

export interface ExpiredMessage {
  readonly mailbox: Address;
  readonly from: Address;
  readonly messageId: string;
}

/** What happened to messages, counted where it happens; one for all mailboxes of a repository. */
export interface Tally {
  accepted: number;
  acknowledged: number;
  expired: number;
  dropped: number;
  pending: number;
  /** Mailboxes with a pending message. */
  mailboxes: number;
  /** What all logs cost in memory, about. */
  bytes: number;
  /** Expired before anybody acknowledged them, and not yet reported. */
  unreported: ExpiredMessage[];
}

interface Load {
  messages: number;
  bytes: number;
}

/** What the pending messages of one mailbox amount to, in all and by sender, against its limits. */
export class PendingLoad {
  messages = 0;
  bytes = 0;
  private senders: Map<Address, Load> | null = null;

  constructor(private readonly tally: Tally) {}

  add(from: Address, bytes: number): void {
    if (this.messages === 0) this.tally.mailboxes++;
    this.change(from, 1, bytes);
  }

  remove(from: Address, bytes: number): void {
    this.change(from, -1, -bytes);
    if (this.messages === 0) this.tally.mailboxes--;
  }

  /** Whether a sender whom the recipient does not know may have no more waiting, alone or with all others of that kind. */
  isOverStrangers(from: Address, bytes: number, limits: MailboxLimits, isKnown: (peer: Address) => boolean): boolean {
    const { maxMessages, maxBytes, senderShare, maxStrangerMessages } = limits;
    if (maxStrangerMessages === undefined) return false;
    const most = maxMessages * senderShare;
    const mostBytes = maxBytes * senderShare;
    // Then it cannot be, whoever they are.
    if (this.messages + 1 <= Math.min(maxStrangerMessages, most) && this.bytes + bytes <= mostBytes) return false;
    if (isKnown(from)) return false;
    if ((this.senders?.get(from)?.messages ?? 0) + 1 > maxStrangerMessages) return true;
    const strangers = { messages: 0, bytes: 0 };
    for (const [peer, load] of this.senders ?? []) {
      if (isKnown(peer)) continue;
      strangers.messages += load.messages;
      strangers.bytes += load.bytes;
    }
    return strangers.messages > 0 && (strangers.messages + 1 > most || strangers.bytes + bytes > mostBytes);
  }

  /** Why one more message cannot be taken, or `null`. */
  obstacle(from: Address, bytes: number, limits: MailboxLimits): 'mailbox_full' | 'sender_share_full' | null {
    const { maxMessages, maxBytes } = limits;
    if (this.messages + 1 > maxMessages || this.bytes + bytes > maxBytes) return 'mailbox_full';
    return this.isOverShare(from, bytes, limits) ? 'sender_share_full' : null;
  }

  isOverShare(from: Address, bytes: number, { maxMessages, maxBytes, senderShare }: MailboxLimits): boolean {
    const halfFull = this.messages * 2 >= maxMessages || this.bytes * 2 >= maxBytes;
    const load = halfFull ? this.senders?.get(from) : undefined;
    if (load === undefined) return false;
    return load.messages + 1 > maxMessages * senderShare || load.bytes + bytes > maxBytes * senderShare;
  }

  private change(from: Address, messages: 1 | -1, bytes: number): void {
    this.messages += messages;
    this.bytes += bytes;
    this.tally.pending += messages;
    const senders = (this.senders ??= new Map<Address, Load>());
    const load = senders.get(from);
    if (load === undefined) {
      senders.set(from, { messages, bytes });
      return;
    }
    load.messages += messages;
    load.bytes += bytes;
    if (load.messages === 0) senders.delete(from);
  }
}
