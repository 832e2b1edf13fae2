import { Metrics } from '../common/metrics.js';
import { NodeMeter, SAMPLES } from './node-meter.js';

describe('what a node says of its traffic', () => {
  it('is nothing before anything was measured', () => {
    const meter = new NodeMeter(new Metrics());
    expect(meter.rates()).toEqual({ stored: 0, delivered: 0, refused: 0, opened: 0, signIns: 0 });
    meter.take(0, 5);
    expect(meter.rates().stored).toBe(0);
    expect(meter.history()).toEqual({ stored: [], delivered: [], connections: [] });
  });

  it('is per second over the last minute, and every 2 s for the history, whatever the interval really was', () => {
    const metrics = new Metrics();
    const meter = new NodeMeter(metrics);
    meter.take(1_000, 0);
    metrics.sends.add('stored', 30);
    metrics.sends.add('ephemeral', 10);
    metrics.sends.add('repeat', 100);
    metrics.sends.add('rate_limited', 4);
    meter.take(3_000, 7);
    expect(meter.history()).toEqual({ stored: [20], delivered: [0], connections: [7] });
    meter.take(5_000, 8);
    expect(meter.rates()).toMatchObject({ stored: 10, refused: 1 });
    metrics.sends.add('stored', 4);
    meter.take(9_000, 8);
    expect(meter.history().stored).toEqual([20, 0, 1]);
  });

  it('forgets what is older than a minute, and in the history what is older than two', () => {
    const metrics = new Metrics();
    const meter = new NodeMeter(metrics);
    meter.take(0, 0);
    metrics.sends.add('stored', 1_000);
    for (let at = 2_000; at <= 60_000; at += 2_000) meter.take(at, 0);
    expect(meter.rates().stored).toBe(16.67);
    for (let at = 62_000; at <= 200_000; at += 2_000) meter.take(at, 0);
    expect(meter.rates().stored).toBe(0);
    expect(meter.history().stored).toHaveLength(SAMPLES);
    expect(meter.history().stored.every((rate) => rate === 0)).toBe(true);
  });
});
