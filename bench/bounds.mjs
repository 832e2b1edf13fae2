// @ts-check
/** What the relay is held to: ratios to the yardstick of the same run, and whether they were met. */
import { SCENARIOS } from './scenarios.mjs';
import { median, ratiosOf, valuesOf } from './statistics.mjs';

/** @typedef {import('./statistics.mjs').Measurements} Measurements */
/** @typedef {import('./statistics.mjs').Place & { atLeast?: number, atMost?: number }} Bound  of the median ratio */
/** @typedef {{ text: string, isMissed: boolean, isMeasured: boolean }} Verdict */

/** @type {Bound[]} */
export const BOUNDS = [
  { scenario: 'pairs', server: 'relay', figure: 'messagesPerSecond', atLeast: 2.5 },
  { scenario: 'pairs', server: 'everysec', figure: 'messagesPerSecond', atLeast: 1 },
  { scenario: 'pairs', server: 'always', figure: 'messagesPerSecond', atLeast: 0.8 },
  { scenario: 'latency', server: 'everysec', figure: 'latencyP99Ms', atMost: 2 },
  { scenario: 'latency', server: 'always', figure: 'latencyP99Ms', atMost: 2 },
  { scenario: 'offline', server: 'everysec', figure: 'enqueuedPerSecond', atLeast: 0.8 },
  { scenario: 'offline', server: 'always', figure: 'enqueuedPerSecond', atLeast: 0.8 },
  { scenario: 'offline', server: 'everysec', figure: 'drainedPerSecond', atLeast: 1 },
  { scenario: 'offline', server: 'always', figure: 'drainedPerSecond', atLeast: 1 },
  { scenario: 'idle', server: 'relay', figure: 'bytesPerConnection', atMost: 1.3 },
  { scenario: 'mailboxes', server: '10000', figure: 'costMicros', atLeast: 0.8, atMost: 1.2 },
  { scenario: 'mailboxes', server: '100000', figure: 'costMicros', atLeast: 0.8, atMost: 1.2 },
  { scenario: 'mailboxes', server: '1000000', figure: 'costMicros', atLeast: 0.8, atMost: 1.2 },
  { scenario: 'nodes', server: 'nodes2', figure: 'capacityPerSecond', atLeast: 1.8 },
];

/** @type {(measurements: Measurements, bounds: Bound[]) => Verdict[]} */
export function judge(measurements, bounds) {
  return bounds.map((bound) => {
    const { scenario, server, figure, atLeast = 0, atMost = Infinity } = bound;
    const yardstick = SCENARIOS[scenario]?.yardstick ?? '';
    const limits = [atLeast > 0 ? `≥ ${atLeast}` : '', atMost < Infinity ? `≤ ${atMost}` : ''].filter(Boolean);
    const rule = `${scenario}: ${figure} of ${server} ${limits.join(' and ')} × ${yardstick}`;
    const ratio = median(ratiosOf(measurements, bound, yardstick));
    if (Number.isNaN(ratio)) return { text: `${rule}: not measured`, isMissed: false, isMeasured: false };
    const isMissed = !(ratio >= atLeast && ratio <= atMost);
    return { text: `${rule}: ${isMissed ? '**missed**' : 'met'} (${ratio.toFixed(2)})`, isMissed, isMeasured: true };
  });
}

/** What must not be, in words: nothing when all is well. @param {Measurements} measurements */
export function faults(measurements) {
  return Object.entries(measurements).flatMap(([scenario, servers]) =>
    Object.entries(servers).flatMap(([server, rounds]) =>
      rounds.flatMap((round, index) => {
        const wrong = Object.entries(round.faults).filter(([, number]) => number !== 0);
        if (wrong.length === 0) return [];
        const what = wrong.map(([name, number]) => `${name} ${number}`).join(', ');
        return [[`${scenario}, ${server}, round ${index + 1}: ${what}`, ...round.notes].join('\n    ')];
      }),
    ),
  );
}

const SATURATED = ['pairs', 'fanin', 'payload4', 'payload64', 'nodes'];
const FULL = 0.95;
const OWN_CORE = 0.9;
/** Of the core that Redis shares with a generator that never sleeps. */
const SHARED = 0.2;

/** What makes figures say less than they seem to, and of which it is true. @param {Measurements} measurements */
export function doubts(measurements) {
  /** @type {Map<string, string[]>} */
  const found = new Map();
  for (const [scenario, servers] of Object.entries(measurements)) {
    for (const server of Object.keys(servers)) {
      const all = (/** @type {string} */ figure) => valuesOf(measurements, { scenario, server, figure });
      for (const doubt of doubtsOf(scenario, all)) {
        found.set(doubt, [...(found.get(doubt) ?? []), `${scenario} of ${server}`]);
      }
    }
  }
  return [...found].map(([doubt, where]) => `${doubt}: ${where.join(', ')}`);
}

/** @type {(scenario: string, all: (figure: string) => number[]) => string[]} */
function doubtsOf(scenario, all) {
  if (SATURATED.includes(scenario)) return doubtsAtSaturation(['serverCpu', 'generatorCpu', 'redisCpu'], all);
  if (scenario === 'latency') return doubtsAtRate(all);
  if (scenario !== 'offline') return [];
  return ['enqueue', 'drain'].flatMap((phase) => {
    const found = doubtsAtSaturation([`${phase}ServerCpu`, `${phase}GeneratorCpu`, `${phase}RedisCpu`], all);
    return found.map((doubt) => `${doubt} (${phase})`);
  });
}

/** `figures`: of the server, the generator and Redis. @type {(figures: [string, string, string], all: (figure: string) => number[]) => string[]} */
function doubtsAtSaturation(figures, all) {
  // NaN where there is no such process, and then greater than nothing.
  const [server = NaN, generator = NaN, redis = NaN] = figures.map((figure) => median(all(figure)));
  const found = [];
  if (generator > FULL) found.push('The generator was as busy as a core can be, the server may do more');
  else if (redis > 0 && generator + redis > FULL) {
    found.push('Redis and the generator filled their core, the relay may do more');
  } else if (server < OWN_CORE) {
    found.push('The server did not use its core all the time, something else was the limit; trust CPU µs/message more');
  }
  return found;
}

/** @param {(figure: string) => number[]} all */
function doubtsAtRate(all) {
  const found = [];
  if (Math.max(...all('unsent')) > 0) found.push('It fell behind the schedule, choose a lower --rate');
  const busy = all('generatorCpu').map((generator, round) => generator + (all('redisCpu')[round] ?? 0));
  if (Math.min(...busy) < 0.97) {
    found.push('The generator’s core was taken away in some rounds, p99 is that of the machine');
  }
  if (median(all('redisCpu')) > SHARED) {
    found.push(
      'Redis had much of the generator’s core, and what arrives meanwhile waits; p99 is lower where it has one of its own',
    );
  }
  return found;
}

/** @param {Verdict[]} verdicts */
export function tally(verdicts) {
  const missed = verdicts.filter(({ isMissed }) => isMissed).length;
  const measured = verdicts.filter(({ isMeasured }) => isMeasured).length;
  return `${measured - missed} met, ${missed} missed, ${verdicts.length - measured} not measured.`;
}
