/**
 * `waiting`: here, in the outbox. `queued`: the relay has it. `delivered`: their device has it. `read`: they have seen it. The other two
 * are ends: the relay refused it for good, or its time was over before anybody fetched it.
 */
export type Status = 'waiting' | 'queued' | 'delivered' | 'read' | 'failed' | 'expired';

interface Placed {
  /** Sorts by when it came into this window. */
  readonly sequence: number;
  readonly isMine: boolean;
  /** ms since 1970, by the clock of this window. */
  readonly at: number;
}

export interface TextEntry extends Placed {
  readonly kind: 'text';
  readonly messageId: string;
  readonly text: string;
  readonly status: Status;
}

/** Many messages that are shown as one. */
export interface BurstEntry extends Placed {
  readonly kind: 'burst';
  readonly run: string;
  readonly of: number;
  /** Mine: put into the outbox. Theirs: came. */
  readonly count: number;
  /** Mine: delivered. Theirs: came in their place, each after the one before it. */
  readonly good: number;
  /** From the first one to now, or to the last one. */
  readonly tookMs: number;
  readonly status: Status;
}

export type Entry = TextEntry | BurstEntry;

const RANKS: Readonly<Record<Status, number>> = { waiting: 0, queued: 1, delivered: 2, read: 3, failed: 4, expired: 4 };

/** Ticks never go back, and an end stays one. */
export function isNews(before: Status, after: Status): boolean {
  return RANKS[after] > RANKS[before] && RANKS[before] < RANKS.failed && before !== 'read';
}

const BURST_ID = /^burst-([0-9a-f]+)-(\d+)$/;

export function burstMessageId(run: string, index: number): string {
  return `burst-${run}-${index}`;
}

/** The run that a message belongs to; `null` for one that stands alone. */
export function runOf(messageId: string): string | null {
  return BURST_ID.exec(messageId)?.[1] ?? null;
}

export function isComplete({ good, of }: BurstEntry): boolean {
  return good === of;
}
