import type { Address } from '@relay/protocol';

export interface PresenceStatus {
  readonly online: boolean;
  /** When the last connection went, integer ms since 1970; `null` while online, where unknown or forgotten, and where hidden. */
  readonly lastSeen: number | null;
}

export interface OnlinePage {
  /** May be fewer than asked for, even none, where more follow. */
  readonly addresses: readonly Address[];
  /** Pass as `after` for the next page; `null` at the end. */
  readonly next: Address | null;
}

/**
 * Who is connected, on any node. An address is online while at least one connection of it is; a hidden one looks offline
 * to everybody.
 */
export abstract class PresenceRepository {
  /**
   * `connection` names one connection among all nodes; registering it twice counts once. True if what others see changed.
   * Where it rejects the connection may be registered all the same: whoever gives it up says `disconnected`.
   */
  abstract connected(address: Address, connection: string): Promise<boolean>;

  /**
   * True if what others see changed: closing one of two connections changes nothing. Where it rejects, `sweep` does it.
   */
  abstract disconnected(address: Address, connection: string): Promise<boolean>;

  /** Lasts until it is changed, also while nobody is connected. True if what others see changed. */
  abstract setVisible(address: Address, visible: boolean): Promise<boolean>;

  /** In the order asked for. */
  abstract statuses(addresses: readonly Address[]): Promise<readonly PresenceStatus[]>;

  /** Those that look online, in ascending order of address. */
  abstract online(after: Address | null, limit: number): Promise<OnlinePage>;

  /**
   * To be called every `SWEEP_EVERY_MS`: says that this node lives, takes the connections of nodes that died out, does what
   * failed before, and forgets when people were last seen. Gives those whose status may have changed by it, each once
   * among all nodes; where it rejects, the next sweep gives them.
   */
  abstract sweep(): Promise<readonly Address[]>;

  /** All connections of this node are gone, and no more come. Gives those whose status changed by it. */
  abstract stop(): Promise<readonly Address[]>;
}

/** A third of a lease, so that one sweep may fail. */
export const SWEEP_EVERY_MS = 10_000;
