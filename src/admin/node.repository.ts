/** How a node is in its own words, on the operator's. Durations in ms, times in integer ms since 1970. */
export interface NodeReport {
  /** `Backplane.node`: anew after each start. */
  readonly node: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly startedAt: number;
  readonly state: NodeState;
  readonly connections: NodeConnections;
  /** Over the last minute, or since the start. */
  readonly rates: NodeRates;
  readonly history: NodeHistory;
  readonly process: NodeProcess;
  readonly store: NodeStore;
}

/** `drained`: nobody is connected and nobody is let in, until it is resumed or stopped. `stopped`: its last word. */
export type NodeState = 'up' | 'draining' | 'drained' | 'stopped';

export interface NodeConnections {
  readonly pending: number;
  readonly classic: number;
  readonly v2: number;
  readonly slow: number;
  /** Entries sent and not acknowledged. */
  readonly unacknowledged: number;
  /** The longest that one of them has acknowledged nothing of what it was sent. */
  readonly lagMs: number;
}

/** Per second. */
export interface NodeRates {
  readonly stored: number;
  readonly delivered: number;
  readonly refused: number;
  readonly opened: number;
  readonly signIns: number;
}

/** Oldest first, one value every `REPORT_EVERY_MS`; all of the same length. */
export interface NodeHistory {
  /** Per second. */
  readonly stored: readonly number[];
  readonly delivered: readonly number[];
  /** Open at the moment. */
  readonly connections: readonly number[];
}

export interface NodeProcess {
  /** Part of one core, since the last report. */
  readonly cpu: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** How late the event loop was since the last report. */
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
}

export interface NodeStore {
  readonly kind: 'memory' | 'redis';
  readonly ok: boolean;
  /** `null` where it did not answer. */
  readonly roundTripMs: number | null;
}

/** What an operator asked of a node last; it holds until the next one. */
export type NodeOrder = 'drain' | 'resume';

export interface KnownNode {
  readonly report: NodeReport;
  /** When the store had it, integer ms since 1970. */
  readonly heardAt: number;
}

export const REPORT_EVERY_MS = 2_000;
/** A node that said nothing for so long is away. */
export const HEARD_WITHIN_MS = 10_000;
/** Then nothing more is known of it. */
export const REPORT_KEPT_MS = 600_000;

/** What nodes say of themselves to whoever operates them. Every method may reject with `RelayError('store_unavailable')`. */
export abstract class NodeRepository {
  /** To be called every `REPORT_EVERY_MS`. Gives what the operator asked of that node last; `null`: nothing. */
  abstract report(report: NodeReport): Promise<NodeOrder | null>;

  /** Each node with its latest report, as long as that is not older than `REPORT_KEPT_MS`; first started first. */
  abstract list(): Promise<readonly KnownNode[]>;

  /** The node hears of it with its next report. False where no node of that name has reported. */
  abstract order(node: string, order: NodeOrder): Promise<boolean>;

  /** What `heardAt` goes by. */
  abstract now(): number;
}
