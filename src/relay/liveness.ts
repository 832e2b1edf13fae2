import { LIMITS } from '@relay/protocol';

/** `Connection.tick` comes this often; thresholds allow for it, so that nothing is noticed later than the protocol says. */
export const TICK_MS = 500;

const NEVER: readonly number[] = [];

/** Counted in whole numbers, as times are kept: another number takes 16 bytes of its own, of each connection. */
const PARTS = 10;

/** What the clock says of one connection: is it there, is it moving, is it behaving. All times are monotonic ms. */
export class Liveness {
  private heardAt: number;
  private isPinged = false;
  /** Since when entries are outstanding without any being acknowledged. */
  private progressedAt: number;
  /** When the last bad messages came, oldest first. */
  private badAt: readonly number[] = NEVER;
  private chatterSince: number;
  private chatter = 0;
  private isAwaiting = false;

  constructor(openedAt: number) {
    this.heardAt = Math.trunc(openedAt);
    this.progressedAt = this.heardAt;
    this.chatterSince = this.heardAt;
  }

  heard(now: number): void {
    this.heardAt = Math.trunc(now);
    this.isPinged = false;
  }

  /** Entries were acknowledged. */
  progressed(now: number): void {
    this.progressedAt = Math.trunc(now);
  }

  /** Entries were sent; the wait begins here if nothing was outstanding. */
  awaited(now: number): void {
    if (!this.isAwaiting) this.progressed(now);
    this.isAwaiting = true;
  }

  /** Since the last progress, or since entries began to wait for it. */
  stalledMs(now: number): number {
    return now - this.progressedAt;
  }

  isSignInOverdue(now: number, openedAt: number): boolean {
    return now - openedAt >= LIMITS.authTimeoutMs - TICK_MS;
  }

  check(now: number, isWaitingForAck: boolean): 'fine' | 'ping' | 'dead' | 'stalled' {
    this.isAwaiting = isWaitingForAck;
    const silentMs = now - this.heardAt + TICK_MS;
    if (silentMs >= LIMITS.pingAfterMs + LIMITS.pongWithinMs) return 'dead';
    if (isWaitingForAck && now - this.progressedAt >= LIMITS.stallMs) return 'stalled';
    if (silentMs < LIMITS.pingAfterMs || this.isPinged) return 'fine';
    this.isPinged = true;
    return 'ping';
  }

  /** Counts what costs us work and moves no message; `weight` 1 for a ping, and at least a tenth of it. */
  isFlood(now: number, weight: number): boolean {
    if (now - this.chatterSince >= 1000) {
      this.chatterSince = Math.trunc(now);
      this.chatter = 0;
    }
    this.chatter += Math.round(weight * PARTS);
    return this.chatter > LIMITS.chatterPerSecond * PARTS;
  }

  isTooManyBad(now: number): boolean {
    this.badAt = [...this.badAt.slice(1 - LIMITS.badMessages), now];
    return this.badAt.length === LIMITS.badMessages && now - this.badAt[0]! < LIMITS.badMessagesWindowMs;
  }
}
