import type { Address } from '@relay/protocol';
import type { ContactRepository } from '../contacts/contact.repository.js';
import type { Room, Rooms } from './room.js';

/** Of one room: a bot that writes to everybody must not fill the memory. */
const MAX_KNOWN_IN_ROOM = 512;

/** Whom the addresses connected here block and know, as far as this node is told. What is stored, the store decides itself. */
export class Acquaintance {
  constructor(
    private readonly rooms: Rooms,
    private readonly contacts: ContactRepository,
    /** Whether strangers are told from others. */
    private readonly hasStrangers: boolean,
  ) {}

  /** Whether nothing of the sender may reach the connections of that address here. */
  isBlocked(owner: Address, sender: Address): boolean {
    return this.rooms.get(owner)?.blocked?.has(sender) === true;
  }

  /** To be called when the room comes into being, and whenever its owner's list may have changed. */
  async loadBlocked(room: Room): Promise<void> {
    const [blocked] = await this.contacts.blockedBy([room.address]);
    room.blocked = blocked === undefined || blocked.size === 0 ? null : blocked;
  }

  async blocksChanged(owner: Address): Promise<void> {
    const room = this.rooms.get(owner);
    if (room !== undefined) await this.loadBlocked(room);
  }

  /** Hints were missed. */
  async loadAll(): Promise<void> {
    for (const room of [...this.rooms.values()]) await this.loadBlocked(room);
  }

  /** The owner wrote to that address, or has mail of it; stored once for each pair, and again where that failed. */
  meet(room: Room, peer: Address): void {
    if (!this.hasStrangers || room.known?.has(peer) === true) return;
    const known = (room.known ??= new Set<Address>());
    if (known.size >= MAX_KNOWN_IN_ROOM) known.clear();
    known.add(peer);
    this.contacts.know(room.address, [peer]).catch(() => known.delete(peer));
  }
}
