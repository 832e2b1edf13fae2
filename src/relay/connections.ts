import type { Connection } from './connection.js';

/** Every WebSocket of this node, signed in or not. */
export class Connections {
  private readonly open = new Set<Connection>();
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
    for (const connection of this.open) connection.tick(now);
  }

  empty(): Promise<void> {
    return this.open.size === 0 ? Promise.resolve() : new Promise((resolve) => this.whenEmpty.push(resolve));
  }
}
