// @ts-check
/** What is measured: how the generator is called for it, who takes part, and which figures a reader sees. */
import { SERVERS, hasCoresFor } from './servers.mjs';

/** @typedef {{ figure: string, title: string, show: (value: number) => string, compare?: true, isOfRedis?: true }} Column  `compare`: with the ratio to the yardstick */
/** @typedef {{ figure: string, title: string, isLessBetter?: true }} Plot */
/**
 * `load`: arguments of load.mjs; none where the store itself is measured. `rows`: who takes part. `derive`: figures that
 * follow from measured ones. `mostRounds`: enough where no bound hangs on it, so that the whole run ends in time.
 * @typedef {{ about: string, load?: (sizes: Sizes) => string[], rows: string[], yardstick: string, columns: Column[], plots: Plot[], mostRounds?: number, derive?: (server: string, figures: Record<string, number>) => Record<string, number> }} Scenario
 */
/** @typedef {{ seconds: string, warmup: string, slow: string, rate: string, connections: string, settle: string, storm: string, messages: string, mailboxes: string }} Sizes */

export const count = (/** @type {number} */ value) => Math.round(value).toLocaleString('en').replaceAll(',', ' ');
export const decimal = (/** @type {number} */ value) => value.toFixed(1);
const millis = (/** @type {number} */ value) => value.toFixed(value < 10 ? 3 : 0);
const kibibytes = (/** @type {number} */ value) => (value / 1024).toFixed(2);

const EVERYBODY = ['router', 'batched', 'mqtt', 'relay', 'everysec', 'always'];
const YARDSTICK = 'router';
/** Of `--pairs`, per node. */
const PAIRS_PER_NODE = 50;
const WITHOUT_BOUND = { mostRounds: 3 };

const RATE = /** @type {const} */ ({ figure: 'messagesPerSecond', title: 'messages/s', show: count, compare: true });
const CPU = /** @type {const} */ ({ figure: 'cpuMicrosPerMessage', title: 'CPU µs/message', show: decimal });
const REDIS_CPU = /** @type {const} */ ({
  figure: 'redisCpuMicros',
  title: 'Redis CPU µs',
  show: decimal,
  isOfRedis: true,
});

/** @type {(sizes: Sizes, ...more: string[]) => string[]} */
const pairs = ({ seconds, warmup }, ...more) => ['pairs', '--seconds', seconds, '--warmup', warmup, ...more];

/**
 * V8 compiles what has run often enough, beside the process and on its core: until then everything takes a multiple, and V8's threads
 * keep it waiting. At full speed that is over within a second or two.
 * @type {(sizes: Sizes) => Sizes}
 */
const slowly = (sizes) => ({ ...sizes, warmup: sizes.slow });

/** @type {(title: string, size: number, window: number) => Scenario} */
function payload(title, size, window) {
  return {
    ...WITHOUT_BOUND,
    about: `1:1 at saturation, contents of ${title}`,
    load: (sizes) => pairs(slowly(sizes), '--size', String(size), '--window', String(window)),
    rows: ['router', 'mqtt', 'relay', 'everysec'],
    yardstick: YARDSTICK,
    columns: [RATE, { figure: 'megabytesPerSecond', title: 'MB/s', show: count }, CPU, REDIS_CPU],
    plots: [{ figure: 'messagesPerSecond', title: `1:1, ${title}, messages/s` }],
  };
}

/** Where nodes have no core each, what they could do with one: the cost of a message decides. @type {NonNullable<Scenario['derive']>} */
function capacity(server, { messagesPerSecond = NaN, cpuMicrosPerMessage = NaN, redisCpuMicros = NaN }) {
  const nodes = SERVERS[server]?.nodes ?? 1;
  const perSecond = hasCoresFor(nodes) ? messagesPerSecond : (nodes * 1e6) / cpuMicrosPerMessage;
  return { capacityPerSecond: perSecond, redisPerSecond: 1e6 / redisCpuMicros };
}

/** @type {Record<string, Scenario>} */
export const SCENARIOS = {
  pairs: {
    about: '1:1 at saturation: 50 pairs, contents of 300 characters, 32 messages under way each',
    load: (sizes) => pairs(sizes),
    rows: EVERYBODY,
    yardstick: YARDSTICK,
    columns: [RATE, CPU, REDIS_CPU],
    plots: [
      { figure: 'messagesPerSecond', title: '1:1, messages/s' },
      { figure: 'cpuMicrosPerMessage', title: '1:1, server CPU µs per message', isLessBetter: true },
    ],
  },
  latency: {
    about: 'the same pairs at a fixed rate; time from the scheduled moment to the receipt',
    load: (sizes) => pairs(slowly(sizes), '--rate', sizes.rate),
    rows: EVERYBODY,
    yardstick: YARDSTICK,
    columns: [
      { figure: 'latencyP50Ms', title: 'p50 ms', show: millis, compare: true },
      { figure: 'latencyP99Ms', title: 'p99 ms', show: millis, compare: true },
      CPU,
      REDIS_CPU,
    ],
    plots: [
      { figure: 'latencyP50Ms', title: '2 000 messages/s, p50 in ms', isLessBetter: true },
      { figure: 'latencyP99Ms', title: '2 000 messages/s, p99 in ms', isLessBetter: true },
    ],
  },
  fanin: {
    ...WITHOUT_BOUND,
    about: '50 senders to one connected recipient, 32 messages under way each',
    load: (sizes) => pairs(sizes, '--fan-in'),
    rows: ['router', 'batched', 'mqtt', 'relay', 'everysec'],
    yardstick: YARDSTICK,
    columns: [RATE, CPU, REDIS_CPU],
    plots: [{ figure: 'messagesPerSecond', title: 'fan-in 50:1, messages/s' }],
  },
  offline: {
    about: '50 senders leave messages for absent recipients, who then all sign in at once',
    load: ({ messages }) => ['offline', '--messages', messages, '--rehearsals', '1'],
    rows: EVERYBODY,
    yardstick: YARDSTICK,
    columns: [
      { figure: 'enqueuedPerSecond', title: 'enqueued/s', show: count, compare: true },
      { figure: 'drainedPerSecond', title: 'drained/s', show: count, compare: true },
      { figure: 'enqueueCpuMicros', title: 'enqueue CPU µs', show: decimal },
      { figure: 'drainCpuMicros', title: 'drain CPU µs', show: decimal },
      { figure: 'enqueueRedisCpuMicros', title: 'enqueue Redis CPU µs', show: decimal, isOfRedis: true },
      { figure: 'drainRedisCpuMicros', title: 'drain Redis CPU µs', show: decimal, isOfRedis: true },
    ],
    plots: [
      { figure: 'enqueuedPerSecond', title: 'offline, enqueued/s' },
      { figure: 'drainedPerSecond', title: 'offline, drained/s' },
    ],
  },
  idle: {
    about: 'signed-in connections that do nothing',
    load: ({ connections, settle }) => ['idle', '--connections', connections, '--settle', settle],
    rows: ['router', 'mqtt', 'relay'],
    yardstick: YARDSTICK,
    columns: [
      { figure: 'bytesPerConnection', title: 'KiB/connection', show: kibibytes, compare: true },
      { figure: 'connectsPerSecond', title: 'sign-ins/s', show: count },
      { figure: 'connectCpuMicros', title: 'CPU µs/sign-in', show: decimal },
    ],
    plots: [{ figure: 'bytesPerConnection', title: 'idle connection, bytes', isLessBetter: true }],
  },
  storm: {
    ...WITHOUT_BOUND,
    about: 'everybody connects and signs in at the same moment',
    load: ({ storm }) => ['storm', '--connections', storm],
    rows: ['router', 'mqtt', 'relay', 'everysec'],
    yardstick: YARDSTICK,
    columns: [
      { figure: 'signInsPerSecond', title: 'sign-ins/s', show: count, compare: true },
      { figure: 'signInP50Ms', title: 'p50 ms', show: millis },
      { figure: 'signInP99Ms', title: 'p99 ms', show: millis },
      { figure: 'signInCpuMicros', title: 'CPU µs/sign-in', show: decimal },
    ],
    plots: [{ figure: 'signInsPerSecond', title: 'connect storm, sign-ins/s' }],
  },
  payload4: payload('4 KiB', 4096, 16),
  payload64: payload('64 KiB', 65_536, 4),
  nodes: {
    about:
      '1:1 at saturation on one Redis, 50 pairs per node, spread so that of n nodes 1/n of the pairs stay on theirs',
    load: (sizes) => pairs(slowly(sizes)),
    rows: ['nodes1', 'nodes2', 'nodes4'],
    yardstick: 'nodes1',
    columns: [
      { figure: 'messagesPerSecond', title: 'messages/s', show: count },
      CPU,
      REDIS_CPU,
      { figure: 'capacityPerSecond', title: 'messages/s, a core per node', show: count, compare: true },
      { figure: 'redisPerSecond', title: 'messages/s, one Redis at most', show: count },
    ],
    plots: [{ figure: 'capacityPerSecond', title: 'nodes, messages/s with a core each' }],
    derive: capacity,
  },
  mailboxes: {
    about: 'an append to one more mailbox, on top of so many that hold a message each; the store alone, on Redis',
    rows: [],
    yardstick: '1000',
    columns: [
      { figure: 'costMicros', title: 'CPU µs/append', show: decimal, compare: true },
      { figure: 'redisCpuMicros', title: 'of Redis', show: decimal },
      { figure: 'ownCpuMicros', title: 'of the relay', show: decimal },
    ],
    plots: [{ figure: 'costMicros', title: 'CPU µs per append, by mailboxes', isLessBetter: true }],
  },
};

/** What load.mjs needs for a server beyond the scenario's own. @param {string} server */
export function loadFor(server) {
  const nodes = SERVERS[server]?.nodes;
  return nodes === undefined ? [] : ['--pairs', String(nodes * PAIRS_PER_NODE)];
}

/** As a row is called in tables and plots. @param {string} scenario @param {string} row */
export function nameOf(scenario, row) {
  if (scenario === 'mailboxes') return { title: count(Number(row)), short: count(Number(row)) };
  return SERVERS[row] ?? { title: row, short: row };
}
