import type { Address } from '@relay/protocol';

export interface PresenceStatus {
  readonly online: boolean;
  /** When the last connection went, integer ms since 1970; `null` while online, where unknown, and where hidden. */
  readonly lastSeen: number | null;
}

export interface OnlinePage {
  readonly addresses: readonly Address[];
  /** Pass as `after` for the next page; `null` at the end. */
  readonly next: Address | null;
}

/** Who is connected. An address is online while at least one connection of it is; a hidden one looks offline to everybody. */
export abstract class PresenceRepository {
  /** `connection` names one connection among all nodes; registering it twice counts once. True if what others see changed. */
  abstract connected(address: Address, connection: string): Promise<boolean>;

  /** True if what others see changed: closing one of two connections changes nothing. */
  abstract disconnected(address: Address, connection: string): Promise<boolean>;

  /** Lasts until it is changed, also while nobody is connected. True if what others see changed. */
  abstract setVisible(address: Address, visible: boolean): Promise<boolean>;

  /** In the order asked for. */
  abstract statuses(addresses: readonly Address[]): Promise<readonly PresenceStatus[]>;

  /** Those that look online, in ascending order of address. */
  abstract online(after: Address | null, limit: number): Promise<OnlinePage>;

  /** Forgets when those who went before that moment were last seen; returns how many it forgot. */
  abstract forgetSeenBefore(ms: number): Promise<number>;
}
