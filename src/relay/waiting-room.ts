/** A socket that has not signed in yet. */
export interface Waiting {
  readonly network: string;
  /** It ends, at once: somebody else needs the place. */
  giveWay(): void;
}

/** Those who wait, in the order they came. */
class Line {
  private readonly all = new Set<Waiting>();
  private readonly byNetwork = new Map<string, Set<Waiting>>();

  add(waiting: Waiting): void {
    const { network } = waiting;
    const neighbours = this.byNetwork.get(network) ?? new Set<Waiting>();
    this.byNetwork.set(network, neighbours.add(waiting));
    this.all.add(waiting);
  }

  remove(waiting: Waiting): void {
    if (!this.all.delete(waiting)) return;
    const neighbours = this.byNetwork.get(waiting.network);
    neighbours?.delete(waiting);
    if (neighbours?.size === 0) this.byNetwork.delete(waiting.network);
  }

  /** `network`: `null` for any. */
  oldest(network: string | null): Waiting | undefined {
    const [oldest] = network === null ? this.all : (this.byNetwork.get(network) ?? []);
    return oldest;
  }
}

/**
 * Sockets that have not signed in. They may have every place that is free, so that a thousand users can come back at once,
 * and keep nobody out: where all places are taken, of one IP or in all, the newcomer gets that of the one who has waited
 * for longest. Who wants in says so at once, and who says nothing has had its time. Those that said nothing go first, and
 * only then those that were asked for a signature: a person needs longer.
 */
export class WaitingRoom {
  private readonly silent = new Line();
  private readonly asked = new Line();

  enter(waiting: Waiting): void {
    this.silent.add(waiting);
  }

  /** It was asked for a signature. */
  wasAsked(waiting: Waiting): void {
    this.silent.remove(waiting);
    this.asked.add(waiting);
  }

  /** It is on its way in, or gone. */
  leave(waiting: Waiting): void {
    this.silent.remove(waiting);
    this.asked.remove(waiting);
  }

  /** Frees a place, of that network or (`null`) of any; false where nobody waits. */
  makeRoom(network: string | null): boolean {
    const oldest = this.silent.oldest(network) ?? this.asked.oldest(network);
    if (oldest === undefined) return false;
    this.leave(oldest);
    oldest.giveWay();
    return true;
  }
}
