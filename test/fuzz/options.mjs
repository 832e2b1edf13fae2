// @ts-check
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { KINDS } from './properties.mjs';

export const USAGE = `usage: npm run fuzz -- [options]

  --frames 5000 --requests 1000   how many are sent at least
  --seed N                        repeats a run; printed first
  --storage memory                or redis, on a redis-server of its own
  --only KIND                     of ${Object.keys(KINDS).join(', ')}
  --path P                        with --only and --seed: the one case that a failure named
  --lanes 6                       cases at a time
  --lag 200                       ms that the relay's event loop may stand still

Exit 0: clean; 1: a case failed; 2: not run.
`;

const text = /** @type {const} */ ({ type: 'string' });

/**
 * @typedef {{ frames: number, requests: number, seed: number, storage: 'memory' | 'redis', only: string | null, path: string | null, lanes: number, lagMs: number }} Options
 * @param {string[]} args
 * @returns {Options}
 */
export function readOptions(args) {
  const named = {
    frames: text,
    requests: text,
    seed: text,
    storage: text,
    only: text,
    path: text,
    lanes: text,
    lag: text,
  };
  const { values } = parseArgs({ args, options: { ...named, help: { type: 'boolean', default: false } } });
  if (values.help) throw new Error('');
  const { storage = 'memory', only = null, path = null } = values;
  if (storage !== 'memory' && storage !== 'redis') throw new Error('--storage is memory or redis');
  if (only !== null && !(only in KINDS)) throw new Error(`no kind is called ${only}`);
  if (path !== null && (only === null || values.seed === undefined)) throw new Error('--path needs --only and --seed');
  return {
    frames: count('frames', values.frames ?? '5000', 0),
    requests: count('requests', values.requests ?? '1000', 0),
    seed: count('seed', values.seed ?? String(randomInt(2 ** 31)), 0),
    storage,
    only,
    path,
    lanes: path === null ? count('lanes', values.lanes ?? '6', 1) : 1,
    lagMs: count('lag', values.lag ?? '200', 1),
  };
}

/** @type {(name: string, value: string, least: number) => number} */
function count(name, value, least) {
  const number = Number(value);
  if (value.trim() === '' || !Number.isInteger(number) || number < least)
    throw new Error(`--${name} must be a whole number of at least ${least}`);
  return number;
}
