import type { Address } from '@relay/protocol';

/** A sign-in by way of a wallet, under the token of its link. */
export interface SignInLink {
  readonly address: Address;
  /** To be signed by the key of the address. */
  readonly nonce: string;
  /** How long ago it was, by the store's clock; null before. */
  readonly provenForMs: number | null;
}

/**
 * Sign-ins under way, by the token that whoever made the link chose: no secret, and no proof of anything. A token is at
 * most 128 printable ASCII characters, and compared as it is. A link is gone from the instant that its time is over.
 */
export abstract class SignInLinkRepository {
  /**
   * One winner for each token: false where there is a link of that token already, whatever became of it.
   * Rejects with `RelayError('store_unavailable')` where there is no room.
   */
  abstract begin(token: string, address: Address, nonce: string, ttlMs: number): Promise<boolean>;

  abstract find(token: string): Promise<SignInLink | null>;

  /** Uses the nonce up; one winner. False where it is used, or no longer that of the link. It then lasts `ttlMs` from now. */
  abstract prove(token: string, nonce: string, ttlMs: number): Promise<boolean>;

  /** Ends a proven link and gives whose it was, to one caller; null where there is none, or it is not proven. */
  abstract take(token: string): Promise<Address | null>;

  /** Ends it, proven or not. */
  abstract drop(token: string): Promise<void>;
}
