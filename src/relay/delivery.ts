import { type Address, LIMITS, statusFrame } from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logger.js';
import type { EntryId } from '../queue/entry-id.js';
import {
  type Acknowledged,
  CLASSIC_DEVICE,
  type MessageEntry,
  type QueueRepository,
  type Receipt,
} from '../queue/queue.repository.js';
import type { Connection } from './connection.js';
import { entryFrame } from './mailbox-reader.js';
import type { Receipts } from './receipts.js';
import type { Room, Rooms } from './room.js';

/** `sweep` runs this often, so that an answer is never later than the protocol says. */
export const VERDICT_SWEEP_MS = 50;

/** From the mailbox to the connections of its owner, and from their acknowledgements back to the sender. */
export class Delivery {
  /** Rooms with somebody waiting for a verdict. */
  private readonly waitingRooms = new Set<Room>();

  constructor(
    private readonly rooms: Rooms,
    private readonly queue: QueueRepository,
    private readonly receipts: Receipts,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** A message was stored: offers it to whoever is connected, and answers its sender now or once somebody has it. */
  stored(sender: Connection, to: Address, entry: MessageEntry): void {
    const room = this.rooms.get(to);
    if (room === undefined) {
      sender.link.send(statusFrame('queued', entry.messageId, to, this.clock.now()));
      return;
    }
    const dueAt = this.clock.monotonic() + LIMITS.deliveredWithinMs - VERDICT_SWEEP_MS;
    room.waiting.set(entry.sequence, { sender, messageId: entry.messageId, dueAt });
    this.waitingRooms.add(room);
    const frame = entryFrame(entry, false);
    for (const connection of room.connections) connection.offer(entry, frame);
  }

  /** A connection's client has everything up to `upTo`. */
  acknowledge(connection: Connection, room: Room, upTo: EntryId): void {
    const keepAfter = this.slowestPosition(room.address);
    this.queue.acknowledge(room.address, CLASSIC_DEVICE, upTo, keepAfter).then(
      (result) => this.acknowledged(connection, room, upTo, result),
      (error: unknown) => {
        // The window stays as it was, and the client is asked again.
        this.logger.warn('acknowledgement not stored', { connection: connection.id, reason: reasonOf(error) });
        connection.askAgain();
      },
    );
  }

  /** These messages have been acknowledged for the first time. */
  delivered(mailbox: Address, messages: readonly { from: Address; messageId: string; sequence: number }[]): void {
    const timestamp = this.clock.now();
    const room = this.rooms.get(mailbox);
    const bySender = new Map<Address, Receipt[]>();
    for (const { from, messageId, sequence } of messages) {
      const sender = this.takeWaiting(room, sequence);
      if (sender?.isOpen === true) {
        sender.link.send(statusFrame('delivered', messageId, mailbox, timestamp));
        continue;
      }
      const receipt: Receipt = { kind: 'delivered', peer: mailbox, messageId, timestamp };
      const receipts = bySender.get(from);
      if (receipts === undefined) bySender.set(from, [receipt]);
      else receipts.push(receipt);
    }
    for (const [sender, receipts] of bySender) this.receipts.send(sender, receipts);
  }

  /** Answers `queued` to whoever has waited long enough. */
  sweep(): void {
    const now = this.clock.monotonic();
    const timestamp = this.clock.now();
    for (const room of this.waitingRooms) {
      for (const [sequence, { sender, messageId, dueAt }] of room.waiting) {
        if (dueAt > now) break;
        room.waiting.delete(sequence);
        sender.link.send(statusFrame('queued', messageId, room.address, timestamp));
      }
      if (room.waiting.size === 0) this.waitingRooms.delete(room);
    }
  }

  /** A device counts as seen while it is connected, however quiet its mailbox is. */
  async refreshDevices(): Promise<void> {
    for (const { address } of this.rooms.values()) await this.queue.open(address, CLASSIC_DEVICE);
  }

  /** The last connection of a room has gone: nobody there will acknowledge any more. */
  abandoned(room: Room): void {
    for (const { sender, messageId } of room.waiting.values()) {
      sender.link.send(statusFrame('queued', messageId, room.address, this.clock.now()));
    }
    room.waiting.clear();
    this.waitingRooms.delete(room);
  }

  /** How far the slowest connection of an address has been sent its mailbox; `undefined` where none is connected. */
  slowestPosition(mailbox: Address): EntryId | null | undefined {
    let slowest: Connection | undefined;
    for (const connection of this.rooms.get(mailbox)?.connections ?? []) {
      if (slowest === undefined || connection.sentUpTo < slowest.sentUpTo) slowest = connection;
    }
    return slowest?.sentId;
  }

  private acknowledged(connection: Connection, room: Room, upTo: EntryId, result: Acknowledged): void {
    const settled = connection.settle(upTo);
    if (result.kind === 'ahead') {
      this.logger.warn('acknowledgement beyond the mailbox', { connection: connection.id });
      return;
    }
    const { before, silent } = result;
    const first = settled.filter(
      (entry): entry is MessageEntry =>
        entry.kind === 'message' && entry.sequence > before && !silent.includes(entry.sequence),
    );
    if (first.length > 0) this.delivered(room.address, first);
  }

  private takeWaiting(room: Room | undefined, sequence: number): Connection | null {
    const pending = room?.waiting.get(sequence);
    if (room === undefined || pending === undefined) return null;
    room.waiting.delete(sequence);
    if (room.waiting.size === 0) this.waitingRooms.delete(room);
    return pending.sender;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
