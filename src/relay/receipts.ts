import { type Address, encodeFrame, statusFrame } from '@relay/protocol';
import type { Logger } from '../common/logger.js';
import type { QueueRepository, Receipt } from '../queue/queue.repository.js';
import { entryFrame } from './mailbox-reader.js';
import type { Room, Rooms } from './room.js';

/** Brings receipts to who sent the message: now where all of its connections have caught up, else through its mailbox. */
export class Receipts {
  constructor(
    private readonly rooms: Rooms,
    private readonly queue: QueueRepository,
    private readonly logger: Logger,
  ) {}

  send(to: Address, receipts: readonly Receipt[]): void {
    const room = this.rooms.get(to);
    // A receipt that overtook an older one still in the backlog would turn a tick back.
    if (room?.connections.every((connection) => connection.isLive) === true) {
      for (const receipt of receipts) sendNow(room, receipt);
      return;
    }
    this.store(to, receipts).catch((error: unknown) => this.logger.error('receipts not stored', error));
  }

  private async store(to: Address, receipts: readonly Receipt[]): Promise<void> {
    const entries = await this.queue.appendReceipts(to, receipts);
    const room = this.rooms.get(to);
    for (const connection of room?.connections ?? []) {
      for (const entry of entries) connection.offer(entry, entryFrame(entry, false));
    }
  }
}

function sendNow(room: Room, { kind, peer, messageId, timestamp }: Receipt): void {
  const frame =
    kind === 'delivered'
      ? statusFrame('delivered', messageId, peer, timestamp)
      : kind === 'read'
        ? encodeFrame({ type: 'read', from: peer, messageId, timestamp })
        : encodeFrame({ type: 'expired', messageId, to: peer });
  for (const connection of room.connections) connection.link.send(frame);
}
