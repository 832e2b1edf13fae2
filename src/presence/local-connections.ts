import type { Address } from '@relay/protocol';

/** Where it is written which addresses this node holds connections of. */
export interface Registry {
  /** Under which this node writes now; it changes when everything written before became void. */
  readonly name: string | null;
  takeName(): Promise<string>;
  /** True if what others see changed. */
  arrive(address: Address, name: string): Promise<boolean>;
  depart(address: Address, name: string): Promise<boolean>;
}

/**
 * The connections of this node, and how far the registry knows of them. One write at a time for an address, each with what
 * is so by then: whatever fails or overtakes, the last one tells the truth.
 */
export class LocalConnections {
  /** Mostly one each, so a list: a set costs five times as much. */
  private readonly held = new Map<Address, string[]>();
  private readonly writtenAs = new Map<Address, string>();
  private readonly doubtful = new Set<Address>();
  private readonly turns = new Map<Address, Promise<boolean>>();

  constructor(private readonly registry: Registry) {}

  /** Addresses whose last write failed, or may be void. */
  get doubts(): readonly Address[] {
    return [...this.doubtful];
  }

  /** True if what others see changed. */
  add(address: Address, connection: string): Promise<boolean> {
    const known = this.held.get(address);
    if (known === undefined) this.held.set(address, [connection]);
    else if (!known.includes(connection)) known.push(connection);
    return this.settle(address);
  }

  /** True if what others see changed. */
  remove(address: Address, connection: string): Promise<boolean> {
    const known = this.held.get(address);
    const index = known?.indexOf(connection) ?? -1;
    if (known === undefined || index < 0) return Promise.resolve(false);
    known.splice(index, 1);
    if (known.length > 0) return Promise.resolve(false);
    this.held.delete(address);
    return this.settle(address);
  }

  /** Nothing is held any more; resolves when nothing is being written. What was written stays. */
  async clear(): Promise<void> {
    this.held.clear();
    await Promise.allSettled(this.turns.values());
  }

  doubtAll(): void {
    for (const address of this.writtenAs.keys()) this.doubtful.add(address);
  }

  /** Makes the registry say what is so. True if what others see changed. */
  settle(address: Address): Promise<boolean> {
    const before = this.turns.get(address);
    if (before === undefined && this.isSettled(address)) return Promise.resolve(false);
    const write = (): Promise<boolean> => this.write(address);
    const turn = before === undefined ? write() : before.then(write, write);
    this.turns.set(address, turn);
    const done = (): void => {
      if (this.turns.get(address) === turn) this.turns.delete(address);
    };
    turn.then(done, done);
    return turn;
  }

  private async write(address: Address): Promise<boolean> {
    let changed = false;
    while (!this.isSettled(address)) {
      try {
        const isHere = this.held.has(address);
        if (isHere ? await this.arrive(address) : await this.depart(address)) changed = true;
      } catch (error) {
        this.doubtful.add(address);
        throw error;
      }
      this.doubtful.delete(address);
    }
    return changed;
  }

  private isSettled(address: Address): boolean {
    const name = this.writtenAs.get(address);
    if (this.doubtful.has(address)) return false;
    return this.held.has(address) ? name !== undefined && name === this.registry.name : name === undefined;
  }

  private async arrive(address: Address): Promise<boolean> {
    const former = this.writtenAs.get(address);
    const name = await this.registry.takeName();
    this.writtenAs.set(address, name);
    const changed = await this.registry.arrive(address, name);
    // Maybe written after others had cleaned up what stood under that name.
    if (former !== undefined && former !== name) await this.registry.depart(address, former);
    return changed;
  }

  private async depart(address: Address): Promise<boolean> {
    const name = this.writtenAs.get(address);
    if (name === undefined) return false;
    const changed = await this.registry.depart(address, name);
    this.writtenAs.delete(address);
    return changed;
  }
}
