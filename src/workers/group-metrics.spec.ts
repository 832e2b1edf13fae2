import { Metrics } from '../common/metrics.js';
import { MetricsService } from '../metrics/metrics.service.js';
import { GroupMetrics } from './group-metrics.js';
import type { WorkerProcess } from './worker-process.js';

const EMPTY = { accepted: 0, acknowledged: 0, expired: 0, dropped: 0, pending: 0, mailboxes: 0 };

/** What one worker would answer, over the same kind of channel. */
function worker() {
  const counted = new Metrics();
  const state = { lagMs: 0, v2: 0, isDraining: false, accepted: 7, isUp: true, answers: true };
  const service = new MetricsService(counted, {
    version: '1.2.3',
    census: () => ({
      byProtocol: { pending: 0, classic: 0, v2: state.v2 },
      slow: 1,
      unacknowledged: 2,
      lagMs: state.lagMs,
    }),
    isDraining: () => state.isDraining,
    ledger: () =>
      state.isUp ? Promise.resolve({ ...EMPTY, accepted: state.accepted }) : Promise.reject(new Error('away')),
  });
  const ask = async (): Promise<unknown> =>
    state.answers ? (JSON.parse(JSON.stringify(await service.json())) as unknown) : undefined;
  return { counted, state, process: { ask } as unknown as WorkerProcess };
}

describe('the metrics of several workers', () => {
  const [one, two] = [worker(), worker()];
  const group = { wanted: 2, workers: [one.process, two.process], listening: [one.process], replaced: 4 };
  const metrics = new GroupMetrics(group);

  async function read(): Promise<Map<string, number>> {
    // One reading of the store is for one turn.
    await new Promise((resolve) => setImmediate(resolve));
    const lines = (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
    );
  }

  it('are what each has in sum, of lags and drains the worst, of the store what one says', async () => {
    one.counted.sends.add('stored', 5);
    two.counted.sends.add('stored', 6);
    one.counted.accepting.observe(3);
    two.counted.accepting.observe(700);
    Object.assign(one.state, { v2: 10, lagMs: 9_000, isDraining: true });
    Object.assign(two.state, { v2: 20, lagMs: 1_000, accepted: 8, isUp: true });
    const samples = await read();
    expect(samples.get('relay_sends_total{outcome="stored"}')).toBe(11);
    expect(samples.get('relay_accept_seconds_count')).toBe(2);
    expect(samples.get('relay_accept_seconds_bucket{le="0.005"}')).toBe(1);
    expect(samples.get('relay_accept_seconds_bucket{le="1"}')).toBe(2);
    expect(samples.get('relay_accept_seconds_sum')).toBeCloseTo(0.703);
    expect(samples.get('relay_connections{protocol="v2"}')).toBe(30);
    expect(samples.get('relay_slow_connections')).toBe(2);
    expect(samples.get('relay_unacknowledged_entries')).toBe(4);
    expect(samples.get('relay_acknowledgement_lag_seconds')).toBe(9);
    expect(samples.get('relay_draining')).toBe(1);
    expect(samples.get('relay_build_info{version="1.2.3"}')).toBe(1);
    expect(samples.get('relay_ledger_messages{state="accepted"}')).toBe(7);
    expect(samples.get('relay_store_up')).toBe(1);
    expect(samples.get('relay_workers')).toBe(1);
    expect(samples.get('relay_workers_wanted')).toBe(2);
    expect(samples.get('relay_workers_replaced_total')).toBe(4);
  });

  it('say that the store is down where it is for one, and the ledger of another', async () => {
    one.state.isUp = false;
    const samples = await read();
    expect(samples.get('relay_store_up')).toBe(0);
    expect(samples.get('relay_ledger_messages{state="accepted"}')).toBe(8);
    one.state.isUp = true;
  });

  it('have every metric that one process has, and the event loop of the slowest', async () => {
    const alone = (await one.process.ask('metrics', 0)) as { name: string; aggregator: string }[];
    const names = new Set([...(await read()).keys()].map((name) => name.replace(/\{.*/, '')));
    const missing = alone.filter(({ name }) => ![...names].some((found) => found.startsWith(name)));
    // Where nothing of the kind was ever seen there are no samples.
    expect(missing.map(({ name }) => name).filter((name) => name !== 'nodejs_gc_duration_seconds')).toEqual([]);
    const lags = alone.filter(({ name }) => name.startsWith('nodejs_eventloop_lag'));
    expect(lags.length).toBeGreaterThan(4);
    expect(lags.filter(({ name }) => !name.includes('_min')).every(({ aggregator }) => aggregator === 'max')).toBe(
      true,
    );
  });

  it('never fall in what is counted: not where a worker does not answer, and not where it has gone', async () => {
    const cpu = (await read()).get('process_cpu_seconds_total') ?? 0;
    two.state.answers = false;
    const without = await read();
    expect(without.get('relay_sends_total{outcome="stored"}')).toBe(11);
    expect(without.get('relay_connections{protocol="v2"}')).toBe(10);
    await metrics.lost(two.process);
    group.workers = [one.process];
    one.counted.sends.add('stored', 1);
    const after = await read();
    expect(after.get('relay_sends_total{outcome="stored"}')).toBe(12);
    expect(after.get('relay_accept_seconds_bucket{le="+Inf"}')).toBe(2);
    expect(after.get('process_cpu_seconds_total')).toBeGreaterThanOrEqual(cpu);
    await metrics.lost(one.process);
    group.workers = [];
    expect((await read()).get('relay_sends_total{outcome="stored"}')).toBe(12);
  });
});
