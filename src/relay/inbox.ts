import type { Clock } from '../common/clock.js';
import type { Link } from './link.js';
import type { Flushable } from './turn.js';

/**
 * Sends in flight to the store above which a connection waits: as many as a store that answers within some ms needs to be busy.
 * Where a thousand connections flood, what somebody else sends waits behind so many of each.
 */
export const MAX_SENDS_IN_FLIGHT = 36;
/** A store that is slow must not keep a send from its answer: for what has waited so long, as many as this may be in flight. */
export const MAX_SENDS_TO_SLOW_STORE = 1024;
export const STORE_PATIENCE_MS = 4_000;
/** Frames of one connection that are handled before the others have their turn. */
export const FRAMES_PER_TURN = 32;

const NONE: readonly string[] = [];

/** Whose inbox it is. */
export interface InboxOwner {
  /** It may be its turn again: what `mayHandleNext` allows is to be handled. */
  handleInbox(): void;
}

/**
 * Frames of one connection that came while it signed in, or that let others go first, in their order; and how many of its sends
 * are on their way to the store (docs/decisions/0035-others-go-first.md).
 */
export class Inbox implements Flushable {
  /** On their way to the store. */
  sends = 0;
  /** Made when first needed, as the next. */
  private texts: string[] | null = null;
  /** When each of them came, monotonic ms. */
  private cameAt: number[] | null = null;
  private handledInTurn = 0;
  private turnNumber = 0;
  private isScheduled = false;
  /** Since when as many as there may be are in flight and frames wait behind them, monotonic ms; `null`: none does. */
  private fullSince: number | null = null;
  /** What is read now lay in the system since then, and is as old; `null`: it has just come. */
  private unreadSince: number | null = null;

  constructor(
    private readonly link: Pick<Link, 'turnNumber' | 'afterOthers'>,
    private readonly owner: InboxOwner,
    private readonly clock: { now: Clock['monotonic'] },
  ) {}

  get isEmpty(): boolean {
    return this.texts === null || this.texts.length === 0;
  }

  add(text: string): void {
    (this.texts ??= []).push(text);
    (this.cameAt ??= []).push(Math.min(this.clock.now(), this.unreadSince ?? Infinity));
  }

  /** The oldest, taken out; `undefined` where there is none. */
  take(): string | undefined {
    this.cameAt?.shift();
    const text = this.texts?.shift();
    if (this.isEmpty) this.unreadSince = null;
    return text;
  }

  /** Empties it; returns what was in it. */
  takeAll(): readonly string[] {
    const { texts } = this;
    this.texts = null;
    this.cameAt = null;
    return texts ?? NONE;
  }

  /** Whether it is this connection's turn, which is then used. */
  mayHandleNext(): boolean {
    if (this.turnNumber !== this.link.turnNumber) {
      this.turnNumber = this.link.turnNumber;
      this.handledInTurn = 0;
    }
    if (this.isStoreBehind || this.handledInTurn >= FRAMES_PER_TURN) return false;
    this.handledInTurn++;
    return true;
  }

  /** In the next turn; where the store is behind, whoever hears of its answers, or of the time, asks again. */
  handleLater(): void {
    if (this.isScheduled || this.isStoreBehind) return;
    this.isScheduled = true;
    this.link.afterOthers(this);
  }

  flush(): void {
    this.isScheduled = false;
    this.owner.handleInbox();
  }

  sendStarted(): void {
    if (++this.sends >= MAX_SENDS_IN_FLIGHT) this.fullSince ??= this.clock.now();
  }

  sendEnded(): void {
    this.sends--;
    if (this.sends < MAX_SENDS_IN_FLIGHT && this.isEmpty) this.fullSince = null;
  }

  /** Whether nothing more may be sent to the store for now. What came last is no reason to hurry, however long others waited. */
  get isStoreBehind(): boolean {
    if (this.sends < MAX_SENDS_IN_FLIGHT) return false;
    const oldest = this.cameAt?.[0] ?? Infinity;
    return this.sends >= MAX_SENDS_TO_SLOW_STORE || this.clock.now() - oldest < STORE_PATIENCE_MS;
  }

  /** The socket that was paused is read again. */
  readingGoesOn(): void {
    if (this.sends >= MAX_SENDS_IN_FLIGHT / 2) this.unreadSince = this.fullSince;
  }

  /** Whether a socket that was paused may be read again: not at each answer of the store. */
  get mayReadOn(): boolean {
    if (!this.isEmpty) return false;
    if (this.sends < MAX_SENDS_IN_FLIGHT / 2) return true;
    return this.sends < MAX_SENDS_TO_SLOW_STORE && this.clock.now() - (this.fullSince ?? Infinity) >= STORE_PATIENCE_MS;
  }
}
