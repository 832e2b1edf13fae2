import { KINDS, planFaults, planIssue, planRolling } from './fault-plan.mjs';
import { Random } from './random.mjs';

const EVERYTHING = { kinds: Object.keys(KINDS), untilMs: 120_000, everyMs: 4_000, nodes: 3 };
const seeds = Array.from({ length: 50 }, (_, seed) => seed);

describe('a plan of faults', () => {
  it('is made from the seed alone', () => {
    expect(planFaults(new Random(7), EVERYTHING)).toEqual(planFaults(new Random(7), EVERYTHING));
    expect(planFaults(new Random(7), EVERYTHING)).not.toEqual(planFaults(new Random(8), EVERYTHING));
  });

  it.each(seeds)('with seed %i has every kind, and is over in time', (seed) => {
    const plan = planFaults(new Random(seed), EVERYTHING);
    expect(new Set(plan.map(({ what }) => what))).toEqual(new Set(EVERYTHING.kinds));
    expect(plan.filter(({ atMs, forMs }) => atMs + forMs > EVERYTHING.untilMs)).toEqual([]);
  });

  it.each(seeds)('with seed %i leaves two nodes alone at any time', (seed) => {
    const onNodes = planFaults(new Random(seed), EVERYTHING).filter(({ what }) => KINDS[what]?.place === 'nodes');
    const overlaps = onNodes.filter(({ atMs }, i) => i > 0 && atMs < onNodes[i - 1]!.atMs + onNodes[i - 1]!.forMs);
    expect(overlaps).toEqual([]);
  });

  it('without kinds is empty', () => {
    expect(planFaults(new Random(1), { ...EVERYTHING, kinds: [] })).toEqual([]);
  });

  it('of the issue kills nodes for two minutes, then stops each in turn, then kills Redis three times', () => {
    const plan = planIssue(new Random(1), 3);
    const of = (kind: string) => plan.filter(({ what }) => what === kind);
    expect(of('kill-node').map(({ atMs }) => atMs)).toEqual(Array.from({ length: 20 }, (_, i) => (i + 1) * 6_000));
    expect(new Set(of('kill-node').map(({ target }) => target))).toEqual(new Set([0, 1, 2]));
    expect(of('term-node').map(({ target }) => target)).toEqual([0, 1, 2]);
    expect(of('kill-redis')).toHaveLength(3);
  });
});

describe('a rolling restart', () => {
  it.each(['term-node', 'upgrade-node'] as const)('is each node in turn, twice (%s)', (what) => {
    const plan = planRolling(what, 3);
    expect(plan.map(({ target }) => target)).toEqual([0, 1, 2, 0, 1, 2]);
    expect(new Set(plan.map((fault) => fault.what))).toEqual(new Set([what]));
  });
});

describe('a random number', () => {
  it('repeats with its seed, and a fork is not moved by what else is drawn', () => {
    const numbers = (random: Random) => Array.from({ length: 5 }, () => random.below(1000));
    expect(numbers(new Random(3))).toEqual(numbers(new Random(3)));
    const one = new Random(3).fork('faults');
    const other = new Random(3);
    const fork = other.fork('faults');
    other.next();
    expect(numbers(one)).toEqual(numbers(fork));
  });
});
