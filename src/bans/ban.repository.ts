import type { Address } from '@relay/protocol';

/** How many addresses may be banned: every node keeps them all in its memory. */
export const MAX_BANS = 10_000;
/** Of the operator's note, in characters. */
export const MAX_NOTE = 200;

export interface Ban {
  /** When it was said, integer ms since 1970. */
  readonly at: number;
  /** For operators: why. */
  readonly note: string;
}

export interface BanList {
  /** To be passed to the next call. */
  readonly mark: string;
  readonly bans: ReadonlyMap<Address, Ban>;
}

/**
 * Whom the operator keeps out of the whole relay, until the operator says otherwise; not what users block for themselves
 * (`contacts`). Every method may reject with `RelayError('store_unavailable')`; all may be repeated.
 */
export abstract class BanRepository {
  /**
   * True if that is news; a later word replaces the note, and the time stays. Rejects with `RelayError('too_large')` where
   * there are `MAX_BANS`.
   */
  abstract put(address: Address, note: string): Promise<boolean>;

  /** False where it was not banned. */
  abstract remove(address: Address): Promise<boolean>;

  /** All of them, longest banned first; `null` where nothing has changed since an earlier call returned that mark. */
  abstract since(mark: string | null): Promise<BanList | null>;
}
