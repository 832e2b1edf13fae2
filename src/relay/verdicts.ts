import { type Address, LIMITS, statusFrame } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import type { Connection } from './connection.js';

/** `sweep` runs this often, so that an answer is never later than the protocol says. */
export const VERDICT_SWEEP_MS = 50;

interface PendingVerdict {
  readonly sender: Connection;
  /** On the monotonic clock. */
  readonly dueAt: number;
}

/** By messageId; all wait equally long, so the first is due first. */
type Pair = Map<string, PendingVerdict>;

/** Sends that wait for the recipient's acknowledgement before they are answered. */
export class Verdicts {
  /** By recipient and sender: one key of both and the messageId would be put together and hashed three times for each message. */
  private readonly pairs = new Map<Address, Map<Address, Pair>>();

  constructor(private readonly clock: Clock) {}

  wait(sender: Connection, from: Address, to: Address, messageId: string): void {
    const dueAt = this.clock.monotonic() + LIMITS.deliveredWithinMs - VERDICT_SWEEP_MS;
    this.pairOf(from, to).set(messageId, { sender, dueAt });
  }

  /** Who waits to hear of that message; it is theirs to tell. */
  take(from: Address, to: Address, messageId: string): Connection | null {
    const pair = this.pairs.get(to)?.get(from);
    const pending = pair?.get(messageId);
    if (pair === undefined || pending === undefined) return null;
    pair.delete(messageId);
    return pending.sender;
  }

  /** `delivered` or `read` goes to that connection by its mailbox: `queued` may not follow. Returns whether it was waiting. */
  told(connection: Connection, from: Address, to: Address, messageId: string): boolean {
    const pair = this.pairs.get(to)?.get(from);
    return pair?.get(messageId)?.sender === connection && pair.delete(messageId);
  }

  /** Answers `queued` to whoever has waited long enough, and forgets pairs of whom nobody waits. */
  sweep(): void {
    const now = this.clock.monotonic();
    for (const [to, senders] of this.pairs) {
      for (const [from, pair] of senders) {
        this.answerDue(pair, to, now);
        if (pair.size === 0) senders.delete(from);
      }
      if (senders.size === 0) this.pairs.delete(to);
    }
  }

  /** Answers `queued` at once to those whose connections are about to be closed, or that sent to an address that left. */
  answerNow(concerns: (sender: Connection, to: Address) => boolean): void {
    for (const [to, senders] of this.pairs) {
      for (const pair of senders.values()) {
        for (const [messageId, { sender }] of pair) if (concerns(sender, to)) this.answer(pair, to, messageId, sender);
      }
    }
  }

  private answerDue(pair: Pair, to: Address, now: number): void {
    for (const [messageId, { sender, dueAt }] of pair) {
      if (dueAt > now) return;
      this.answer(pair, to, messageId, sender);
    }
  }

  private answer(pair: Pair, to: Address, messageId: string, sender: Connection): void {
    pair.delete(messageId);
    sender.link.send(statusFrame('queued', messageId, to, this.clock.now()));
  }

  private pairOf(from: Address, to: Address): Pair {
    let senders = this.pairs.get(to);
    if (senders === undefined) this.pairs.set(to, (senders = new Map<Address, Pair>()));
    let pair = senders.get(from);
    if (pair === undefined) senders.set(from, (pair = new Map<string, PendingVerdict>()));
    return pair;
  }
}
