/** What one process of a relay knows of itself. */
export interface ProcessState {
  /** WebSockets that are open. */
  readonly connections: number;
  /** Whether it lets nobody in. */
  readonly isDraining: boolean;
}

/** That, and how the store answers it. */
export interface ProcessHealth extends ProcessState {
  readonly store: 'up' | 'no answer in time' | 'unavailable';
}

export interface Group<Told extends ProcessState> {
  /** How many processes there ought to be. */
  readonly wanted: number;
  /** Of those that run and answered in time; at least one. */
  readonly processes: readonly Told[];
}

/** The processes behind one port, which are one relay to whoever counts, watches or limits it: `WORKERS`, or one alone. */
export abstract class Siblings {
  /** This one among them. */
  abstract readonly count: number;

  /** How all of them are; `own` tells it of this one. */
  abstract state(own: () => ProcessState): Promise<Group<ProcessState>>;
  /** The same, after each has asked the store. */
  abstract health(own: () => Promise<ProcessHealth>): Promise<Group<ProcessHealth>>;

  /** WebSockets that the others have open, in all and from one network; a few ms late. */
  abstract readonly openElsewhere: number;
  abstract openElsewhereFrom(network: string): number;

  /** To be told of each WebSocket of this process that opens (1) or closes (-1). */
  abstract opened(network: string, by: 1 | -1): void;

  /** Whether this process lets clients in; while it does not, and another does, new connections go there. */
  abstract accepting(isOn: boolean): void;

  get isAlone(): boolean {
    return this.count === 1;
  }
}

export class SoleProcess extends Siblings {
  override readonly count = 1;
  override readonly openElsewhere = 0;

  override state(own: () => ProcessState): Promise<Group<ProcessState>> {
    return Promise.resolve({ wanted: 1, processes: [own()] });
  }

  override async health(own: () => Promise<ProcessHealth>): Promise<Group<ProcessHealth>> {
    return { wanted: 1, processes: [await own()] };
  }

  override openElsewhereFrom(): number {
    return 0;
  }

  override opened(): void {
    // Nobody else counts.
  }

  override accepting(): void {
    // Nobody else could.
  }
}
