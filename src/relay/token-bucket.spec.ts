import { TokenBucket } from './token-bucket.js';

describe('TokenBucket', () => {
  it('gives the burst at once, then the rate, and says when to come again', () => {
    const bucket = new TokenBucket(2, 3);
    expect([bucket.take(0), bucket.take(0), bucket.take(0)]).toEqual([0, 0, 0]);
    expect(bucket.take(0)).toBe(500);
    expect(bucket.take(400)).toBe(100);
    expect(bucket.take(500)).toBe(0);
    expect(bucket.take(500)).toBe(500);
  });

  it('never holds more than the burst', () => {
    const bucket = new TokenBucket(100, 2);
    expect([bucket.take(1e9), bucket.take(1e9)]).toEqual([0, 0]);
    expect(bucket.take(1e9)).toBe(10);
    expect(bucket.isFull(1e9)).toBe(false);
    expect(bucket.isFull(1e9 + 20)).toBe(true);
  });

  it('gives several at once, and a full bucket for more than it can hold', () => {
    const bucket = new TokenBucket(2, 4);
    expect(bucket.take(0, 3)).toBe(0);
    expect(bucket.take(0, 3)).toBe(1000);
    expect(bucket.take(1000, 3)).toBe(0);
    expect(bucket.take(1000, 100)).toBe(2000);
    expect(bucket.take(3000, 100)).toBe(0);
    expect(bucket.take(3000)).toBe(500);
  });

  it('gives nothing for a clock that goes back', () => {
    const bucket = new TokenBucket(1, 1);
    expect(bucket.take(1000)).toBe(0);
    expect(bucket.take(0)).toBe(1000);
  });
});
