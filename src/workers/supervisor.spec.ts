import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { Logger } from '../common/logger.js';
import type { ToPrimary, ToWorker } from './messages.js';
import { Supervisor } from './supervisor.js';
import type { Forked } from './worker-process.js';

/** A worker that does as it is told, unless the test has it do otherwise. */
class FakeWorker extends EventEmitter {
  readonly told: ToWorker[] = [];
  readonly process: { pid: number | undefined; kill(): void } = { pid: 1, kill: () => this.end(null, 'SIGKILL') };
  hasEnded = false;
  timesLetGo = 0;
  private isChannelOpen = true;

  constructor(private readonly obeys: (message: ToWorker, worker: FakeWorker) => boolean) {
    super();
  }

  isConnected(): boolean {
    return this.isChannelOpen;
  }

  letGo(): void {
    if (this.isChannelOpen) throw new Error('it may have an answer left');
    this.timesLetGo++;
  }

  send(message: ToWorker): void {
    this.told.push(message);
    if (!this.obeys(message, this)) return;
    if (message.type === 'begin') this.say({ type: 'prepared' });
    if (message.type === 'listen') this.say({ type: 'listening', url: 'http://127.0.0.1:3002' });
    if (message.type === 'stop') this.end(0, null);
    if (message.type === 'ask') this.say({ type: 'answer', id: message.id, value: null });
  }

  say(message: ToPrimary): void {
    setImmediate(() => this.emit('message', message));
  }

  end(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    // As Node may: the exit before the last words, and the end of the channel without a word.
    this.emit('exit', code, signal);
    setImmediate(() => setImmediate(() => (this.isChannelOpen = false)));
  }
}

describe('the supervisor', () => {
  let forks: FakeWorker[];
  let timers: { delayMs: number; run: () => void }[];
  let log: string;
  let nowMs: number;
  let lost: number[];
  let obeys: (message: ToWorker, worker: FakeWorker) => boolean;
  let forkFails: Error | null;

  beforeEach(() => {
    forkFails = null;
    [forks, timers, log, nowMs, lost] = [[], [], '', 0, []];
    obeys = () => true;
  });

  function supervise(count = 3): Supervisor {
    const destination = new PassThrough().on('data', (chunk: Buffer) => (log += chunk.toString()));
    const fork = (): Forked => {
      if (forkFails !== null) throw forkFails;
      const worker = new FakeWorker((message, one) => obeys(message, one));
      forks.push(worker);
      worker.say({ type: 'hello' });
      return worker;
    };
    return new Supervisor({
      count,
      fork,
      beginning: { environment: {}, namingKey: '' },
      logger: Logger.create({ level: 'info', json: true, destination }),
      monotonic: () => nowMs,
      after: (delayMs, run) => timers.push({ delayMs, run }),
      lost: ({ number }) => lost.push(number),
    });
  }

  const settled = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  const said = (worker: FakeWorker): string[] => worker.told.map(({ type }) => type);
  const numbers = (): number[] => forks.map(({ told }) => (told[0]?.type === 'begin' ? told[0].beginning.worker : 0));

  /** The timers that are not that of the watch. */
  function due(): { delayMs: number; run: () => void }[] {
    return timers.splice(0).filter(({ delayMs }) => delayMs !== 10_000);
  }

  it('has all listen, and none before all are prepared', async () => {
    const withheld: FakeWorker[] = [];
    obeys = (message, worker) => {
      if (message.type !== 'begin' || worker !== forks[2]) return true;
      withheld.push(worker);
      return false;
    };
    const started = supervise().start();
    await settled();
    expect(forks.map(said)).toEqual([['begin'], ['begin'], ['begin']]);
    withheld[0]!.say({ type: 'prepared' });
    expect(await started).toBe('http://127.0.0.1:3002');
    expect(forks.map(said)).toEqual(Array(3).fill(['begin', 'listen']));
    expect(numbers()).toEqual([1, 2, 3]);
  });

  it('has all load at once, and none but the first begin before that one is prepared', async () => {
    obeys = () => false;
    const started = supervise().start();
    await settled();
    expect(forks.map(said)).toEqual([['begin'], [], []]);
    obeys = () => true;
    forks[0]!.say({ type: 'prepared' });
    await started;
    expect(forks.map(said)).toEqual(Array(3).fill(['begin', 'listen']));
  });

  it('tries one first, and says why it cannot start with its exit code', async () => {
    obeys = (message, worker) => {
      worker.say({ type: 'failed', exitCode: 69, reasons: ['Redis does not answer'] });
      setImmediate(() => worker.end(69, null));
      return false;
    };
    await expect(supervise().start()).rejects.toMatchObject({ exitCode: 69, reasons: ['Redis does not answer'] });
    await settled();
    expect(forks.map(said)).toEqual([['begin'], [], []]);
    expect(forks.every(({ hasEnded }) => hasEnded)).toBe(true);
  });

  it('ends those that started where another one cannot, or dies without a word', async () => {
    obeys = (message, worker) => {
      if (worker === forks[1]) setImmediate(() => worker.end(1, null));
      return worker !== forks[1];
    };
    const starting = supervise().start();
    await expect(starting).rejects.toMatchObject({ exitCode: 1 });
    await expect(starting).rejects.toThrow('worker 2 ended while it started (exit code 1)');
    expect(forks.every(({ hasEnded }) => hasEnded)).toBe(true);
    await settled();
    expect(due()).toEqual([]);
  });

  it('replaces one that dies: at once, later and later where that goes on, at once where it lived for a minute', async () => {
    await supervise(2).start();
    const delays: number[] = [];
    for (let i = 0; i < 9; i++) {
      forks.at(-1)!.end(null, 'SIGKILL');
      await settled();
      const [timer] = due();
      delays.push(timer!.delayMs);
      timer!.run();
      await settled();
    }
    expect(delays).toEqual([0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect(new Set(numbers().slice(2))).toEqual(new Set([2]));
    nowMs += 60_000;
    forks.at(-1)!.end(1, null);
    await settled();
    expect(due().map(({ delayMs }) => delayMs)).toEqual([0]);
    expect(lost).toEqual(Array(10).fill(2));
    expect(forks.map(({ timesLetGo }) => timesLetGo)).toEqual([0, ...Array<number>(10).fill(1)]);
  });

  it('goes on with the others where a replacement cannot start, and tries again', async () => {
    const supervisor = supervise(2);
    await supervisor.start();
    obeys = (message, worker) => {
      if (message.type === 'begin') worker.say({ type: 'failed', exitCode: 69, reasons: ['Redis does not answer'] });
      if (message.type === 'begin') setImmediate(() => worker.end(69, null));
      return message.type !== 'begin';
    };
    forks[1]!.end(null, 'SIGKILL');
    await settled();
    due()[0]!.run();
    await settled();
    expect(log).toContain('Redis does not answer');
    expect(forks[0]!.hasEnded).toBe(false);
    obeys = () => true;
    due()[0]!.run();
    await settled();
    expect(supervisor.listening).toHaveLength(2);
    expect(supervisor.replaced).toBe(2);
  });

  it('tells each what the others have open, also one that comes later, and not of one that has gone', async () => {
    const supervisor = supervise(3);
    await supervisor.start();
    forks[0]!.say({ type: 'opened', changes: [['10.0.0.1', 2]] });
    forks[1]!.say({ type: 'opened', changes: [['10.0.0.1', 1]] });
    await settled();
    const heard = (worker: FakeWorker) => worker.told.flatMap((one) => (one.type === 'opened' ? one.changes : []));
    expect(heard(forks[2]!)).toEqual([
      ['10.0.0.1', 2],
      ['10.0.0.1', 1],
    ]);
    expect(heard(forks[0]!)).toEqual([['10.0.0.1', 1]]);
    forks[0]!.end(null, 'SIGKILL');
    await settled();
    expect(heard(forks[2]!).at(-1)).toEqual(['10.0.0.1', -2]);
    due()[0]!.run();
    await settled();
    expect(forks[3]!.told[0]).toMatchObject({ beginning: { worker: 1, opened: [['10.0.0.1', 1]] } });
  });

  it('has one that lets nobody in pass connections on, as long as another one does let them in', async () => {
    await supervise(2).start();
    const passing = (worker: FakeWorker) => worker.told.flatMap((one) => (one.type === 'pass on' ? one.isOn : []));
    forks[0]!.say({ type: 'accepting', isOn: false });
    await settled();
    expect(forks.map(passing)).toEqual([[true], []]);
    forks[1]!.say({ type: 'accepting', isOn: false });
    await settled();
    expect(forks.map(passing)).toEqual([[true, false], []]);
    forks[0]!.say({ type: 'accepting', isOn: true });
    await settled();
    expect(forks.map(passing)).toEqual([[true, false], [true]]);
    // The only one that lets clients in has gone.
    forks[0]!.end(null, 'SIGKILL');
    await settled();
    expect(passing(forks[1]!)).toEqual([true, false]);
  });

  it('ends one that leaves three questions in a row unanswered', async () => {
    import.meta.jest.useFakeTimers({ doNotFake: ['setImmediate'] });
    await supervise(2).start();
    obeys = (message, worker) => worker !== forks[0] || message.type !== 'ask';
    for (let i = 0; i < 3; i++) {
      expect(forks[0]!.hasEnded).toBe(false);
      timers.splice(0).forEach(({ run }) => run());
      await settled();
      import.meta.jest.advanceTimersByTime(5_000);
      await settled();
    }
    import.meta.jest.useRealTimers();
    expect(forks.map(({ hasEnded }) => hasEnded)).toEqual([true, false]);
    expect(log).toContain('worker does not answer');
  });

  it('ends a replacement that does not come up within two minutes, and tries again', async () => {
    await supervise(2).start();
    obeys = (message) => message.type !== 'begin';
    forks[0]!.end(null, 'SIGKILL');
    await settled();
    const isReplacing = (one: { delayMs: number }): boolean => one.delayMs !== 10_000;
    const run = async (which: (one: { delayMs: number }) => boolean): Promise<void> => {
      const some = timers.filter(which);
      timers = timers.filter((one) => !which(one));
      for (const { run } of some) run();
      await settled();
    };
    await run(isReplacing);
    for (let i = 0; i < 12; i++) {
      expect(forks[2]!.hasEnded).toBe(false);
      await run((one) => !isReplacing(one));
    }
    expect(forks[2]!.hasEnded).toBe(true);
    expect(log).toContain('worker does not come up');
    obeys = () => true;
    await run(isReplacing);
    expect(log.match(/worker replaced/g)).toHaveLength(1);
    expect(forks.map(({ hasEnded }) => hasEnded)).toEqual([true, false, true, false]);
  });

  it('stops all, and replaces none; its exit code is the worst of theirs', async () => {
    const supervisor = supervise(3);
    await supervisor.start();
    obeys = (message, worker) => {
      if (message.type === 'stop' && worker === forks[1]) worker.end(75, null);
      return true;
    };
    expect(await supervisor.stop('SIGTERM')).toBe(75);
    expect(forks.map(said)).toEqual(Array(3).fill(['begin', 'listen', 'stop']));
    await settled();
    expect(due()).toEqual([]);
    const other = supervise(2);
    await other.start();
    obeys = () => true;
    expect(await other.stop('SIGTERM')).toBe(0);
  });

  it('stops while it starts, without a word about what did not start', async () => {
    obeys = () => false;
    const supervisor = supervise(2);
    let isOver = false;
    supervisor.start().then(
      () => (isOver = true),
      () => (isOver = true),
    );
    await settled();
    expect(await supervisor.stop('SIGTERM')).toBe(0);
    await settled();
    expect(isOver).toBe(false);
  });

  it.each(['state', 'health'] as const)('gives the %s of those that answer', async (question) => {
    const supervisor = supervise(2);
    await supervisor.start();
    const told = { connections: 3, isDraining: false };
    obeys = (message, worker) => {
      if (message.type !== 'ask') return false;
      if (worker === forks[1]) setImmediate(() => worker.end(1, null));
      else worker.say({ type: 'answer', id: message.id, value: message.question === question ? told : null });
      return false;
    };
    expect(await supervisor.asked(question)).toEqual({ wanted: 2, processes: [told] });
  });

  it('asks its workers each question ten times a second at most', async () => {
    const supervisor = supervise(2);
    await supervisor.start();
    const questions: string[] = [];
    obeys = (message, worker) => {
      if (message.type !== 'ask') return false;
      questions.push(message.question);
      worker.say({ type: 'answer', id: message.id, value: { question: message.question, nowMs } });
      return false;
    };
    const answer = (question: string) => ({ wanted: 2, processes: Array(2).fill({ question, nowMs: 0 }) });
    for (const now of [0, 99]) {
      nowMs = now;
      expect(await supervisor.asked('state')).toEqual(answer('state'));
      expect(await supervisor.asked('health')).toEqual(answer('health'));
    }
    expect(questions).toEqual(['state', 'state', 'health', 'health']);
    nowMs = 100;
    await supervisor.asked('state');
    expect(questions).toHaveLength(6);
  });

  it('tries again where no process can be made, whether Node throws that or only tells it', async () => {
    await supervise().start();
    timers.splice(0);
    forks[1]!.end(null, 'SIGKILL');
    await settled();
    forkFails = new Error('spawn ENOMEM');
    due()[0]!.run();
    expect(log).toContain('worker cannot be forked');
    forkFails = null;
    const [again] = due();
    expect(again!.delayMs).toBe(500);
    obeys = () => false;
    again!.run();
    const corpse = forks.at(-1)!;
    corpse.process.pid = undefined;
    corpse.emit('error', new Error('spawn EAGAIN'));
    await settled();
    expect(due().map(({ delayMs }) => delayMs)).toEqual([1_000]);
  });

  it('says in one line that no process can be made at the start', async () => {
    forkFails = new Error('spawn ENOMEM');
    await expect(supervise().start()).rejects.toMatchObject({
      exitCode: 1,
      reasons: ['no worker can be forked: spawn ENOMEM'],
    });
  });

  it('replaces one that ended behind its answer, while the others were told to listen', async () => {
    obeys = (message, worker) => {
      if (message.type === 'listen' && worker === forks[1]) forks[0]!.end(null, 'SIGKILL');
      if (message.type !== 'listen' || worker !== forks[2]) return true;
      void settled().then(() => worker.say({ type: 'listening', url: 'http://127.0.0.1:3002' }));
      return false;
    };
    await supervise().start();
    expect(numbers()).toEqual([1, 2, 3, 0]);
    await settled();
    expect(numbers()).toEqual([1, 2, 3, 1]);
  });
});
