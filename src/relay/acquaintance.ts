import type { Address } from '@relay/protocol';
import type { ContactRepository } from '../contacts/contact.repository.js';
import type { Room, Rooms } from './room.js';

/** Of one room: a bot that writes to everybody must not fill the memory. */
const MAX_KNOWN_IN_ROOM = 512;
const OWNERS_PER_CALL = 500;

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
    this.learn(room, blocked);
  }

  private learn(room: Room | undefined, blocked: ReadonlySet<Address> | undefined): void {
    if (room !== undefined) room.blocked = blocked === undefined || blocked.size === 0 ? null : blocked;
  }

  /** Of those that are connected here. */
  async reload(owners: readonly Address[]): Promise<void> {
    for (let i = 0; i < owners.length; i += OWNERS_PER_CALL) {
      const some = owners.slice(i, i + OWNERS_PER_CALL);
      const lists = await this.contacts.blockedBy(some);
      some.forEach((owner, j) => this.learn(this.rooms.get(owner), lists[j]));
    }
  }

  /** Hints were missed. */
  loadAll(): Promise<void> {
    return this.reload(this.owners());
  }

  owners(): Address[] {
    return Array.from(this.rooms.values(), ({ address }) => address);
  }

  /** The owner wrote to that address, or has mail of it; stored once for each pair, and again where that failed. */
  meet(room: Room, peer: Address): void {
    if (!this.hasStrangers || room.known?.has(peer) === true) return;
    const known = (room.known ??= new Set<Address>());
    if (known.size >= MAX_KNOWN_IN_ROOM) known.clear();
    known.add(peer);
    this.contacts.know(room.address, [peer]).catch(() => known.delete(peer));
  }

  /** As above, where the owner need not be connected: it took mail of these by REST. */
  tookFrom(owner: Address, peers: ReadonlySet<Address>): void {
    const room = this.rooms.get(owner);
    if (room !== undefined) for (const peer of peers) this.meet(room, peer);
    else if (this.hasStrangers && peers.size > 0) this.contacts.know(owner, [...peers]).catch(() => undefined);
  }
}
