import type { Change } from './messages.js';

/** WebSockets that are open, by network. */
export class OpenConnections {
  private readonly networks = new Map<string, number>();
  private open = 0;

  get total(): number {
    return this.open;
  }

  of(network: string): number {
    return this.networks.get(network) ?? 0;
  }

  apply(changes: Iterable<Change>): void {
    for (const [network, by] of changes) {
      const count = this.of(network) + by;
      this.open += by;
      if (count === 0) this.networks.delete(network);
      else this.networks.set(network, count);
    }
  }

  /** As changes that make them. */
  all(): Change[] {
    return [...this.networks];
  }

  /** As changes that undo them. */
  undone(): Change[] {
    return [...this.networks].map(([network, count]) => [network, -count]);
  }
}
