import type { Address } from '@relay/protocol';
import type { Cursor, DeviceId } from '../queue/queue.repository.js';
import type { Connection } from './connection.js';
import { TokenBucket } from './token-bucket.js';

/** One address with its connections to this node. Exists as long as there is one. */
export interface Room {
  readonly address: Address;
  readonly connections: Connection[];
  /** How many the address has, connected or not, as far as this node knows. */
  devices: number;
  /** Whether another node holds a connection of the address, or did since this room exists. */
  isHeldElsewhere: boolean;
  /**
   * Of `Backplane.hearing`, when the store was last asked for the above: while it is still the same, hints kept them true.
   * 0 before the first answer.
   */
  hearing: number;
  /** The latest claim that was heard of for each device; made when first needed. */
  claims: Map<DeviceId, number> | null;
  /** Whom the address blocks; `null`: nobody. */
  blocked: ReadonlySet<Address> | null;
  /** Some of those whom the store was told that it knows; made when first needed. */
  known: Set<Address> | null;
  /** What this address may still send; made when first needed. */
  budget: TokenBucket | null;
}

export interface SendLimits {
  readonly ratePerSecond: number;
  readonly burst: number;
}

/** What the store said of the address, asked while `hearing` was what the backplane answered. */
export function learn(
  room: Room,
  { devices, isHeldElsewhere }: Pick<Cursor, 'devices' | 'isHeldElsewhere'>,
  hearing: number,
): void {
  // Answers may overtake each other: the one that knows of more counts.
  room.devices = Math.max(room.devices, devices);
  room.isHeldElsewhere ||= isHeldElsewhere;
  room.hearing = hearing;
}

/** Of the connections of one device only the newest stays: those of earlier claims are closed. */
export function supersede(room: Room, device: DeviceId, claim: number): void {
  const claims = (room.claims ??= new Map<DeviceId, number>());
  claims.set(device, Math.max(claim, claims.get(device) ?? 0));
  for (const connection of [...room.connections]) {
    if (connection.device === device && connection.claim > 0 && connection.claim < claim) connection.close(4409);
  }
}

export class Rooms {
  private readonly rooms = new Map<Address, Room>();
  /** Of those who went with less than all of it: connecting again does not fill it. */
  private readonly budgets = new Map<Address, TokenBucket>();

  private readonly networks = new Map<string, TokenBucket>();

  /** `networkLimits`: of all addresses behind one IP address; `null`: none. */
  constructor(
    private readonly limits: SendLimits,
    private readonly networkLimits: SendLimits | null = null,
  ) {}

  /** Addresses cost nothing: what one network may have stored does not grow with how many it uses. ms to wait, 0: taken. */
  takeOfNetwork(network: string, tokens: number, nowMs: number): number {
    if (this.networkLimits === null) return 0;
    let budget = this.networks.get(network);
    if (budget === undefined) {
      budget = new TokenBucket(this.networkLimits.ratePerSecond, this.networkLimits.burst);
      this.networks.set(network, budget);
    }
    return budget.take(nowMs, tokens);
  }

  /** One frame of what its address may send. ms to wait, 0: taken. */
  takeOf(room: Room, nowMs: number): number {
    const { ratePerSecond, burst } = this.limits;
    return (room.budget ??= new TokenBucket(ratePerSecond, burst)).take(nowMs);
  }

  get(address: Address): Room | undefined {
    return this.rooms.get(address);
  }

  values(): Iterable<Room> {
    return this.rooms.values();
  }

  join(address: Address, connection: Connection): Room {
    let room = this.rooms.get(address);
    if (room === undefined) {
      const budget = this.budgets.get(address) ?? null;
      this.budgets.delete(address);
      room = {
        address,
        // Mostly the only one: an array that is pushed to makes place for sixteen more.
        connections: [connection],
        devices: 0,
        isHeldElsewhere: false,
        hearing: 0,
        claims: null,
        blocked: null,
        known: null,
        budget,
      };
      this.rooms.set(address, room);
    } else {
      room.connections.push(connection);
    }
    return room;
  }

  leave(room: Room, connection: Connection): void {
    const index = room.connections.indexOf(connection);
    if (index >= 0) room.connections.splice(index, 1);
    if (room.connections.length > 0) return;
    this.rooms.delete(room.address);
    if (room.budget !== null) this.budgets.set(room.address, room.budget);
  }

  forgetFullBudgets(nowMs: number): void {
    for (const [address, budget] of this.budgets) {
      if (budget.isFull(nowMs)) this.budgets.delete(address);
    }
    for (const [network, budget] of this.networks) {
      if (budget.isFull(nowMs)) this.networks.delete(network);
    }
  }
}
