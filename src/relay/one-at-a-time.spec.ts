import { OneAtATime } from './one-at-a-time.js';

const turn = (): Promise<void> => new Promise(setImmediate);

describe('OneAtATime', () => {
  let mayRun = true;
  let begun: number[];
  let end: (() => void)[];
  let work: OneAtATime;

  beforeEach(() => {
    mayRun = true;
    begun = [];
    end = [];
    work = new OneAtATime(() => mayRun);
  });

  const add = (n: number): boolean =>
    work.add(() => {
      begun.push(n);
      return new Promise((resolve) => end.push(resolve));
    });

  it('begins the next when the one before has ended, in order', async () => {
    for (const n of [1, 2, 3]) add(n);
    expect(begun).toEqual([1]);
    end[0]!();
    await turn();
    expect(begun).toEqual([1, 2]);
    end[1]!();
    await turn();
    expect(begun).toEqual([1, 2, 3]);
  });

  it('waits until it may run, and is asked again', async () => {
    mayRun = false;
    add(1);
    await turn();
    expect(begun).toEqual([]);
    mayRun = true;
    work.runNext();
    expect(begun).toEqual([1]);
  });

  it('takes no more than sixteen that wait', () => {
    const taken = Array.from({ length: 30 }, (_, n) => add(n));
    expect(taken.filter(Boolean)).toHaveLength(17);
  });
});
