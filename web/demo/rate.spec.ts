import { Rate } from './rate.js';

describe('the rate', () => {
  let now = 0;
  let rate: Rate;

  beforeEach(() => {
    now = 5_000;
    rate = new Rate(() => now);
  });

  const add = (count: number): void => {
    for (let i = 0; i < count; i++) rate.add();
  };

  it('is what the last second had', () => {
    add(3);
    now += 500;
    add(2);
    expect(rate.perSecond).toBe(5);
    now += 500;
    expect(rate.perSecond).toBe(2);
    now += 500;
    expect(rate.perSecond).toBe(0);
  });

  it('remembers its peak, and forgets everything else after a pause', () => {
    add(7);
    now += 3_600_000;
    expect([rate.perSecond, rate.peak]).toEqual([0, 7]);
    add(1);
    expect([rate.perSecond, rate.peak]).toEqual([1, 7]);
  });
});
