import type { Address } from '@relay/protocol';

/**
 * Of links that wait for their proof, and as many again of proven ones; about half a kilobyte each. One network can begin
 * 6 000 in a minute (`sign-in-link.limits.ts`), so alone it never has that many; ten of them leave a link 25 s.
 */
export const MAX_LINKS = 25_000;

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
 *
 * Strangers may begin and prove as many as they like, so the room is bounded, and who comes later always gets in: beyond
 * the bound the oldest that waits for its proof gives way to a new one, and the oldest proven to the next that is proven.
 */
export abstract class SignInLinkRepository {
  /** One winner for each token: false where there is a link of that token already, whatever became of it. */
  abstract begin(token: string, address: Address, nonce: string, ttlMs: number): Promise<boolean>;

  abstract find(token: string): Promise<SignInLink | null>;

  /** Uses the nonce up; one winner. False where it is used, or no longer that of the link. It then lasts `ttlMs` from now. */
  abstract prove(token: string, nonce: string, ttlMs: number): Promise<boolean>;

  /** Ends a proven link and gives whose it was, to one caller; null where there is none, or it is not proven. */
  abstract take(token: string): Promise<Address | null>;

  /** Ends it, proven or not. */
  abstract drop(token: string): Promise<void>;
}
