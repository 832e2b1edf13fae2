import type { Address } from '@relay/protocol';

/** `blocked`: nothing of theirs comes in. `allowed`: never strangers. */
export type ContactList = 'blocked' | 'allowed';

/** Of each list. */
export const MAX_LISTED = 1_000;
/** Of those whom an address knows because it wrote to them or took mail of theirs; the longest unused give way. */
export const MAX_KNOWN = 10_000;
/** Without any news of it, what an address knows is forgotten. */
export const KNOWN_FOR_MS = 365 * 24 * 60 * 60 * 1000;

export interface ContactPage {
  /** In their order as text. */
  readonly addresses: readonly Address[];
  /** Pass as `after` for the next ones; `null` at the end. */
  readonly next: Address | null;
}

/** How often block lists were changed up to some moment, by groups of owners; only to compare with another of the same store. */
export type Revisions = readonly number[];

/** What a mailbox asks in the middle of an append, of a store in the same process. */
export interface Screen {
  blocks(owner: Address, peer: Address): boolean;
  /** Whether the owner wrote to the peer, took mail of it, or allowed it. */
  knows(owner: Address, peer: Address): boolean;
}

/**
 * Whom an address blocks, allows and knows. In force for the next append to its mailbox. Nobody is on both lists: who is
 * put on one is taken off the other. Every method may reject with `RelayError('store_unavailable')`; all may be repeated.
 */
export abstract class ContactRepository {
  /** True if that is news. Rejects with `RelayError('too_large')` where the list has `MAX_LISTED`. */
  abstract put(list: ContactList, owner: Address, peer: Address): Promise<boolean>;

  /** False where it was not there. */
  abstract remove(list: ContactList, owner: Address, peer: Address): Promise<boolean>;

  abstract page(list: ContactList, owner: Address, after: Address | null, limit: number): Promise<ContactPage>;

  /** All that each of these owners blocks. */
  abstract blockedBy(owners: readonly Address[]): Promise<readonly ReadonlySet<Address>[]>;

  /** Costs the same however many owners there are. */
  abstract revisions(): Promise<Revisions>;

  /** Whether anybody's block list changed between the two of whom this owner might be one. */
  abstract mayDiffer(owner: Address, before: Revisions, after: Revisions): boolean;

  /** The owner wrote to these, or took mail of theirs: they are no strangers any more. */
  abstract know(owner: Address, peers: readonly Address[]): Promise<void>;

  abstract isKnown(owner: Address, peer: Address): Promise<boolean>;
}
