import { type Address, encodeFrame, statusFrame } from '@relay/protocol';
import type { Logger } from '../common/logger.js';
import type { QueueRepository, Receipt } from '../queue/queue.repository.js';
import { entryFrame } from './mailbox-reader.js';
import type { Room, Rooms } from './room.js';

/** Brings receipts to who sent the message: now where all of its connections have caught up, else through its mailbox. */
export class Receipts {
  /** Receipts on their way into the mailbox of each address. */
  private readonly storing = new Map<Address, number>();

  constructor(
    private readonly rooms: Rooms,
    private readonly queue: QueueRepository,
    private readonly logger: Logger,
  ) {}

  send(to: Address, receipts: readonly Receipt[]): void {
    const room = this.rooms.get(to);
    // A receipt that overtook an older one still in the backlog would turn a tick back.
    const isStoring = this.storing.has(to);
    if (!isStoring && room?.connections.every((connection) => connection.isLive) === true) {
      for (const receipt of receipts) sendNow(room, receipt);
      return;
    }
    this.store(to, receipts).catch((error: unknown) => this.logger.error('receipts not stored', error));
  }

  private async store(to: Address, receipts: readonly Receipt[]): Promise<void> {
    this.storing.set(to, (this.storing.get(to) ?? 0) + 1);
    const entries = await this.queue.appendReceipts(to, receipts).finally(() => this.stored(to));
    const room = this.rooms.get(to);
    for (const connection of room?.connections ?? []) {
      for (const entry of entries) connection.offer(entry, entryFrame(entry, false));
    }
  }

  private stored(to: Address): void {
    const left = (this.storing.get(to) ?? 1) - 1;
    if (left === 0) this.storing.delete(to);
    else this.storing.set(to, left);
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
