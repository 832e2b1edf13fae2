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

export interface Load {
  readonly messages: number;
  readonly bytes: number;
}

/** What counts as if it waited too: in all, and of the one who sends. */
export interface LoadBeside {
  readonly all: Load;
  readonly own: Load;
}

const NOTHING: Load = { messages: 0, bytes: 0 };
const NOTHING_BESIDE: LoadBeside = { all: NOTHING, own: NOTHING };

/** What the pending messages of one mailbox amount to, in all and by sender, against its limits. */
export class PendingLoad {
  messages = 0;
  bytes = 0;
  private senders: Map<Address, { messages: number; bytes: number }> | null = null;

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
  isOverStrangers(
    from: Address,
    bytes: number,
    limits: MailboxLimits,
    isKnown: (peer: Address) => boolean,
    { all, own }: LoadBeside = NOTHING_BESIDE,
  ): boolean {
    const { maxMessages, maxBytes, senderShare, maxStrangerMessages } = limits;
    if (maxStrangerMessages === undefined) return false;
    const most = maxMessages * senderShare;
    const mostBytes = maxBytes * senderShare;
    // Then it cannot be, whoever they are.
    const messages = this.messages + all.messages;
    if (messages + 1 <= Math.min(maxStrangerMessages, most) && this.bytes + all.bytes + bytes <= mostBytes)
      return false;
    if (isKnown(from)) return false;
    if ((this.senders?.get(from)?.messages ?? 0) + own.messages + 1 > maxStrangerMessages) return true;
    // Which of those beside are strangers' is not counted.
    const strangers = { ...all };
    for (const [peer, load] of this.senders ?? []) {
      if (isKnown(peer)) continue;
      strangers.messages += load.messages;
      strangers.bytes += load.bytes;
    }
    return strangers.messages > 0 && (strangers.messages + 1 > most || strangers.bytes + bytes > mostBytes);
  }

  /** Why one more message cannot be taken, or `null`. */
  obstacle(
    from: Address,
    bytes: number,
    limits: MailboxLimits,
    beside = NOTHING_BESIDE,
  ): 'mailbox_full' | 'sender_share_full' | null {
    const { messages, bytes: waiting } = sum(this, beside.all);
    if (messages + 1 > limits.maxMessages || waiting + bytes > limits.maxBytes) return 'mailbox_full';
    return this.isOverShare(from, bytes, limits, beside) ? 'sender_share_full' : null;
  }

  isOverShare(from: Address, bytes: number, limits: MailboxLimits, beside = NOTHING_BESIDE): boolean {
    const { maxMessages, maxBytes, senderShare } = limits;
    const all = sum(this, beside.all);
    if (all.messages * 2 < maxMessages && all.bytes * 2 < maxBytes) return false;
    const load = sum(this.senders?.get(from) ?? NOTHING, beside.own);
    if (load.messages === 0) return false;
    return load.messages + 1 > maxMessages * senderShare || load.bytes + bytes > maxBytes * senderShare;
  }

  private change(from: Address, messages: 1 | -1, bytes: number): void {
    this.messages += messages;
    this.bytes += bytes;
    this.tally.pending += messages;
    const senders = (this.senders ??= new Map<Address, { messages: number; bytes: number }>());
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

function sum(a: Load, b: Load): Load {
  return { messages: a.messages + b.messages, bytes: a.bytes + b.bytes };
}
