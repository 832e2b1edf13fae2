import type { Address } from '@relay/protocol';
import { hash } from 'node:crypto';

/** By which a mailbox remembers a message; mailbox.lua's `digestOf` makes the same. */
export function digestOf(sender: Address, messageId: string): string {
  return hash('sha1', sender + messageId, 'hex').slice(0, 22);
}
