import type { Connection } from './connection.js';

/** Ticks come twice a second. */
const ASLEEP_MS = 5_000;

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

  empty(): Promise<void> {
    return this.open.size === 0 ? Promise.resolve() : new Promise((resolve) => this.whenEmpty.push(resolve));
  }
}
