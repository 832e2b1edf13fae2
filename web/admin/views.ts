/** What `/admin/api` answers, as far as the page shows it: docs/openapi.json has all of it. Durations in ms, times in ms since 1970. */
export interface NodeView {
  readonly node: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly startedAt: number;
  readonly state: 'up' | 'draining' | 'drained' | 'stopped';
  readonly silentMs: number;
  readonly isAway: boolean;
  readonly isThis: boolean;
  readonly connections: {
    readonly pending: number;
    readonly classic: number;
    readonly v2: number;
    readonly slow: number;
    readonly unacknowledged: number;
    readonly lagMs: number;
  };
  readonly rates: Readonly<Record<'stored' | 'delivered' | 'refused' | 'opened' | 'signIns', number>>;
  readonly history: Readonly<Record<'stored' | 'delivered' | 'connections', readonly number[]>>;
  readonly process: {
    readonly cpu: number;
    readonly rssBytes: number;
    readonly loopP99Ms: number;
    readonly loopMaxMs: number;
  };
  readonly store: { readonly kind: 'memory' | 'redis'; readonly ok: boolean; readonly roundTripMs: number | null };
}

export interface Load {
  readonly address: string;
  readonly messages: number;
  readonly bytes: number;
  readonly oldestAt: number | null;
}

export interface Ledger {
  readonly accepted: number;
  readonly acknowledged: number;
  readonly expired: number;
  readonly dropped: number;
  readonly pending: number;
  readonly mailboxes: number;
}

export interface Ranks {
  readonly fullest: readonly Load[];
  readonly slowest: readonly Load[];
  readonly of: number | null;
  readonly seen: number;
  readonly ageMs: number | null;
}

export interface Overview {
  readonly at: number;
  readonly nodes: readonly NodeView[];
  readonly ledger: Ledger | null;
  readonly mailboxes: Ranks | null;
  readonly maxMessages: number;
  readonly bans: number;
}

export interface Ban {
  readonly address: string;
  readonly at: number;
  readonly note: string;
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
