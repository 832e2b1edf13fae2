import { type Address, encodeFrame, statusFrame } from '@relay/protocol';
import type { Backplane } from '../backplane/backplane.js';
import type { Metrics } from '../common/metrics.js';
import { CLASSIC_DEVICE, type QueueRepository, type Receipt } from '../queue/queue.repository.js';
import type { Connection } from './connection.js';
import { entryFrame } from './mailbox-reader.js';
import type { Room, Rooms } from './room.js';

/**
 * Brings receipts to who sent the message: at once where every device of the sender is connected here and has caught up,
 * else through its mailbox, which reaches devices on other nodes and those that are away.
 */
export class Receipts {
  /** Receipts on their way into the mailbox of each address. */
  private readonly storing = new Map<Address, number>();

  constructor(
    private readonly rooms: Rooms,
    private readonly queue: QueueRepository,
    private readonly backplane: Backplane,
    private readonly metrics: Metrics,
  ) {}

  /** Tells the connection that waits for it, whatever else is on its way to it; false where the mailbox must tell the others. */
  answer(address: Address, waiting: Connection, receipt: Receipt): boolean {
    const room = this.rooms.get(address);
    const frame = receiptFrame(receipt);
    waiting.tell(receipt, frame);
    this.metrics.receipts.add('sent');
    if (room === undefined || !waiting.canConfirm || !this.isComplete(room)) return false;
    if (room.connections.length === 1) return true;
    if (!this.reachesAll(address, room)) return false;
    for (const connection of room.connections) if (connection !== waiting) connection.tell(receipt, frame);
    return true;
  }

  /** Resolves once all are sent or stored; `told` gets the connections that were sent some, which may yet turn out to be dead. */
  async sendAll(receipts: ReadonlyMap<Address, readonly Receipt[]>, told: Set<Connection>): Promise<void> {
    const storing: Promise<void>[] = [];
    for (const [to, those] of receipts) {
      const room = this.rooms.get(to);
      if (room === undefined || !this.reachesAll(to, room)) {
        storing.push(this.store(to, those));
        continue;
      }
      for (const receipt of those) sendNow(room, receipt);
      this.metrics.receipts.add('sent', those.length);
      for (const connection of room.connections) told.add(connection);
    }
    if (storing.length > 0) await Promise.all(storing);
  }

  /** Whether every device of that address is connected here, so that no other node tells of what it does. */
  isAllHere(address: Address): boolean {
    const room = this.rooms.get(address);
    return room !== undefined && this.isComplete(room);
  }

  /** Whether the address has one connection, here, and no other device. */
  isAlone(address: Address): boolean {
    const room = this.rooms.get(address);
    const [only, ...others] = room?.connections ?? [];
    return room !== undefined && only?.canConfirm === true && others.length === 0 && this.isComplete(room);
  }

  /** Whether another node may hold connections of the address: one does, or its word may have been lost. */
  mayBeElsewhere({ address, isHeldElsewhere, hearing }: Room): boolean {
    return isHeldElsewhere || hearing === 0 || hearing !== this.backplane.hearing('mailbox', address);
  }

  async storeAll(receipts: ReadonlyMap<Address, readonly Receipt[]>): Promise<void> {
    await Promise.all([...receipts].map(([to, those]) => this.store(to, those)));
  }

  private reachesAll(address: Address, room: Room): boolean {
    // A receipt that overtook an older one still in the backlog would turn a tick back.
    return !this.storing.has(address) && this.isComplete(room) && room.connections.every(({ isLive }) => isLive);
  }

  /** Whether every device of the address is connected to this node. */
  private isComplete(room: Room): boolean {
    const { connections, devices } = room;
    if (this.mayBeElsewhere(room)) return false;
    if (devices <= 1) return true;
    const classic = connections.filter(({ device }) => device === CLASSIC_DEVICE).length;
    return connections.length - Math.max(0, classic - 1) >= devices;
  }

  private async store(to: Address, receipts: readonly Receipt[]): Promise<void> {
    this.storing.set(to, (this.storing.get(to) ?? 0) + 1);
    this.metrics.receipts.add('stored', receipts.length);
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

function sendNow(room: Room, receipt: Receipt): void {
  const frame = receiptFrame(receipt);
  for (const connection of room.connections) connection.tell(receipt, frame);
}

function receiptFrame({ kind, peer, messageId, timestamp }: Receipt): string {
  switch (kind) {
    case 'delivered':
      return statusFrame('delivered', messageId, peer, timestamp);
    case 'read':
      return encodeFrame({ type: 'read', from: peer, messageId, timestamp });
    case 'expired':
      return encodeFrame({ type: 'expired', messageId, to: peer });
  }
}
