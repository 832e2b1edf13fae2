import { DURATION_BOUNDS_SECONDS, Durations, Metrics, Tally } from './metrics.js';

describe('Tally', () => {
  it('has every outcome from the start, so that a rate of it is never missing', () => {
    const tally = new Tally(['kept', 'lost']);
    tally.add('kept', 2);
    tally.add('kept');
    expect(tally.counts).toEqual({ kept: 3, lost: 0 });
  });
});

describe('Durations', () => {
  it('counts each in the first bucket whose bound it does not exceed', () => {
    const durations = new Durations();
    for (const ms of [0, 0.1, 0.11, 60_000, 60_001]) durations.observe(ms);
    const expected = new Array<number>(DURATION_BOUNDS_SECONDS.length + 1).fill(0);
    expected[0] = 2;
    expected[1] = 1;
    expected[DURATION_BOUNDS_SECONDS.length - 1] = 1;
    expected[DURATION_BOUNDS_SECONDS.length] = 1;
    expect([...durations.counts]).toEqual(expected);
    expect(durations.sumMs).toBeCloseTo(120_001.21);
  });
});

describe('Metrics', () => {
  it('counts the end of a connection by a code of the table, the two that clients make, or none of them', () => {
    const metrics = new Metrics();
    for (const code of [1006, 4409, 4999, 1005]) metrics.ended(code);
    expect(metrics.connectionsEnded.counts).toMatchObject({ 1006: 1, 4409: 1, other: 1, 1005: 1, 1000: 0 });
  });
});
