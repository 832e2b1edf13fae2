import type { Address } from '@relay/protocol';

/** How long a session lasts after its last use. */
export const SESSION_MS = 30 * 24 * 60 * 60 * 1000;
/** A use moves the end on only where the last one is as long ago: those in between cost a read and no write. */
export const USE_RECORDED_EVERY_MS = 60 * 60 * 1000;
/** Of one address. Each is a device; a client that makes up devices ends its own oldest sessions. */
export const MAX_SESSIONS = 128;
/** How long it is known what was revoked; a node that was away for longer looks at every session. */
export const REVOCATIONS_KEPT_MS = 10 * 60 * 1000;
/** At most so many of them. */
export const MAX_REVOCATIONS = 10_000;

/** Times are integer ms since 1970. */
export interface Session {
  /** Public: names the session in lists and revocations, and lets nobody in. */
  readonly id: string;
  readonly address: Address;
  readonly device: string;
  readonly createdAt: number;
  /** To within an hour. */
  readonly lastUsedAt: number;
  readonly expiresAt: number;
}

export type SessionName = Pick<Session, 'id' | 'address' | 'device'>;

/** In place of a session's id: whatever of the address was believed without proof. */
export const UNPROVEN = '';

export interface Revocations {
  /** To be passed to the next call. */
  readonly mark: string;
  readonly revoked: readonly SessionName[];
  /** The mark was too old, or of another store: there may be more, and every live session is to be looked at. */
  readonly missed: boolean;
}

/**
 * Who has proved to have the key of an address, on which device. One session per (address, device). Of a token, the store
 * has only the SHA-256. A session is gone from the instant that it expires, before anything has cleaned up.
 */
export abstract class SessionRepository {
  /**
   * A sign-in by proof. Ends the device's earlier session, and beyond `MAX_SESSIONS` the one that was unused for longest.
   * From now on `hasSignedIn(address)`; the first time, what was believed without proof ends (`UNPROVEN` in revocations).
   * Rejects with `RelayError('store_unavailable')` where there is no room, or where nobody could be told what ends: then
   * nothing has ended, and the address is not locked by this call.
   */
  abstract create(address: Address, device: string): Promise<{ readonly token: string; readonly session: Session }>;

  /**
   * The session of a token, its end moved on; `null` for whatever is no token of a session that lasts. Goes on working
   * where the store takes no writes: the end then stays where it is.
   */
  abstract use(token: string): Promise<Session | null>;

  /** As `use`, for a node that has seen the token before: the session's live connection uses it. */
  abstract keep(session: SessionName): Promise<Session | null>;

  /** Whether the address ever proved itself: then nobody acts for it without proof. Outlives its sessions. */
  abstract hasSignedIn(address: Address): Promise<boolean>;

  /** Newest first. */
  abstract list(address: Address): Promise<readonly Session[]>;

  /** Ends the session of a device; false where there is none. */
  abstract revoke(address: Address, device: string): Promise<boolean>;

  /** Ends that session and no later one of its device; false where it is over. */
  abstract end(session: SessionName): Promise<boolean>;

  /**
   * Which sessions were ended before their time since an earlier call returned that mark; `null`: only what comes from now
   * on. A session may be named shortly before it ends, never after: whoever hears of it must not take it any more.
   */
  abstract revokedSince(mark: string | null): Promise<Revocations>;
}
