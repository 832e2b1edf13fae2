import { collectDefaultMetrics, Counter, Gauge, type Registry } from 'prom-client';
import { DURATION_BOUNDS_SECONDS, type Durations, type Tally } from '../common/metrics.js';

export interface Naming {
  readonly name: string;
  readonly help: string;
  /** What it is of several workers together; `first`: all say the same. Their sum where left out. */
  readonly aggregator?: 'first' | 'max' | 'min';
}

/** The slowest event loop is the one whose clients wait: an average would hide it. */
const OF_THE_WORST = /^nodejs_eventloop_lag_(?!min)/;

/** What Node says of this process. Of several together there is one start, that of the `primary`; a worker's is left out. */
export function exposeProcess(registry: Registry, role: 'primary' | 'worker'): void {
  collectDefaultMetrics({ register: registry });
  for (const { name } of registry.getMetricsAsArray()) {
    if (OF_THE_WORST.test(name)) setAggregator(registry, name, 'max');
  }
  setAggregator(registry, 'process_start_time_seconds', role === 'primary' ? 'first' : 'omit');
}

function setAggregator(registry: Registry, name: string, aggregator: string): void {
  Object.assign(registry.getSingleMetric(name) ?? {}, { aggregator });
}

/** A tally as a counter with one label, or with none where `label` is left out and it has one outcome. */
export function exposeTally(registry: Registry, naming: Naming, tally: Tally<string>, label?: string): void {
  const counter = new Counter({
    ...naming,
    labelNames: label === undefined ? [] : [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [outcome, count] of Object.entries(tally.counts)) {
        if (label === undefined) this.inc(count);
        else this.inc({ [label]: outcome }, count);
      }
    },
  });
  void counter;
}

/** What is read at the moment of asking, by the values of one label. */
export function exposeGauge(
  registry: Registry,
  naming: Naming,
  label: string | null,
  read: () => Promise<Readonly<Record<string, number>>> | Readonly<Record<string, number>>,
): void {
  const gauge = new Gauge({
    ...naming,
    labelNames: label === null ? [] : [label],
    registers: [registry],
    async collect() {
      this.reset();
      for (const [value, number] of Object.entries(await read())) {
        if (label === null) this.set(number);
        else this.set({ [label]: value }, number);
      }
    },
  });
  void gauge;
}

/** Counted by ourselves (`Durations`), so the library's own histogram, which counts at 0.2 µs a time, is not asked to. */
export function exposeDurations(registry: Registry, { name, help }: Naming, durations: Durations): void {
  const metric = {
    name,
    help,
    type: 'histogram',
    get: () =>
      Promise.resolve({ name, help, type: 'histogram', values: bucketsOf(name, durations), aggregator: 'sum' }),
    reset: () => undefined,
  };
  // The registry asks no more of a metric than this, but its types name the library's own classes.
  registry.registerMetric(metric as unknown as Gauge);
}

function bucketsOf(name: string, { counts, sumMs }: Durations): object[] {
  let total = 0;
  const buckets = [...DURATION_BOUNDS_SECONDS, '+Inf'].map((le, i) => {
    total += counts[i] ?? 0;
    return { metricName: `${name}_bucket`, labels: { le }, value: total };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: {}, value: sumMs / 1000 },
    { metricName: `${name}_count`, labels: {}, value: total },
  ];
}
