import { type Address, LIMITS, statusFrame } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import type { Connection } from './connection.js';

/** `sweep` runs this often, so that an answer is never later than the protocol says. */
export const VERDICT_SWEEP_MS = 50;

interface PendingVerdict {
  readonly sender: Connection;
  readonly to: Address;
  readonly messageId: string;
  /** On the monotonic clock. */
  readonly dueAt: number;
}

/** Sends that wait for the recipient's acknowledgement before they are answered. */
export class Verdicts {
  /** By sender, recipient and messageId; all wait equally long, so the first is due first. */
  private readonly pending = new Map<string, PendingVerdict>();

  constructor(private readonly clock: Clock) {}

  wait(sender: Connection, from: Address, to: Address, messageId: string): void {
    const dueAt = this.clock.monotonic() + LIMITS.deliveredWithinMs - VERDICT_SWEEP_MS;
    this.pending.set(from + to + messageId, { sender, to, messageId, dueAt });
  }

  /** Who waits to hear of that message; it is theirs to tell. */
  take(from: Address, to: Address, messageId: string): Connection | null {
    const key = from + to + messageId;
    const pending = this.pending.get(key);
    if (pending === undefined) return null;
    this.pending.delete(key);
    return pending.sender;
  }

  /** `delivered` went to that connection by its mailbox: `queued` may not follow. */
  told(connection: Connection, from: Address, to: Address, messageId: string): void {
    const key = from + to + messageId;
    if (this.pending.get(key)?.sender === connection) this.pending.delete(key);
  }

  /** Answers `queued` to whoever has waited long enough. */
  sweep(): void {
    const now = this.clock.monotonic();
    for (const [key, pending] of this.pending) {
      if (pending.dueAt > now) return;
      this.answer(key, pending);
    }
  }

  /** Answers `queued` at once to those whose connections are about to be closed, or that sent to an address that left. */
  answerNow(concerns: (sender: Connection, to: Address) => boolean): void {
    for (const [key, pending] of this.pending) {
      if (concerns(pending.sender, pending.to)) this.answer(key, pending);
    }
  }

  private answer(key: string, { sender, to, messageId }: PendingVerdict): void {
    this.pending.delete(key);
    sender.link.send(statusFrame('queued', messageId, to, this.clock.now()));
  }
}
