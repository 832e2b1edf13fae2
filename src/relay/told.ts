import type { Address } from '@relay/protocol';
import type { Receipt } from '../queue/queue.repository.js';

/** The oldest give way. */
export const MAX_TOLD_READ = 256;

/** What a client was told of the messages it sent, as far as it decides whether later word of them is news. */
export class Told {
  /** Messages whose `delivered` came by the mailbox before the store's answer to the send itself. */
  private early: Set<string> | null = null;
  /** The last messages that were told to be read. */
  private read: Set<string> | null = null;

  /** Whether there is nothing to remember. */
  get isEmpty(): boolean {
    return this.early === null && this.read === null;
  }

  /** Two ways lead to a sender, and `read` may come by the shorter: a `delivered` that follows would turn the tick back. */
  isNews({ kind, peer, messageId }: Receipt): boolean {
    return kind !== 'delivered' || this.read?.has(peer + messageId) !== true;
  }

  toldRead(to: Address, messageId: string): void {
    const read = (this.read ??= new Set<string>());
    read.add(to + messageId);
    if (read.size <= MAX_TOLD_READ) return;
    const [oldest] = read;
    if (oldest !== undefined) read.delete(oldest);
  }

  /** Its send is still on its way to the store. */
  toldEarly(to: Address, messageId: string): void {
    (this.early ??= new Set<string>()).add(to + messageId);
  }

  wasToldEarly(to: Address, messageId: string): boolean {
    return this.early?.has(to + messageId) === true;
  }

  /** The store has answered every send: nothing is early any more. */
  sendsEnded(): void {
    this.early = null;
  }
}
