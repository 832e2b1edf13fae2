import type { Address, GapReason } from '@relay/protocol';
import type { ClientError } from './errors.js';
import type { Receipt } from './outgoing.js';

/**
 * `connecting`: until the relay lets us in. `syncing`: what waited is being handed over. `online`: all of that is. `waiting`: until the next
 * attempt. `stopped`: nothing is tried any more.
 */
export type State = 'connecting' | 'syncing' | 'online' | 'waiting' | 'stopped';

export interface ClientEvents {
  /** `waiting`: `error` says why the last attempt failed or ended, `retryInMs` when the next comes. `stopped`: `error` where it did so by itself. */
  state: { readonly state: State; readonly retryInMs?: number; readonly error?: ClientError };
  /** At once when it arrives; never backwards for a message that was sent in this process. */
  receipt: Receipt;
  typing: { readonly from: Address; readonly isTyping: boolean };
  signal: { readonly from: Address; readonly data: string };
  presence: { readonly address: Address; readonly isOnline: boolean; readonly lastSeen: number | null };
  /** So many entries were there and never will be handed over; in their place among the messages. */
  gap: { readonly reason: GapReason; readonly count: number };
  /** Entries of the backlog that are done, of those that waited at the sign-in. */
  progress: { readonly done: number; readonly total: number };
  /** A message will never be sent: refused for good. */
  failed: { readonly messageId: string; readonly to: Address; readonly error: ClientError };
  /** A message could not be taken now, and is sent again. */
  delayed: { readonly messageId: string; readonly to: Address; readonly error: ClientError };
  /** The public key of the client's own address was replaced or deleted, whoever did it. */
  own_key_changed: { readonly updatedAt: number; readonly version: number | null };
  /** A browser got a session of the client's own address by a wallet's link: who did not ask for it ends it (`DELETE /api/devices/:deviceId`). */
  session_opened: { readonly deviceId: string; readonly openedAt: number };
  /** Anything that went wrong and belongs to nothing above. */
  error: ClientError;
  /** Every frame as it is on the wire, without tokens and signatures: for people who look. */
  frame: { readonly direction: 'in' | 'out'; readonly text: string };
}
