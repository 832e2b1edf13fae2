import { type Address, errorFrame, LIMITS, type MessageFrame, statusFrame } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import type { Connection } from './connection.js';
import type { Rooms } from './room.js';

interface Waiting {
  readonly sender: Connection;
  readonly messageId: string;
  readonly to: Address;
  readonly dueAt: number;
}

/** Messages that are never stored: to whoever is connected now, or to nobody. */
export class Ephemeral {
  private readonly waiting = new Set<Waiting>();

  constructor(
    private readonly rooms: Rooms,
    private readonly clock: Clock,
  ) {}

  send(sender: Connection, from: Address, { to, content, messageId, timestamp }: MessageFrame): void {
    const now = this.clock.now();
    // Somebody who is still reading a backlog would get it before older messages.
    const live = this.rooms.get(to)?.connections.filter((connection) => connection.canTakeUnstored) ?? [];
    if (live.length === 0) {
      sender.link.send(errorFrame('recipient_offline', { messageId, outcome: 'refused' }));
      return;
    }
    const dueAt = this.clock.monotonic() + LIMITS.verdictWithinMs / 2;
    const waiting: Waiting = { sender, messageId, to, dueAt };
    this.waiting.add(waiting);
    const frame = JSON.stringify({ type: 'message', from, content, messageId, timestamp: timestamp ?? now });
    for (const connection of live) connection.sendUnstored(frame, () => this.answer(waiting));
  }

  /** Nobody acknowledged in time: it may have arrived or not, and will not be tried again. */
  sweep(): void {
    const now = this.clock.monotonic();
    for (const waiting of this.waiting) {
      if (waiting.dueAt > now) return;
      this.waiting.delete(waiting);
      const { sender, messageId } = waiting;
      sender.link.send(errorFrame('recipient_offline', { messageId, outcome: 'unknown' }));
    }
  }

  private answer(waiting: Waiting): void {
    if (!this.waiting.delete(waiting)) return;
    const { sender, messageId, to } = waiting;
    sender.link.send(statusFrame('delivered', messageId, to, this.clock.now()));
  }
}
