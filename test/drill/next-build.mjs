// @ts-check
/**
 * The next version, as far as an upgrade is concerned: the build at hand with one more place in a mailbox's state and one more in
 * each device, both counted up by it alone. Whatever the present version does with such a mailbox, the counts must come back
 * (docs/decisions/0033); what they should be is kept beside them, in `tot:{b}`.
 */
import { Redis } from 'ioredis';
import { changedBuild } from './changed-build.mjs';

/** @typedef {import('./changed-build.mjs').Change} Change */
/** @typedef {{ saves: number, opens: number, savesKept: number, opensKept: number, rebuilt: number }} Layout */

const COUNT_SAVE = (/** @type {string} */ tot) =>
  `S[SAVES_BY_NEXT] = S[SAVES_BY_NEXT] + 1 redis.call('HINCRBY', ${tot}, 'saves', 1)`;

/** @type {readonly Change[]} */
const CHANGES = [
  { file: 'queue/scripts.redis.js', from: /'HOLE_BYTES',\s*\]/, to: `'HOLE_BYTES', 'SAVES_BY_NEXT']` },
  {
    file: 'queue/mailbox.lua',
    from: 'local function saveState(...)',
    to: `local function saveState(...) ${COUNT_SAVE('TOT')}`,
  },
  {
    file: 'queue/append-quickly.lua',
    from: `redis.call('HINCRBY', tot, 'a', stored)`,
    to: `redis.call('HINCRBY', tot, 'a', stored) ${COUNT_SAVE('tot')}`,
  },
  {
    file: 'queue/acknowledge-quickly.lua',
    from: 'device[2], device[3], device[4] = ms, sequence, now',
    to: `device[2], device[3], device[4] = ms, sequence, now ${COUNT_SAVE('KEYS[3]')}`,
  },
  {
    file: 'queue/open.lua',
    from: 'device[4] = now',
    to: `device[4] = now device[6] = (device[6] or 0) + 1 redis.call('HINCRBY', TOT, 'opens', 1)`,
  },
];

/** What to run. */
export function buildNext() {
  return changedBuild('next-build', CHANGES, 'next');
}

/** What the next version counted, beside what is left of it. @type {(url: string, prefix?: string) => Promise<Layout>} */
export async function readLayout(url, prefix = 'relay:') {
  const redis = new Redis(url);
  try {
    const sums = /** @type {[number, number, number]} */ (await redis.eval(SUM_TOTALS, 0, `${prefix}tot:{*}`));
    const kept = /** @type {[number, number]} */ (await redis.eval(SUM_STATES, 0, `${prefix}st:{*}:*`));
    return { saves: sums[0], opens: sums[1], rebuilt: sums[2], savesKept: kept[0], opensKept: kept[1] };
  } finally {
    redis.disconnect();
  }
}

const SUM_TOTALS = `
  local sums = { 0, 0, 0 }
  for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
    for i, value in ipairs(redis.call('HMGET', key, 'saves', 'opens', 'r')) do sums[i] = sums[i] + (tonumber(value) or 0) end
  end
  return sums`;
const SUM_STATES = `
  local saves, opens = 0, 0
  for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
    local S = cmsgpack.unpack(redis.call('HGET', key, 's'))
    saves = saves + (S[24] or 0)
    for _, device in ipairs(cmsgpack.unpack(redis.call('HGET', key, 'v') or '\\144')) do opens = opens + (device[6] or 0) end
  end
  return { saves, opens }`;
