import { setImmediate } from 'node:timers/promises';
import { StartError } from '../common/start-error.js';
import type { Beginning, Change, Question, ToPrimary, ToWorker } from './messages.js';
import { OpenConnections } from './open-connections.js';
import { Questions } from './questions.js';

/** As much as is used of a worker of node:cluster. */
export interface Forked {
  readonly process: { readonly pid?: number | undefined; kill(signal: NodeJS.Signals): unknown };
  send(message: ToWorker, done: (error: Error | null) => void): unknown;
  isConnected(): boolean;
  /** Leaves it alone, after its end: no connection goes to it any more, and none is on its way. */
  letGo(): void;
  on(event: 'message', listener: (message: ToPrimary) => void): unknown;
  on(event: 'exit', listener: (code: number | null, signal: NodeJS.Signals | null) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export interface Ended {
  /** `null` where a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
}

/** What a worker tells that concerns the others. */
export interface WorkerEvents {
  /** Gives what the others have open at this moment; from then on it hears of changes. */
  begins(worker: WorkerProcess): readonly Change[];
  opened(worker: WorkerProcess, changes: readonly Change[]): void;
  accepting(worker: WorkerProcess): void;
  /** Gives what it is answered. */
  asked(question: Question): Promise<unknown>;
}

export const EXIT_FAILED = 1;

/** One worker, as the primary sees it. */
export class WorkerProcess {
  /** Rejects with `StartError` where it cannot start, or ends before. */
  readonly prepared: Promise<void>;
  readonly ended: Promise<Ended>;
  /** What it has open. */
  readonly open = new OpenConnections();
  hasBegun = false;
  isListening = false;
  isAccepting = true;
  /** Whether it was told to pass connections on. */
  passesOn = false;
  private readonly questions: Questions;
  private readonly listening: Promise<string>;
  private failure: StartError | null = null;

  constructor(
    private readonly forked: Forked,
    private readonly beginning: Omit<Beginning, 'opened'>,
    private readonly events: WorkerEvents,
    /** Where it rejects, it never begins. */
    private readonly mayBegin: Promise<void>,
  ) {
    this.questions = new Questions((id, question) => this.send({ type: 'ask', id, question }));
    this.ended = this.untilEnd();
    this.prepared = this.until('prepared').then(() => undefined);
    this.listening = this.until('listening').then((message) => (message.type === 'listening' ? message.url : ''));
    // Whoever awaits them hears of it.
    for (const promise of [this.prepared, this.listening]) promise.catch(() => undefined);
    forked.on('message', (message) => this.take(message));
  }

  get number(): number {
    return this.beginning.worker;
  }

  get pid(): number | undefined {
    return this.forked.process.pid;
  }

  /** Gives where it listens. Rejects as `prepared` does. */
  listen(): Promise<string> {
    this.send({ type: 'listen' });
    return this.listening;
  }

  /** `undefined` where no answer comes in time. */
  ask(question: Question, withinMs: number): Promise<unknown> {
    return this.questions.ask(question, withinMs);
  }

  send(message: ToWorker): void {
    if (this.forked.isConnected()) this.forked.send(message, () => undefined);
  }

  kill(): void {
    this.forked.process.kill('SIGKILL');
  }

  private take(message: ToPrimary): void {
    switch (message.type) {
      case 'hello':
        return void this.mayBegin.then(
          () => this.begin(),
          () => undefined,
        );
      case 'listening':
        this.isListening = true;
        return;
      case 'failed':
        this.failure = new StartError(message.exitCode, message.reasons);
        return;
      case 'accepting':
        this.isAccepting = message.isOn;
        return this.events.accepting(this);
      case 'opened':
        this.open.apply(message.changes);
        return this.events.opened(this, message.changes);
      case 'ask':
        void this.events.asked(message.question).then((value) => this.send({ type: 'answer', id: message.id, value }));
        return;
      case 'answer':
        return this.questions.answered(message.id, message.value);
      case 'prepared':
    }
  }

  private begin(): void {
    this.send({ type: 'begin', beginning: { ...this.beginning, opened: this.events.begins(this) } });
    this.hasBegun = true;
  }

  private until(type: 'prepared' | 'listening'): Promise<ToPrimary> {
    return new Promise((resolve, reject) => {
      this.forked.on('message', (message) => {
        if (message.type === type) resolve(message);
      });
      void this.ended.then((ended) => reject(this.failure ?? this.lost(ended)));
    });
  }

  private lost({ code, signal }: Ended): StartError {
    const how = code === null ? signal : `exit code ${code}`;
    return new StartError(EXIT_FAILED, [`worker ${this.number} ended while it started (${how}); its log says why`]);
  }

  private async untilEnd(): Promise<Ended> {
    const ended = await Promise.race([this.untilGone(), this.untilNotForked()]);
    this.isListening = false;
    this.questions.end();
    return ended;
  }

  /**
   * It may have ended before all that it said was read: its channel closes after that. That is looked at, not listened for:
   * where a connection was being passed on at that moment, Node (20.20) never tells of the 'disconnect'.
   */
  private async untilGone(): Promise<Ended> {
    const ended = await new Promise<Ended>((resolve) =>
      this.forked.on('exit', (code, signal) => resolve({ code, signal })),
    );
    // A few turns at most: the system closes its end of the channel before it tells of the exit.
    do await setImmediate();
    while (this.forked.isConnected());
    this.forked.letGo();
    return ended;
  }

  /** Where there may be no more processes, Node tells of an error, and of no end. Of a channel that breaks, the end says it all. */
  private untilNotForked(): Promise<Ended> {
    return new Promise((resolve) =>
      this.forked.on('error', () => {
        if (this.pid === undefined) resolve({ code: EXIT_FAILED, signal: null });
      }),
    );
  }
}
