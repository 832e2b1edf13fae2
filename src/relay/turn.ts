/** Something that gathers work during one turn of the event loop and does it at the turn's end. */
export interface Flushable {
  flush(): void;
}

/**
 * Runs what was scheduled during a turn once, after all sockets that were readable in it have been read: what one turn
 * has for one socket leaves in one system call, which is more than half the cost of a message
 * (docs/decisions/0003-one-write-per-turn.md).
 */
export class Turn {
  /** Of the turn that runs, as far as anything was scheduled in the ones before. */
  number = 0;
  private dirty: Flushable[] = [];
  private readonly run = (): void => {
    const { dirty } = this;
    this.dirty = [];
    this.number++;
    for (const flushable of dirty) flushable.flush();
  };

  schedule(flushable: Flushable): void {
    if (this.dirty.push(flushable) === 1) setImmediate(this.run);
  }
}
