import { readFileSync } from 'node:fs';
import { Metrics } from '../src/common/metrics.js';
import { GroupMetrics } from '../src/workers/group-metrics.js';
import { MetricsService } from '../src/metrics/metrics.service.js';

const read = (file: string): string => readFileSync(new URL(`../deploy/monitoring/${file}`, import.meta.url), 'utf8');

const EMPTY = { accepted: 0, acknowledged: 0, expired: 0, dropped: 0, pending: 0, mailboxes: 0 };

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What Prometheus itself knows of a target. */
const OF_PROMETHEUS = ['up'];
const TARGET_LABELS = ['job', 'instance', 'le'];

async function registered(): Promise<Sample[]> {
  const service = new MetricsService(new Metrics(), {
    version: '0',
    census: () => ({ byProtocol: { pending: 0, classic: 0, v2: 0 }, slow: 0, unacknowledged: 0, lagMs: 0 }),
    isDraining: () => false,
    ledger: () => Promise.resolve(EMPTY),
  });
  const workers = new GroupMetrics({ wanted: 2, workers: [], listening: [], replaced: 0 });
  const text = (await service.text()) + (await workers.text());
  return [...text.matchAll(/^([a-z0-9_]+)(?:\{([^}]*)\})? /gm)].map(([, name = '', labels = '']) => {
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', value = '']) => [label, value] as const);
    return { name, labels: Object.fromEntries(pairs) };
  });
}

/** `name{label="value",…}` in an expression; functions and labels of `by (…)` are left out. */
function usedIn(text: string): { name: string; matchers: { label: string; operator: string; value: string }[] }[] {
  const names = /\b(relay_[a-z_]+|nodejs_[a-z0-9_]+|process_[a-z_]+|up)\b(?:\{([^}]*)\})?/g;
  return [...text.matchAll(names)].map(([, name = '', matchers = '']) => ({
    name,
    matchers: [...matchers.matchAll(/(\w+)(=~|!=|=)\\?"(.*?)\\?"/g)].map(
      ([, label = '', operator = '', value = '']) => {
        return { label, operator, value };
      },
    ),
  }));
}

describe.each(['rules/alerts.yml', 'alerts.test.yml', 'dashboards/relay.json'])('deploy/monitoring/%s', (file) => {
  const used = usedIn(read(file));

  it('asks only for metrics that the relay has', async () => {
    const names = new Set([...(await registered()).map(({ name }) => name), ...OF_PROMETHEUS]);
    expect(used.length).toBeGreaterThan(5);
    expect(used.filter(({ name }) => !names.has(name)).map(({ name }) => name)).toEqual([]);
  });

  it('asks only for labels and outcomes that they have', async () => {
    const samples = await registered();
    const wrong = used.flatMap(({ name, matchers }) =>
      matchers
        .filter(({ label }) => !TARGET_LABELS.includes(label))
        .filter(({ label, operator, value }) => {
          const values = operator === '=~' ? value.split('|') : [value];
          return !values.every((one) => samples.some((sample) => sample.name === name && sample.labels[label] === one));
        })
        .map(({ label, value }) => `${name}{${label}="${value}"}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe('the dashboard', () => {
  it('says when a single figure is red: without thresholds Grafana makes everything above 80 so', () => {
    const { panels } = JSON.parse(read('dashboards/relay.json')) as {
      panels: { title: string; type: string; fieldConfig?: { defaults: { thresholds?: object } } }[];
    };
    const stats = panels.filter(({ type }) => type === 'stat');
    expect(stats.length).toBeGreaterThan(0);
    expect(stats.filter(({ fieldConfig }) => fieldConfig?.defaults.thresholds === undefined)).toEqual([]);
  });
});
