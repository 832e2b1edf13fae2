import { PassThrough } from 'node:stream';
import { Logger } from '../common/logger.js';
import { LAST_RESORT_SECONDS, stopping } from './stopping.js';

describe('a signal', () => {
  let exits: number[];
  let timers: { delayMs: number; run: () => void }[];
  let log: string;
  let end: { resolve: () => void; reject: (error: Error) => void };

  function start(drainSeconds = 20): (signal: string) => void {
    [exits, timers, log] = [[], [], ''];
    const destination = new PassThrough().on('data', (chunk: Buffer) => (log += chunk.toString()));
    const closed = new Promise<void>((resolve, reject) => (end = { resolve, reject }));
    return stopping({
      logger: Logger.create({ level: 'info', json: true, destination }),
      drainSeconds,
      close: () => closed,
      exit: (code) => exits.push(code),
      after: (delayMs, run) => timers.push({ delayMs, run }),
    });
  }

  const settled = () => new Promise((resolve) => setImmediate(resolve));

  it('ends with 0 once everything is drained', async () => {
    start()('SIGTERM');
    await settled();
    expect(exits).toEqual([]);
    end.resolve();
    await settled();
    expect(exits).toEqual([0]);
  });

  it('ends with 75 where the drain does not end in time', () => {
    start(7)('SIGTERM');
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([(7 + LAST_RESORT_SECONDS) * 1000]);
    timers[0]!.run();
    expect(exits).toEqual([75]);
    expect(log).toContain('the drain did not end in time');
  });

  it('ends with 1 where the end fails, and at a second one', async () => {
    const stop = start();
    stop('SIGTERM');
    stop('SIGINT');
    expect(exits).toEqual([1]);
    expect(log).toContain('stopped at once');
    start()('SIGTERM');
    end.reject(new Error('what happened'));
    await settled();
    expect(exits).toEqual([1]);
    expect(log).toContain('what happened');
  });
});
