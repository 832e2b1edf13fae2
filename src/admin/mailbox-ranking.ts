import type { Address } from '@relay/protocol';
import type { MailboxLoad, MailboxSurvey } from '../queue/mailbox-survey.js';

/** Of each list. */
export const RANKED = 10;
/** More than are shown: some will have been emptied by the time that they are. */
const CANDIDATES = 40;
/** Looked at in one step, about: some 20 ms of the store. */
const MAILBOXES_PER_STEP = 2_000;
const PARTS_PER_STEP = 32;
/** However many operators look, and however often. */
const STEP_EVERY_MS = 1_500;

export interface MailboxRanks {
  /** Most messages first. */
  readonly fullest: readonly MailboxLoad[];
  /** Those whose oldest message waits longest first. */
  readonly slowest: readonly MailboxLoad[];
  /** In how many mailboxes something waited in the last whole round; `null` before the end of the first. */
  readonly of: number | null;
  /** How many the round that is under way has come to. */
  readonly seen: number;
  /** Since the last whole round ended, ms; `null` before the end of the first. */
  readonly ageMs: number | null;
}

/**
 * The fullest and the slowest mailboxes, found by rounds over all of them that go on only while somebody looks, a bounded
 * step at a time: a small relay is gone through in each step, a million mailboxes in a quarter of an hour of looking.
 */
export class MailboxRanking {
  private round: AsyncIterator<readonly MailboxLoad[], undefined> | null = null;
  private found = new Candidates();
  private seen = 0;
  private whole: { readonly found: Candidates; readonly of: number; readonly at: number } | null = null;
  private steppedAt = -Infinity;
  private stepping: Promise<void> | null = null;

  constructor(
    private readonly survey: MailboxSurvey,
    /** Monotonic ms. */
    private readonly now: () => number,
  ) {}

  /** Rejects where the store does not answer. */
  async look(): Promise<MailboxRanks> {
    this.stepping ??= this.step().finally(() => (this.stepping = null));
    await this.stepping;
    const { whole, seen } = this;
    const addresses = (whole?.found ?? new Candidates()).with(this.found);
    // As they are now, not as they were when the round came by.
    const loads = (await Promise.all(addresses.map((one) => this.survey.load(one)))).filter((one) => one.messages > 0);
    return {
      fullest: loads.toSorted(byFullness).slice(0, RANKED),
      slowest: loads.toSorted(bySlowness).slice(0, RANKED),
      of: whole?.of ?? null,
      seen,
      ageMs: whole === null ? null : this.now() - whole.at,
    };
  }

  private async step(): Promise<void> {
    if (this.now() - this.steppedAt < STEP_EVERY_MS) return;
    this.steppedAt = this.now();
    this.round ??= this.survey.round();
    let looked = 0;
    for (let part = 0; part < PARTS_PER_STEP && looked < MAILBOXES_PER_STEP; part++) {
      const next = await this.round.next().catch((error: unknown) => {
        this.begin();
        throw error;
      });
      if (next.done === true) {
        this.whole = { found: this.found, of: this.seen, at: this.now() };
        return this.begin();
      }
      this.found.add(next.value);
      this.seen += next.value.length;
      looked += next.value.length;
    }
  }

  private begin(): void {
    this.round = null;
    this.found = new Candidates();
    this.seen = 0;
  }
}

class Candidates {
  private fullest: readonly MailboxLoad[] = [];
  private slowest: readonly MailboxLoad[] = [];

  add(loads: readonly MailboxLoad[]): void {
    this.fullest = [...this.fullest, ...loads].sort(byFullness).slice(0, CANDIDATES);
    this.slowest = [...this.slowest, ...loads].sort(bySlowness).slice(0, CANDIDATES);
  }

  /** The addresses of both, each once. */
  with(other: Candidates): Address[] {
    const all = [this.fullest, this.slowest, other.fullest, other.slowest].flat();
    return [...new Set(all.map(({ address }) => address))];
  }
}

function byFullness(a: MailboxLoad, b: MailboxLoad): number {
  return b.messages - a.messages || b.bytes - a.bytes;
}

function bySlowness(a: MailboxLoad, b: MailboxLoad): number {
  return (a.oldestAt ?? Infinity) - (b.oldestAt ?? Infinity);
}
