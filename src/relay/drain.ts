import type { Admission } from './admission.js';
import type { Connection } from './connection.js';
import type { Connections } from './connections.js';
import type { Verdicts } from './verdicts.js';

export interface DrainOptions {
  /** The most that sending everybody away may take. */
  readonly budgetMs: number;
  /** How many processes send as many away at the same time; 1 where left out. */
  readonly processes?: number;
  /** Rejects when it is aborted. */
  readonly pause: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** 0 (inclusive) to 1. */
  readonly random: () => number;
}

const SLICE_EVERY_MS = 100;
const SLICE_SIZE = 50;
const MAX_SPREAD_MS = 10_000;
const SPREAD_PER_CONNECTION_MS = 5;
const LAST_CALL_MS = 3_500;
/** A store that hangs must not keep the process. */
const SENDS_END_WITHIN_MS = 4_000;

export type DrainState = 'up' | 'draining' | 'drained';

/**
 * Sends every client away, before the process ends or because an operator asks: told when to come back, in slices, so that
 * they do not come back all at once.
 */
export class Drain {
  private underWay: Promise<number> | null = null;
  private isDone = false;
  private isEnding = false;

  constructor(
    private readonly admission: Admission,
    private readonly connections: Connections,
    private readonly verdicts: Verdicts,
    private readonly options: DrainOptions,
  ) {}

  get state(): DrainState {
    if (this.underWay === null) return 'up';
    return this.isDone ? 'drained' : 'draining';
  }

  /**
   * For good: the process ends. Resolves when no connection is left; returns how many had to be cut because they did not
   * answer.
   */
  run(): Promise<number> {
    this.isEnding = true;
    return this.begin();
  }

  /** As `run`, until `resume`. One that is under way is joined. */
  begin(): Promise<number> {
    this.underWay ??= this.sendAllAway().finally(() => (this.isDone = true));
    return this.underWay;
  }

  /** Lets clients in again. False where there is nothing to resume: not drained to the end, or about to end. */
  resume(): boolean {
    if (!this.isDone || this.isEnding) return false;
    this.underWay = null;
    this.isDone = false;
    this.admission.open();
    return true;
  }

  private async sendAllAway(): Promise<number> {
    this.admission.close();
    const clients = [...this.connections.values()];
    await this.finishSends(clients);
    const all = clients.length * (this.options.processes ?? 1);
    const spreadMs = Math.min(MAX_SPREAD_MS, all * SPREAD_PER_CONNECTION_MS);
    const slices = this.slices(clients.length);
    const size = Math.ceil(clients.length / slices);
    for (let start = 0; start < clients.length; start += size) {
      if (start > 0) await this.options.pause(SLICE_EVERY_MS);
      for (const client of clients.slice(start, start + size)) {
        client.goAway(Math.round(500 + this.options.random() * spreadMs));
      }
    }
    // `ws` cuts a peer that does not answer its closing handshake; whoever is left after that is cut here.
    const waiting = new AbortController();
    const lastCall = this.options.pause(LAST_CALL_MS, waiting.signal).catch(() => undefined);
    await Promise.race([this.connections.empty(), lastCall]);
    waiting.abort();
    const left = [...this.connections.values()];
    for (const client of left) client.link.terminate();
    return left.length;
  }

  /** What was read is answered: nobody hears of a send twice, or not at all. */
  private async finishSends(clients: readonly Connection[]): Promise<void> {
    const waiting = new AbortController();
    const giveUp = this.options.pause(SENDS_END_WITHIN_MS, waiting.signal).catch(() => undefined);
    await Promise.race([Promise.all(clients.map((client) => client.stopReading())), giveUp]);
    waiting.abort();
    this.verdicts.answerNow(() => true);
  }

  private slices(clients: number): number {
    const most = Math.max(1, Math.floor(this.options.budgetMs / 2 / SLICE_EVERY_MS));
    return Math.max(1, Math.min(most, Math.ceil(clients / SLICE_SIZE)));
  }
}
