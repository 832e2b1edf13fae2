import type { MailboxRanks } from '../../src/admin/mailbox-ranking.js';
import type { NodeReport } from '../../src/admin/node.repository.js';
import type { Ban as BanSaid } from '../../src/bans/ban.repository.js';
import type { MailboxLoad } from '../../src/queue/mailbox-survey.js';
import type { Ledger } from '../../src/queue/queue.repository.js';

export type { Ledger };
export type Load = MailboxLoad;
export type Ranks = MailboxRanks;

/** What `/admin/api` answers, as far as the page shows it: docs/openapi.json has all of it. */
export interface NodeView extends NodeReport {
  readonly silentMs: number;
  readonly isAway: boolean;
  readonly isThis: boolean;
}

export interface Overview {
  readonly at: number;
  readonly nodes: readonly NodeView[];
  readonly ledger: Ledger | null;
  readonly mailboxes: Ranks | null;
  readonly maxMessages: number;
  readonly bans: number;
}

export interface Ban extends BanSaid {
  readonly address: string;
}

export interface BanList {
  readonly count: number;
  readonly bans: readonly Ban[];
}

export interface Device {
  readonly deviceId: string;
  readonly online: boolean;
  readonly lastUsedAt: number | null;
  readonly pending: number | null;
  readonly session: { readonly createdAt: number; readonly expiresAt: number } | null;
}

export interface AddressView {
  readonly address: string;
  readonly ban: Ban | null;
  readonly hasSignedIn: boolean;
  readonly waiting: Load;
  readonly devices: readonly Device[];
  readonly blocks: number;
  readonly allows: number;
  readonly key: { readonly updatedAt: number; readonly version: number | null } | null;
}
