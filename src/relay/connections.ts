import type { Connection, ConnectionProtocol } from './connection.js';

/** Ticks come twice a second. */
const ASLEEP_MS = 5_000;

/** What the connections of this node are about at one moment. */
export interface ConnectionCensus {
  readonly byProtocol: Readonly<Record<ConnectionProtocol, number>>;
  /** Sent nothing more until they read or acknowledge. */
  readonly slow: number;
  /** Entries that were sent and not acknowledged. */
  readonly unacknowledged: number;
  /** The longest that one of them has acknowledged nothing of what it was sent. */
  readonly lagMs: number;
}

/** Every WebSocket of this node, signed in or not. */
export class Connections {
  private readonly open = new Set<Connection>();
  private tickedAt = -Infinity;
  private whenEmpty: (() => void)[] = [];

  get size(): number {
    return this.open.size;
  }

  values(): Iterable<Connection> {
    return this.open;
  }

  add(connection: Connection): void {
    this.open.add(connection);
  }

  remove(connection: Connection): void {
    this.open.delete(connection);
    if (this.open.size > 0) return;
    const waiting = this.whenEmpty;
    this.whenEmpty = [];
    for (const resolve of waiting) resolve();
  }

  tick(now: number): void {
    // This process was asleep (stopped, starved, suspended): what its clients sent meanwhile is still to be read.
    const wasAsleep = now - this.tickedAt > ASLEEP_MS && this.tickedAt >= 0;
    this.tickedAt = now;
    for (const connection of this.open) {
      if (wasAsleep) connection.forgive(now);
      connection.tick(now);
    }
  }

  census(now: number): ConnectionCensus {
    const byProtocol = { pending: 0, classic: 0, v2: 0 };
    let slow = 0;
    let unacknowledged = 0;
    let lagMs = 0;
    for (const connection of this.open) {
      byProtocol[connection.protocol]++;
      if (connection.isSlow) slow++;
      unacknowledged += connection.unacknowledged;
      lagMs = Math.max(lagMs, connection.lagMs(now));
    }
    return { byProtocol, slow, unacknowledged, lagMs };
  }

  empty(): Promise<void> {
    return this.open.size === 0 ? Promise.resolve() : new Promise((resolve) => this.whenEmpty.push(resolve));
  }
}
