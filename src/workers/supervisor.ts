import type { Logger } from '../common/logger.js';
import type { Group, ProcessState } from '../common/siblings.js';
import { EXIT_DRAIN_TIMEOUT, StartError } from '../common/start-error.js';
import type { Beginning, Change, GroupQuestion, Question } from './messages.js';
import { type Ended, EXIT_FAILED, type Forked, type WorkerEvents, WorkerProcess } from './worker-process.js';

export interface SupervisorOptions {
  /** How many there are to be. */
  readonly count: number;
  readonly fork: () => Forked;
  readonly beginning: Pick<Beginning, 'environment' | 'namingKey'>;
  readonly logger: Logger;
  /** ms */
  readonly monotonic: () => number;
  /** Runs it once, after so long. */
  readonly after: (delayMs: number, run: () => void) => void;
  /** One that was there has gone. */
  readonly lost?: (worker: WorkerProcess) => void;
}

/** A worker that lived for so long has not died of its start. */
const STEADY_MS = 60_000;
const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
/** A worker whose store is to answer gives it 500 ms. */
const ANSWER_WITHIN_MS = 800;
const ASK_EVERY_MS = 100;
const PING_EVERY_MS = 10_000;
/** In a row; as often as a liveness probe would ask before it has a process killed. */
const UNANSWERED_PINGS = 3;
/** Pings for which a replacement does not listen yet. A start takes seconds, and one that fails ends by itself. */
const PINGS_OF_A_START = 12;

interface Place {
  readonly number: number;
  worker: WorkerProcess | null;
  /** How often in a row it did not live for long. */
  losses: number;
  startedAt: number;
  /** Pings in a row to a worker that listens, or at which it did not listen yet. */
  unanswered: number;
}

/** Keeps so many workers running, and knows what they have to know of each other. */
export class Supervisor implements WorkerEvents {
  private readonly places: readonly Place[];
  private readonly latest = new Map<
    GroupQuestion,
    { readonly at: number; readonly group: Promise<Group<ProcessState>> }
  >();
  private isUp = false;
  private isStopping = false;
  /** Workers that were started in place of others. */
  replaced = 0;

  constructor(private readonly options: SupervisorOptions) {
    const { count } = options;
    const empty = { worker: null, losses: 0, startedAt: 0, unanswered: 0 };
    this.places = Array.from({ length: count }, (_, i) => ({ ...empty, number: i + 1 }));
  }

  /** Those that run. */
  get workers(): readonly WorkerProcess[] {
    return this.places.flatMap(({ worker }) => worker ?? []);
  }

  /** How many there are to be. */
  get wanted(): number {
    return this.options.count;
  }

  get listening(): readonly WorkerProcess[] {
    return this.workers.filter(({ isListening }) => isListening);
  }

  /**
   * Resolves with the URL once all listen. Rejects with `StartError`, once, where one cannot start; then none runs. All load
   * at once, which takes the time; then the first goes ahead: what keeps it from starting would keep all of them.
   */
  async start(): Promise<string> {
    try {
      const [first, ...others] = this.places;
      const { prepared } = this.launch(first!);
      await Promise.all([prepared, ...others.map((place) => this.launch(place, prepared).prepared)]);
      let url = '';
      for (const worker of this.workers) url = await worker.listen();
      this.isUp = true;
      // One may have ended behind its answer.
      for (const place of this.places) if (place.worker === null) this.replace(place);
      this.watch();
      return url;
    } catch (error) {
      // Told to stop meanwhile, which ends the process.
      if (this.isStopping) return new Promise(() => undefined);
      this.kill();
      if (error instanceof StartError) throw error;
      throw new StartError(EXIT_FAILED, [
        `no worker can be forked: ${error instanceof Error ? error.message : String(error)}`,
      ]);
    }
  }

  /** Drains all of them. Resolves with the exit code when the last one has ended. */
  async stop(signal: string): Promise<number> {
    this.isStopping = true;
    const ends = this.workers.map((worker): Promise<Ended> => {
      if (worker.isListening) {
        worker.send({ type: 'stop', signal });
        return worker.ended;
      }
      // It has no clients yet, and so nobody to send away.
      worker.kill();
      return Promise.resolve({ code: 0, signal: null });
    });
    return worst(await Promise.all(ends));
  }

  kill(): void {
    this.isStopping = true;
    for (const worker of this.workers) worker.kill();
  }

  begins(worker: WorkerProcess): readonly Change[] {
    return this.workers.flatMap((other) => (other === worker ? [] : other.open.all()));
  }

  opened(from: WorkerProcess, changes: readonly Change[]): void {
    if (changes.length === 0) return;
    for (const worker of this.workers) {
      if (worker !== from && worker.hasBegun) worker.send({ type: 'opened', changes });
    }
  }

  /** Connections go in turn to all that listen; one that lets nobody in passes its own on, where there is somebody who does. */
  accepting(): void {
    if (this.isStopping) return;
    const isAnyOpen = this.listening.some(({ isAccepting }) => isAccepting);
    for (const worker of this.listening) {
      const isOn = isAnyOpen && !worker.isAccepting;
      if (isOn === worker.passesOn) continue;
      worker.passesOn = isOn;
      worker.send({ type: 'pass on', isOn });
    }
  }

  asked(question: Question): Promise<unknown> {
    return question === 'state' || question === 'health' ? this.group(question) : Promise.resolve(null);
  }

  /** Nobody limits who asks: however often that is, workers are asked each question ten times a second. */
  private group(question: GroupQuestion): Promise<Group<ProcessState>> {
    const now = this.options.monotonic();
    const latest = this.latest.get(question);
    if (latest !== undefined && now - latest.at < ASK_EVERY_MS) return latest.group;
    const group = this.askAll(question);
    this.latest.set(question, { at: now, group });
    return group;
  }

  private async askAll(question: GroupQuestion): Promise<Group<ProcessState>> {
    const answers = await Promise.all(this.listening.map((worker) => worker.ask(question, ANSWER_WITHIN_MS)));
    const processes = answers.filter((answer): answer is ProcessState => Boolean(answer));
    return { wanted: this.wanted, processes };
  }

  private launch(place: Place, mayBegin = Promise.resolve()): WorkerProcess {
    const { fork, beginning, count, monotonic } = this.options;
    const worker = new WorkerProcess(fork(), { ...beginning, worker: place.number, count }, this, mayBegin);
    place.worker = worker;
    place.startedAt = monotonic();
    place.unanswered = 0;
    void worker.ended.then((ended) => this.gone(place, worker, ended));
    return worker;
  }

  private gone(place: Place, worker: WorkerProcess, { code, signal }: Ended): void {
    place.worker = null;
    this.options.lost?.(worker);
    this.opened(worker, worker.open.undone());
    this.accepting();
    if (!this.isUp || this.isStopping) return;
    const { logger, monotonic } = this.options;
    if (monotonic() - place.startedAt >= STEADY_MS) place.losses = 0;
    const how = { worker: place.number, pid: worker.pid, code, signal, replacedInMs: this.replaceLater(place) };
    if (code === 0) logger.info('worker stopped', how);
    else logger.error('worker ended', undefined, how);
  }

  /** Gives in how many ms. */
  private replaceLater(place: Place): number {
    const delayMs = place.losses === 0 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (place.losses - 1));
    place.losses++;
    this.options.after(delayMs, () => this.replace(place));
    return delayMs;
  }

  private replace(place: Place): void {
    if (this.isStopping) return;
    let worker: WorkerProcess;
    try {
      worker = this.launch(place);
    } catch (error) {
      // The system has no memory for one more process now.
      const replacedInMs = this.replaceLater(place);
      return this.options.logger.error('worker cannot be forked', error, { worker: place.number, replacedInMs });
    }
    this.replaced++;
    worker.prepared
      .then(() => worker.listen())
      .then(
        () => {
          place.unanswered = 0;
          this.accepting();
          this.options.logger.info('worker replaced', { worker: place.number, pid: worker.pid });
        },
        (error: unknown) => this.options.logger.error('worker cannot start', error, { worker: place.number }),
      );
  }

  /** One that hangs is ended, and so replaced. Counted, not timed: this process may have been asleep itself. */
  private watch(): void {
    this.options.after(PING_EVERY_MS, () => {
      if (this.isStopping) return;
      for (const place of this.places) if (place.worker !== null) this.watchOne(place, place.worker);
      this.watch();
    });
  }

  private watchOne(place: Place, worker: WorkerProcess): void {
    if (worker.isListening) void this.ping(place, worker);
    else if (++place.unanswered >= PINGS_OF_A_START) this.end(place, worker, 'worker does not come up');
  }

  private async ping(place: Place, worker: WorkerProcess): Promise<void> {
    const answer = await worker.ask('ping', PING_EVERY_MS / 2);
    if (place.worker !== worker) return;
    place.unanswered = answer === undefined ? place.unanswered + 1 : 0;
    if (place.unanswered >= UNANSWERED_PINGS) this.end(place, worker, 'worker does not answer');
  }

  private end(place: Place, worker: WorkerProcess, why: string): void {
    this.options.logger.error(why, undefined, { worker: place.number, pid: worker.pid });
    worker.kill();
  }
}

/** 75 where a drain did not end in time; else 1 where something else went wrong. */
function worst(ends: readonly Ended[]): number {
  const codes = ends.map(({ code }) => code ?? 1);
  return codes.includes(EXIT_DRAIN_TIMEOUT) ? EXIT_DRAIN_TIMEOUT : codes.every((code) => code === 0) ? 0 : 1;
}
