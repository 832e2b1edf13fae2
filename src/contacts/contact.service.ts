import type { Address } from '@relay/protocol';
import type { Backplane } from '../backplane/backplane.js';
import type { ContactList, ContactPage, ContactRepository } from './contact.repository.js';

export type BlocksChanged = (owner: Address) => void;

/** The lists as REST uses them: whoever must know of a change hears of it, on every node. */
export class ContactService {
  private readonly listeners: BlocksChanged[] = [];

  constructor(
    private readonly contacts: ContactRepository,
    private readonly backplane: Backplane,
  ) {
    backplane.listen('b', (owner) => this.changed(owner));
  }

  /** Whom that address blocks has changed, or may have; a hint like all that nodes tell each other. */
  onBlocksChanged(listener: BlocksChanged): void {
    this.listeners.push(listener);
  }

  async put(list: ContactList, owner: Address, peer: Address): Promise<void> {
    if (await this.contacts.put(list, owner, peer)) this.announce(owner);
  }

  async remove(list: ContactList, owner: Address, peer: Address): Promise<boolean> {
    const wasThere = await this.contacts.remove(list, owner, peer);
    if (wasThere && list === 'blocked') this.announce(owner);
    return wasThere;
  }

  page(list: ContactList, owner: Address, after: Address | null, limit: number): Promise<ContactPage> {
    return this.contacts.page(list, owner, after, limit);
  }

  private announce(owner: Address): void {
    this.changed(owner);
    // Whoever holds connections of the owner; whoever watches its presence hears of that by its own topic.
    this.backplane.send('mailbox', owner, 'b', '').catch(() => undefined);
  }

  private changed(owner: Address): void {
    for (const listener of this.listeners) listener(owner);
  }
}
