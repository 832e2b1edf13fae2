import {
  type Address,
  encodeFrame,
  type ErrorCode,
  LIMITS,
  type MessageFrame,
  RelayError,
  statusFrame,
} from '@relay/protocol';
import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logger.js';
import type { PresenceService } from '../presence/presence.service.js';
import type { EntryId } from '../queue/entry-id.js';
import { type Appended, CLASSIC_DEVICE, type MailboxLimits, type QueueRepository } from '../queue/queue.repository.js';
import type { Connection, ConnectionHost, Joined, SignedInFrame } from './connection.js';
import type { Delivery } from './delivery.js';
import type { Ephemeral } from './ephemeral.js';
import { MailboxReader } from './mailbox-reader.js';
import type { Receipts } from './receipts.js';
import type { Room, Rooms } from './room.js';

export interface RelayParts {
  readonly rooms: Rooms;
  readonly queue: QueueRepository;
  readonly presence: PresenceService;
  readonly delivery: Delivery;
  readonly receipts: Receipts;
  readonly ephemeral: Ephemeral;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface RelayOptions {
  readonly mailbox: MailboxLimits;
  readonly retentionMs: number;
  readonly maxFrameBytes: number;
}

/** Of a ping: a burst of sends beyond the rate is a mistake, ten times as much of it a flood. */
const REFUSAL_WEIGHT = 0.1;
const WINDOW = { entries: LIMITS.windowEntries, bytes: LIMITS.windowBytes };

/** What happens to a frame once it is decoded and its sender known. */
export class Relay implements ConnectionHost {
  constructor(
    private readonly parts: RelayParts,
    private readonly options: RelayOptions,
  ) {}

  now(): number {
    return this.parts.clock.monotonic();
  }

  async join(connection: Connection, address: Address): Promise<Joined> {
    const { rooms, queue, presence, clock } = this.parts;
    // In the room before the mailbox is opened: an entry that comes in between is offered, not missed.
    const room = rooms.join(address, connection);
    try {
      const cursor = await queue.open(address, CLASSIC_DEVICE);
      await presence.connected(address, connection.id);
      const reader = new MailboxReader(address, queue, connection.link, connection, WINDOW);
      const welcome = encodeFrame({ type: 'auth_success', address, timestamp: clock.now() });
      return { room, reader, cursor, welcome, maxFrameBytes: this.options.maxFrameBytes };
    } catch (error) {
      // It may have been registered all the same: an error says only that there was no answer.
      this.leave(connection, room);
      throw error;
    }
  }

  leave(connection: Connection, room: Room): void {
    const { presence } = this.parts;
    this.leaveRoom(room, connection);
    presence.unwatchAll(connection);
    presence
      .disconnected(room.address, connection.id)
      .catch((error: unknown) => this.failed(connection, 'presence not updated', error));
  }

  handle(connection: Connection, room: Room, frame: SignedInFrame): void {
    switch (frame.type) {
      case 'message':
        return this.message(connection, room, frame);
      case 'ping':
        connection.link.send(encodeFrame({ type: 'pong', timestamp: this.parts.clock.now() }));
        return connection.chattered(1);
      case 'typing': {
        const { to, isTyping } = frame;
        return this.route(connection, room, to, encodeFrame({ type: 'typing', from: room.address, isTyping }));
      }
      case 'signal': {
        const { to, data } = frame;
        return this.route(connection, room, to, encodeFrame({ type: 'signal', from: room.address, data }));
      }
      case 'read_receipt':
        return this.readReceipt(connection, room, frame.to, frame.messageId);
      case 'subscribe_presence':
        if (!this.mayRoute(connection, room)) return;
        return this.run(connection, this.parts.presence.watch(connection, frame.addresses));
      case 'unsubscribe_presence':
        if (!this.mayRoute(connection, room)) return;
        return this.parts.presence.unwatch(connection, frame.addresses);
      case 'set_presence':
        if (!this.mayRoute(connection, room)) return;
        return this.run(connection, this.parts.presence.setVisible(room.address, frame.visible));
    }
  }

  acknowledge(connection: Connection, room: Room, upTo: EntryId): void {
    this.parts.delivery.acknowledge(connection, room, upTo);
  }

  failed(connection: Connection, what: string, error: unknown): void {
    this.parts.logger.error(what, error, { connection: connection.id });
  }

  private message(connection: Connection, room: Room, frame: MessageFrame): void {
    const { messageId } = frame;
    if (!this.mayRoute(connection, room, messageId)) return;
    if (frame.ephemeral) return this.parts.ephemeral.send(connection, room.address, frame);

    connection.sendStarted();
    const { to, content, timestamp, ttlSeconds } = frame;
    const { mailbox, retentionMs } = this.options;
    const ttlMs = ttlSeconds === null ? retentionMs : Math.min(retentionMs, ttlSeconds * 1000);
    const message = {
      from: room.address,
      messageId,
      content,
      timestamp: timestamp ?? this.parts.clock.now(),
      ttlMs,
    };
    this.parts.queue.append(to, message, mailbox).then(
      (result) => {
        connection.sendEnded();
        this.appended(connection, to, messageId, result);
      },
      (error: unknown) => {
        connection.sendEnded();
        this.sendFailed(connection, messageId, error);
      },
    );
  }

  private appended(connection: Connection, to: Address, messageId: string, result: Appended): void {
    switch (result.kind) {
      case 'stored':
        return this.parts.delivery.stored(connection, to, result.entry);
      case 'repeat': {
        const verdict = result.acknowledged ? 'delivered' : 'queued';
        return connection.link.send(statusFrame(verdict, messageId, to, this.parts.clock.now()));
      }
      case 'refused':
        return connection.refuse(result.code, { messageId, outcome: 'refused' });
    }
  }

  /** The store did not say whether it has the message. The same id may be sent again: it is stored once. */
  private sendFailed(connection: Connection, messageId: string, error: unknown): void {
    this.failed(connection, 'message not stored', error);
    const code: ErrorCode = error instanceof RelayError ? error.code : 'internal';
    connection.refuse(code, { messageId, outcome: 'unknown' });
  }

  /** Frames that are never stored go to whoever is connected and can take them now. */
  private route(connection: Connection, room: Room, to: Address, frame: string): void {
    if (!this.mayRoute(connection, room)) return;
    for (const recipient of this.parts.rooms.get(to)?.connections ?? []) {
      if (recipient.isOpen && !recipient.link.isBusy) recipient.link.send(frame);
    }
  }

  private readReceipt(connection: Connection, room: Room, to: Address, messageId: string): void {
    if (!this.mayRoute(connection, room, messageId)) return;
    connection.sendStarted();
    this.run(
      connection,
      this.markRead(room.address, to, messageId).finally(() => connection.sendEnded()),
    );
  }

  /** Silent where that message is unknown: a client reading an old conversation has done nothing wrong. */
  private async markRead(reader: Address, from: Address, messageId: string): Promise<void> {
    const { queue, delivery, receipts, clock } = this.parts;
    const mark = await queue.markRead(reader, from, messageId);
    if (mark.kind !== 'marked') return;
    // Whoever has read it has it, and `delivered` may not follow `read`.
    if (!mark.wasAcknowledged) delivery.delivered(reader, [{ from, messageId, sequence: mark.sequence }]);
    receipts.send(from, [{ kind: 'read', peer: reader, messageId, timestamp: clock.now() }]);
  }

  private mayRoute(connection: Connection, room: Room, messageId?: string): boolean {
    const retryAfterMs = room.budget.take(this.now());
    if (retryAfterMs === 0) return true;
    const outcome = messageId === undefined ? undefined : 'refused';
    connection.refuse('rate_limited', { messageId, outcome, retryAfterMs });
    connection.chattered(REFUSAL_WEIGHT);
    return false;
  }

  /** What a frame set off may fail, and its sender hears of it. */
  private run(connection: Connection, work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (error instanceof RelayError) return connection.refuse(error.code, { message: error.message });
      this.failed(connection, 'frame not handled', error);
      connection.refuse('internal');
    });
  }

  private leaveRoom(room: Room, connection: Connection): void {
    this.parts.rooms.leave(room, connection);
    if (room.connections.length === 0) this.parts.delivery.abandoned(room);
  }
}
