import { Writable } from 'node:stream';
import { Logger } from '../common/logger.js';
import { Metrics } from '../common/metrics.js';
import { type Job, Jobs } from './jobs.js';

const LONG_MS = 60_000;

describe('Jobs', () => {
  let lines: { level: number; msg: string; job?: string }[];
  let runs: number;
  let finish: () => void;
  let fail: (error: Error) => void;
  let jobs: Jobs;
  let metrics: Metrics;

  beforeEach(() => {
    lines = [];
    runs = 0;
    const destination = new Writable({
      write: (chunk: Buffer, _, done) => {
        lines.push(JSON.parse(chunk.toString()) as (typeof lines)[number]);
        done();
      },
    });
    const work: Job = {
      name: 'work',
      everyMs: LONG_MS,
      run: () => {
        runs++;
        return new Promise((resolve, reject) => ([finish, fail] = [resolve, reject]));
      },
    };
    metrics = new Metrics();
    jobs = new Jobs([work], Logger.create({ level: 'debug', json: true, destination }), metrics);
  });

  it('run again once they have ended, and not before', async () => {
    const first = jobs.run('work');
    await jobs.run('work');
    expect(runs).toBe(1);
    finish();
    await first;
    void jobs.run('work');
    expect(runs).toBe(2);
  });

  it('are told of where they fail, and run again', async () => {
    const first = jobs.run('work');
    fail(new Error('no'));
    await first;
    expect(lines).toMatchObject([{ level: 50, msg: 'scheduled job failed', job: 'work' }]);
    expect(metrics.jobsFailed.counts.failed).toBe(1);
    void jobs.run('work');
    expect(runs).toBe(2);
  });

  it('end: none begins, and those under way are waited for', async () => {
    const first = jobs.run('work');
    let hasEnded = false;
    const end = jobs.end(LONG_MS).then(() => (hasEnded = true));
    await jobs.run('work');
    await new Promise(setImmediate);
    expect([runs, hasEnded]).toEqual([1, false]);
    finish();
    await Promise.all([first, end]);
    await jobs.run('work');
    expect(runs).toBe(1);
  });

  it('may fail while they are waited for, and are told of', async () => {
    const first = jobs.run('work');
    const end = jobs.end(LONG_MS);
    fail(new Error('no'));
    await Promise.all([first, end]);
    expect(lines).toMatchObject([{ level: 50, msg: 'scheduled job failed', job: 'work' }]);
    expect(metrics.jobsFailed.counts.failed).toBe(1);
  });

  it('are waited for no longer than asked, and what cuts them short then is no failure', async () => {
    const first = jobs.run('work');
    await jobs.end(0);
    fail(new Error('Storage is not connected'));
    await first;
    expect(lines).toMatchObject([{ level: 20, msg: 'scheduled job cut short', job: 'work' }]);
    expect(metrics.jobsFailed.counts.failed).toBe(0);
  });

  it('are known by name', async () => {
    await expect(jobs.run('play')).rejects.toThrow('No job is called play');
  });
});
