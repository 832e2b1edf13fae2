import { BOUNDS, doubts, faults, judge, tally } from '../../bench/bounds.mjs';
import { panels, short, svg } from '../../bench/plot.mjs';
import { SCENARIOS } from '../../bench/scenarios.mjs';
import { markdown } from '../../bench/table.mjs';

type Figures = Record<string, number>;

const round = (figures: Figures, wrong: Figures = {}, notes: string[] = []) => {
  return { figures, faults: { lost: 0, ...wrong }, counts: {}, notes };
};
const pair = (messagesPerSecond: number, more: Figures = {}): Figures => {
  return { messagesPerSecond, cpuMicrosPerMessage: 10, serverCpu: 1, generatorCpu: 0.5, ...more };
};

const MEASUREMENTS = {
  pairs: {
    router: [round(pair(50_000)), round(pair(40_000))],
    relay: [round(pair(100_000)), round(pair(120_000))],
    everysec: [round(pair(50_000, { redisCpuMicros: 7.25, redisCpu: 0.3 }))],
  },
};

describe('a table of measurements', () => {
  it('has medians, and ratios of rounds with the lowest and highest', () => {
    expect(markdown(MEASUREMENTS).split('\n').slice(4)).toEqual([
      '|  | messages/s | × bare ws router | CPU µs/message | Redis CPU µs |',
      '| --- | --: | --: | --: | --: |',
      '| bare `ws` router, a write per frame | 45 000 | 1.00 (1.00–1.00) | 10.0 |  |',
      '| the relay, in memory | 110 000 | 2.50 (2.00–3.00) | 10.0 |  |',
      '| the relay, Redis `everysec` | 50 000 | 1.00 (1.00–1.00) | 10.0 | 7.3 |',
    ]);
  });

  it('says nothing of Redis where there was none', () => {
    const { router, relay } = MEASUREMENTS.pairs;
    expect(markdown({ pairs: { router, relay } })).not.toContain('Redis CPU');
  });
});

describe('bounds', () => {
  const bound = { scenario: 'pairs', server: 'relay', figure: 'messagesPerSecond' };

  it('are met or missed by the median ratio', () => {
    const verdicts = judge(MEASUREMENTS, [
      { ...bound, atLeast: 2.5 },
      { ...bound, atLeast: 2.6 },
      { ...bound, atMost: 2.4 },
      { ...bound, atLeast: 2, atMost: 3 },
    ]);
    expect(verdicts.map(({ isMissed }) => isMissed)).toEqual([false, true, true, false]);
    expect(verdicts[1]?.text).toBe('pairs: messagesPerSecond of relay ≥ 2.6 × router: **missed** (2.50)');
  });

  it('are not missed by what was not measured, and say so', () => {
    expect(judge(MEASUREMENTS, [{ ...bound, server: 'always', atLeast: 1 }])).toEqual([
      { text: 'pairs: messagesPerSecond of always ≥ 1 × router: not measured', isMissed: false, isMeasured: false },
    ]);
  });

  it('are counted, what was not measured apart', () => {
    const verdicts = judge(MEASUREMENTS, [
      { ...bound, atLeast: 2.5 },
      { ...bound, atLeast: 2.6 },
      { ...bound, server: 'always', atLeast: 1 },
    ]);
    expect(tally(verdicts)).toBe('1 met, 1 missed, 1 not measured.');
  });

  it('are about figures that their scenario shows, of those who take part', () => {
    for (const { scenario, server, figure } of BOUNDS) {
      const { columns, rows } = SCENARIOS[scenario]!;
      expect(columns.filter(({ compare }) => compare).map((column) => column.figure)).toContain(figure);
      if (scenario !== 'mailboxes') expect(rows).toContain(server);
    }
  });
});

describe('what went wrong with messages', () => {
  it('is told with its round and the first notes', () => {
    expect(faults(MEASUREMENTS)).toEqual([]);
    const relay = [round(pair(1)), round(pair(1), { lost: 2, doubled: 1 }, ['what came'])];
    expect(faults({ pairs: { relay } })).toEqual(['pairs, relay, round 2: lost 2, doubled 1\n    what came']);
  });
});

describe('doubts', () => {
  const doubtsOf = (scenario: string, figures: Figures) => doubts({ [scenario]: { relay: [round(figures)] } });

  it('are about a busy generator, a busy core of Redis, and a core that others used', () => {
    expect(doubtsOf('pairs', pair(1))).toEqual([]);
    expect(doubtsOf('pairs', pair(1, { generatorCpu: 0.97 }))[0]).toContain('The generator was as busy');
    expect(doubtsOf('pairs', pair(1, { redisCpu: 0.48 }))[0]).toContain('filled their core');
    expect(doubtsOf('pairs', pair(1, { serverCpu: 0.8 }))[0]).toBe(
      'The server did not use its core all the time, something else was the limit; trust CPU µs/message more: pairs of relay',
    );
  });

  it('are about a schedule that was not kept', () => {
    expect(doubtsOf('latency', { unsent: 0, generatorCpu: 0.99 })).toEqual([]);
    expect(doubtsOf('latency', { unsent: 3, generatorCpu: 0.99 })[0]).toContain('fell behind');
    expect(doubtsOf('latency', { unsent: 0, generatorCpu: 0.8 })[0]).toContain('taken away');
  });

  it('are about a Redis that has much of the core of a generator that never sleeps', () => {
    expect(doubtsOf('latency', { unsent: 0, generatorCpu: 0.9, redisCpu: 0.1 })).toEqual([]);
    expect(doubtsOf('latency', { unsent: 0, generatorCpu: 0.5, redisCpu: 0.5 })[0]).toContain(
      'what arrives meanwhile waits',
    );
  });
});

describe('the plot', () => {
  const [panel] = panels(MEASUREMENTS);
  const drawn = svg(panels(MEASUREMENTS), { title: 'A & B', note: 'today' });

  it('has a bar for each who took part, as long as its median is of the highest value', () => {
    expect(panel?.bars.map(({ name, median }) => [name, median])).toEqual([
      ['bare ws router', 45_000],
      ['relay, memory', 110_000],
      ['relay, everysec', 50_000],
    ]);
    const widths = [...drawn.matchAll(/class="(?:other|memory|durable)" x="\d+" y="\d+" width="([\d.]+)"/g)];
    const [router = NaN, relay = NaN] = widths.map(([, width]) => Number(width));
    expect(relay / router).toBeCloseTo(110 / 45, 1);
  });

  it('loads nothing, has colours for both grounds, and text that cannot break it', () => {
    expect(drawn).not.toMatch(/href|url\(|@import|<script/);
    expect(drawn).toContain('prefers-color-scheme: dark');
    expect(drawn).toContain('A &amp; B');
  });

  it('has a panel for every plot of every scenario, with figures that the scenario shows', () => {
    for (const { plots, columns } of Object.values(SCENARIOS)) {
      expect(plots.length).toBeGreaterThan(0);
      for (const { figure } of plots) expect(columns.map((column) => column.figure)).toContain(figure);
    }
  });

  it.each([
    [0.0614, '0.0614'],
    [8.25, '8.25'],
    [6400, '6.40 k'],
    [51_920, '51.9 k'],
    [203_818, '204 k'],
    [1_250_000, '1.25 M'],
  ])('writes %d as %s', (value, text) => {
    expect(short(value)).toBe(text);
  });
});
