// @ts-check
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath, URL } from 'node:url';
import { parseArgs } from 'node:util';
import { kindOf, KINDS } from './fault-plan.mjs';
import { buildNext } from './next-build.mjs';

/**
 * @typedef {object} Options
 * @property {'issue' | 'ci' | 'rolling' | 'upgrade' | null} plan
 * @property {number} seed
 * @property {number} seconds
 * @property {number} nodes
 * @property {number} addresses
 * @property {number} twoDevices
 * @property {number} rate
 * @property {number} everyMs
 * @property {readonly string[]} faults
 * @property {'memory' | 'redis'} storage
 * @property {readonly string[]} urls  empty: a stack of our own
 * @property {boolean} classicOnly
 * @property {boolean} strict
 * @property {number | null} sendP99Ms  how long one send in a hundred may wait; null: not judged
 * @property {boolean} json
 * @property {string | null} save
 * @property {string} main
 * @property {string | null} next  the version that is upgraded to
 */

export const USAGE = `usage: npm run drill -- [options]

  --plan ci             about two minutes, every kind of fault, 100 sends/s
  --plan issue          three nodes killed in turn for two minutes, then stopped in turn, then Redis killed three times, at 300 sends/s
  --plan rolling        three nodes restarted in turn, twice, at 300 sends/s: no connection cut, of the sends in any 5 s a p99 below 2 s
  --plan upgrade        the same, to a version that keeps more in its states, and back
  --seed N              of the faults' times, kinds and targets; printed first
  --seconds 120         of load and faults; connecting and settling come on top
  --storage redis       or memory: one node, and faults of clients only
  --nodes 3  --addresses 200  --two-devices N (a third)  --rate 300
  --faults LIST         of ${Object.keys(KINDS).join(',')}
  --every 4             seconds between faults, on average
  --url ws://a,ws://b   an operator's own nodes: faults of clients only, addresses of its own
  --classic-only        no clients of protocol version 2
  --strict              no receipt may be missing, not even where its link was just breaking
  --send-p99-ms 2000    in the plans rolling and upgrade; 0: how long a send waits is not judged, as befits a machine with other work
  --relay FILE          what a node runs (dist/main.js)
  --json                the summary as JSON
  --save FILE           the history, one event a line

Exit 0: clean; 1: a promise was broken; 2: not run.
`;

/** @type {Record<string, Record<string, string>>} */
const PLANS = {
  ci: { seconds: '75', nodes: '3', addresses: '60', rate: '100', every: '3', storage: 'redis' },
  rolling: {
    seconds: '60',
    nodes: '3',
    addresses: '200',
    'two-devices': '60',
    rate: '300',
    storage: 'redis',
    'send-p99-ms': '2000',
  },
  upgrade: {
    seconds: '60',
    nodes: '3',
    addresses: '200',
    'two-devices': '60',
    rate: '300',
    storage: 'redis',
    'send-p99-ms': '2000',
  },
  issue: { seconds: '237', nodes: '3', addresses: '200', 'two-devices': '60', rate: '300', storage: 'redis' },
};
/** @type {Record<string, string>} */
const DEFAULTS = { seconds: '120', nodes: '3', addresses: '200', rate: '300', every: '4', storage: 'redis' };

const text = /** @type {const} */ ({ type: 'string' });
const flag = /** @type {const} */ ({ type: 'boolean', default: false });

/** Throws with what is wrong. @param {string[]} args @returns {Options} */
export function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      ...{ plan: text, seed: text, seconds: text, nodes: text, addresses: text, 'two-devices': text, rate: text },
      ...{ faults: text, every: text, storage: text, url: text, relay: text, save: text, 'send-p99-ms': text },
      ...{ 'classic-only': flag, strict: flag, json: flag, help: flag },
    },
  });
  if (values.help) throw new Error('');
  const plan = planOf(values.plan);
  const given = { ...DEFAULTS, ...(plan === null ? {} : PLANS[plan]), ...values };
  const urls = values.url?.split(',') ?? [];
  const storage = given.storage === 'memory' ? 'memory' : 'redis';
  const addresses = count('addresses', given.addresses, 2);
  const options = {
    plan,
    seed: count('seed', values.seed ?? String(randomInt(1_000_000_000)), 0),
    seconds: count('seconds', given.seconds, 1),
    nodes: storage === 'memory' ? 1 : count('nodes', given.nodes, 1),
    addresses,
    twoDevices: count('two-devices', given['two-devices'] ?? String(Math.floor(addresses / 3)), 0),
    rate: count('rate', given.rate, 1),
    everyMs: count('every', given.every, 0.1) * 1000,
    storage: /** @type {'memory' | 'redis'} */ (storage),
    urls,
    classicOnly: values['classic-only'],
    strict: values.strict,
    sendP99Ms: count('send-p99-ms', given['send-p99-ms'] ?? '0', 0) || null,
    json: values.json,
    save: values.save ?? null,
    main: values.relay ?? fileURLToPath(new URL('../../dist/main.js', import.meta.url)),
    next: null,
  };
  if (given.storage !== 'memory' && given.storage !== 'redis') throw new Error('--storage is memory or redis');
  for (const url of urls) if (!/^wss?:\/\/[^/]+/.test(url)) throw new Error(`not a WebSocket URL: ${url}`);
  if (urls.length === 0 && !existsSync(options.main)) throw new Error(`${options.main} is missing: npm run build`);
  const next = plan === 'upgrade' ? buildNext() : null;
  return { ...options, next, faults: faultsFor(options, values.faults) };
}

/** @param {string | undefined} name @returns {Options['plan']} */
function planOf(name) {
  if (name === undefined) return null;
  if (!(name in PLANS)) throw new Error(`no plan is called ${name}`);
  return /** @type {Options['plan']} */ (name);
}

/** Those that were asked for, or all that this world can have. @type {(options: Omit<Options, 'faults'>, wished: string | undefined) => string[]} */
function faultsFor(options, wished) {
  const possible = Object.keys(KINDS).filter((what) => isPossible(options, what));
  if (options.plan === 'issue') return possible;
  if (wished === undefined) return possible;
  const faults = wished.split(',').filter((what) => what !== '' && what !== 'none');
  const impossible = faults.filter((what) => !possible.includes(what));
  if (impossible.length > 0) throw new Error(`not possible here: ${impossible.join(', ')}; ${possible.join(', ')} are`);
  return faults;
}

/** @type {(options: Pick<Options, 'urls' | 'storage' | 'classicOnly'>, what: string) => boolean} */
function isPossible({ urls, storage, classicOnly }, what) {
  const { needs } = kindOf(what);
  // Of the plan `upgrade` alone.
  if (needs === 'two builds') return false;
  if (needs === 'version 2') return !classicOnly;
  return needs === 'clients' || (urls.length === 0 && storage === 'redis');
}

/** @type {(name: string, value: string | undefined, least: number) => number} */
function count(name, value, least) {
  const number = Number(value);
  if (value === undefined || value.trim() === '' || !(number >= least))
    throw new Error(`--${name} must be a number of at least ${least}`);
  return number;
}
