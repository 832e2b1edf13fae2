import { AggregatorRegistry, Counter, Gauge, Registry } from 'prom-client';
import type { MetricsText } from '../metrics/metrics.server.js';
import { exposeProcess } from '../metrics/prometheus.js';
import type { WorkerProcess } from './worker-process.js';

type Metric = Awaited<ReturnType<Registry['getMetricsAsJSON']>>[number] & { readonly aggregator?: string };

/** A worker whose store hangs answers after a second, with what it has. */
const ANSWER_WITHIN_MS = 2_000;

export interface Group {
  readonly wanted: number;
  readonly workers: readonly WorkerProcess[];
  readonly listening: readonly WorkerProcess[];
  readonly replaced: number;
}

/**
 * The metrics of all workers as those of one relay. What is counted never falls: of a worker that has gone, or does not answer
 * in time, what was read last counts on. Prometheus would take a smaller sum for a restart, and all of it for news.
 */
export class GroupMetrics implements MetricsText {
  readonly registry = new Registry();
  private readonly latest = new WeakMap<WorkerProcess, Metric[]>();
  /** What was counted by those that have gone. */
  private readonly gone: Metric[][] = [];

  constructor(private readonly group: Group) {
    exposeProcess(this.registry, 'primary');
    this.expose(group);
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  async text(): Promise<string> {
    const own = (await this.registry.getMetricsAsJSON()) as Metric[];
    const { workers } = this.group;
    const answered = new Set<WorkerProcess>();
    await Promise.all(workers.map(async (worker) => (await this.read(worker)) && answered.add(worker)));
    // All at one moment: one that has gone meanwhile counts among those.
    const latest = workers.map((worker) => {
      const metrics = this.latest.get(worker) ?? [];
      return answered.has(worker) ? metrics : countsOf(metrics);
    });
    return sumOf([own, ...latest, ...this.gone]).metrics();
  }

  /** It has gone. */
  async lost(worker: WorkerProcess): Promise<void> {
    this.gone.push(countsOf(this.latest.get(worker) ?? []));
    this.latest.delete(worker);
    const together = [...this.gone];
    const sum = (await sumOf(together).getMetricsAsJSON()) as Metric[];
    if (together.every((part, i) => part === this.gone[i])) this.gone.splice(0, together.length, sum);
  }

  /** False where it does not answer. */
  private async read(worker: WorkerProcess): Promise<boolean> {
    const answer = (await worker.ask('metrics', ANSWER_WITHIN_MS)) as Metric[] | undefined;
    if (answer === undefined || !this.group.workers.includes(worker)) return false;
    this.latest.set(worker, answer);
    return true;
  }

  private expose(group: Group): void {
    const registers = [this.registry];
    const running = new Gauge({
      name: 'relay_workers',
      help: 'Workers that listen',
      registers,
      collect() {
        this.set(group.listening.length);
      },
    });
    const wanted = new Gauge({
      name: 'relay_workers_wanted',
      help: 'Workers that there are to be: WORKERS',
      registers,
      collect() {
        this.set(group.wanted);
      },
    });
    const replaced = new Counter({
      name: 'relay_workers_replaced_total',
      help: 'Workers started in place of others that ended',
      registers,
      collect() {
        this.reset();
        this.inc(group.replaced);
      },
    });
    void [running, wanted, replaced];
  }
}

function sumOf(metrics: Metric[][]): Registry {
  return AggregatorRegistry.aggregate(metrics);
}

function countsOf(metrics: readonly Metric[]): Metric[] {
  return metrics.filter(({ type }) => /^(counter|histogram)$/.test(String(type)));
}
