import type { Address } from '@relay/protocol';
import type { Backplane } from '../backplane/backplane.js';
import type { ContactList, ContactPage, ContactRepository, Revisions } from './contact.repository.js';

/** Who keeps a copy of block lists. */
export interface BlocksKeeper {
  /** Whom that address blocks has changed, or may have; a hint like all that nodes tell each other. */
  changed(owner: Address): Promise<void>;
  /** Whose lists it has copies of. */
  owners(): Iterable<Address>;
  /** Reads them again; rejects where one could not be read. */
  reload(owners: readonly Address[]): Promise<void>;
}

/** The lists as REST uses them: whoever must know of a change hears of it, on every node. */
export class ContactService {
  private readonly keepers: BlocksKeeper[] = [];
  /** Up to where all copies on this node are known to be true. */
  private revisions: Revisions | null = null;

  constructor(
    private readonly contacts: ContactRepository,
    private readonly backplane: Backplane,
  ) {
    backplane.listen('b', (owner) => void this.changed(owner));
  }

  keep(keeper: BlocksKeeper): void {
    this.keepers.push(keeper);
  }

  /** Hints may have been lost: has those copies read again whose lists may have changed since the last time. */
  async recheck(): Promise<void> {
    const now = await this.contacts.revisions();
    const before = this.revisions;
    const isStale = (owner: Address): boolean => before === null || this.contacts.mayDiffer(owner, before, now);
    await Promise.all(this.keepers.map((keeper) => keeper.reload([...keeper.owners()].filter(isStale))));
    // Only now: what could not be read is read the next time.
    this.revisions = now;
  }

  async put(list: ContactList, owner: Address, peer: Address): Promise<void> {
    if (await this.contacts.put(list, owner, peer)) await this.announce(owner);
  }

  async remove(list: ContactList, owner: Address, peer: Address): Promise<boolean> {
    const wasThere = await this.contacts.remove(list, owner, peer);
    if (wasThere && list === 'blocked') await this.announce(owner);
    return wasThere;
  }

  page(list: ContactList, owner: Address, after: Address | null, limit: number): Promise<ContactPage> {
    return this.contacts.page(list, owner, after, limit);
  }

  /** Resolves once this node keeps to it. */
  private announce(owner: Address): Promise<void> {
    // Whoever holds connections of the owner; whoever watches its presence hears of that by its own topic.
    this.backplane.send('mailbox', owner, 'b', '').catch(() => undefined);
    return this.changed(owner);
  }

  private async changed(owner: Address): Promise<void> {
    await Promise.allSettled(this.keepers.map((keeper) => keeper.changed(owner)));
  }
}
