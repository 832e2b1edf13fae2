// @ts-check
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onCore } from './redis.mjs';
import { SCENARIOS, loadFor } from './scenarios.mjs';
import { start } from './servers.mjs';

/** @typedef {import('./statistics.mjs').Measurement} Measurement */
/** @typedef {import('./options.mjs').Plan} Plan */

const LOAD_ENDS_WITHIN_MS = 180_000;
const STORE_ENDS_WITHIN_MS = 900_000;

/**
 * In `latency` the generator never sleeps. A Redis on the same core must not wait each time for the end of the generator's
 * time slice, as it would not with clients elsewhere. Not where there is no Redis: a router whose generator steps back for
 * whatever else runs here would be a lax yardstick.
 */
const YIELDING = spawnSync('nice', ['-n', '19', 'true']).status === 0 ? ['nice', '-n', '19'] : [];

/**
 * A fresh process for every measurement: nothing of one is left in the heap that the next one is charged for.
 * @type {(plan: Plan, scenario: string, server: string) => Promise<Measurement>}
 */
export async function measure(plan, scenario, server) {
  const running = await start(server);
  try {
    const redis = running.redisPid === undefined ? [] : ['--redis-pid', String(running.redisPid)];
    const mask = plan.isMasked ? ['--mask'] : [];
    const own = SCENARIOS[scenario]?.load?.(plan.sizes) ?? [];
    const args = [
      ...own,
      running.urls.join(','),
      '--pid',
      running.pids.join(','),
      ...loadFor(server),
      ...redis,
      ...mask,
    ];
    const measurement = await load(args);
    const derived = SCENARIOS[scenario]?.derive?.(server, measurement.figures);
    return { ...measurement, figures: { ...measurement.figures, ...derived } };
  } catch (error) {
    throw new Error(`${scenario}, ${server}: ${String(error)}\n${running.output()}`, { cause: error });
  } finally {
    await running.stop();
  }
}

/** @param {string[]} args  of load.mjs @returns {Promise<Measurement>} */
export async function load(args) {
  const niceness = args.includes('--rate') && args.includes('--redis-pid') ? YIELDING : [];
  const result = await run([...niceness, ...onCore(1), ...node('load.mjs'), ...args], LOAD_ENDS_WITHIN_MS);
  return /** @type {Measurement} */ (result);
}

/**
 * The store alone, by mailboxes: a round's figures for each size.
 * @param {Plan} plan
 * @returns {Promise<Record<string, Measurement[]>>}
 */
export async function measureMailboxes({ sizes }) {
  const args = ['--only', 'append', '--mailboxes', sizes.mailboxes, '--json'];
  const result = /** @type {{ append: { mailboxes: number, rounds: Record<string, number>[] }[] }} */ (
    await run([...node('store.mjs'), ...args], STORE_ENDS_WITHIN_MS)
  );
  const found = result.append.map(({ mailboxes, rounds }) => {
    const measurements = rounds.map((figures) => ({ figures, faults: {}, counts: {}, notes: [] }));
    return /** @type {const} */ ([String(mailboxes), measurements]);
  });
  return Object.fromEntries(found);
}

/** @param {string} script */
function node(script) {
  return [process.execPath, fileURLToPath(new URL(script, import.meta.url))];
}

/** Its JSON. @param {string[]} command @param {number} timeoutMs @returns {Promise<unknown>} */
async function run([program = '', ...args], timeoutMs) {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  await once(child, 'close');
  process.off('exit', kill);
  // 1: something went wrong with a message, which the measurement itself says.
  if (child.exitCode === 0 || child.exitCode === 1) return JSON.parse(output);
  throw new Error(`the load generator ended with ${child.exitCode ?? child.signalCode}: ${args.join(' ')}`);
}
