import { median, quantile, ratiosOf, spread, valuesOf } from '../../bench/statistics.mjs';

const round = (figures: Record<string, number>) => ({ figures, faults: {}, counts: {}, notes: [] });
const MEASUREMENTS = {
  pairs: {
    router: [round({ rate: 100 }), round({ rate: 50 }), round({ rate: 200 })],
    relay: [round({ rate: 200 }), round({ rate: 150 }), round({ rate: 300 })],
    alone: [round({ other: 1 })],
  },
};

describe('statistics of measurements', () => {
  it('take the middle one, or the mean of the two in the middle', () => {
    expect([median([5, 1, 3]), median([4, 1, 3, 2]), median([])]).toEqual([3, 2.5, NaN]);
  });

  it('take the least value that so many do not exceed', () => {
    const values = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect([0, 0.5, 0.99, 1].map((q) => quantile(values, q))).toEqual([1, 50, 99, 100]);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it('know the lowest and the highest', () => {
    expect(spread([2, 9, 4])).toEqual({ median: 4, low: 2, high: 9 });
  });

  it('compare each round with the yardstick of that round, not with its median', () => {
    const place = { scenario: 'pairs', server: 'relay', figure: 'rate' };
    expect(ratiosOf(MEASUREMENTS, place, 'router')).toEqual([2, 3, 1.5]);
    expect(ratiosOf(MEASUREMENTS, place, 'nobody')).toEqual([]);
  });

  it('leave out what was not measured', () => {
    expect(valuesOf(MEASUREMENTS, { scenario: 'pairs', server: 'alone', figure: 'rate' })).toEqual([]);
    expect(valuesOf(MEASUREMENTS, { scenario: 'none', server: 'relay', figure: 'rate' })).toEqual([]);
  });
});
