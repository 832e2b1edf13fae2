// @ts-check
/** Fuzzes the built relay: test/fuzz/README.md. */
import fc from 'fast-check';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { clearInterval, setInterval } from 'node:timers';
import { freePort } from '../drill/child.mjs';
import { Random } from '../drill/random.mjs';
import { RedisProcess } from '../drill/redis-process.mjs';
import { readOptions, USAGE } from './options.mjs';
import { KINDS } from './properties.mjs';
import { FuzzedRelay } from './relay.mjs';
import { Bystanders } from './world.mjs';

/** @typedef {import('./options.mjs').Options} Options */

const CASES_AT_A_TIME = 25;
const SHRINK_WITHIN_MS = 60_000;
const PROGRESS_EVERY_MS = 10_000;

const say = (/** @type {string} */ line) => process.stderr.write(`${line}\n`);

/** How much a lane has to do, and its place among them: nothing that it draws is drawn by another. */
class Work {
  /** Reports of cases that failed. @type {string[]} */
  failures = [];
  /** @type {Map<string, number>} */
  #done = new Map();

  /** @param {FuzzedRelay} relay @param {Options} options */
  constructor(relay, options) {
    this.relay = relay;
    this.options = options;
    this.kinds = Object.keys(KINDS).filter((kind) => options.only === null || options.only === kind);
  }

  /** The kind that is furthest behind, with a seed that only this round has. */
  next() {
    if (this.failures.length > 0) return null;
    const { seed, path } = this.options;
    const [kind] = this.kinds
      .filter((name) => this.#missing(name) > 0)
      .sort((a, b) => this.#missing(b) - this.#missing(a));
    if (kind === undefined) return null;
    const round = this.#rounds.get(kind) ?? 0;
    this.#rounds.set(kind, round + 1);
    if (path !== null && round > 0) return null;
    return { kind, seed: seed + round };
  }

  /** @type {(kind: string, sent: number) => void} */
  add(kind, sent) {
    this.#done.set(kind, (this.#done.get(kind) ?? 0) + sent);
  }

  /** @type {Map<string, number>} */
  #rounds = new Map();

  /** From 1, nothing done, to 0. @param {string} name */
  #missing(name) {
    const kind = KINDS[name];
    if (kind === undefined) return 0;
    const share = this.options.only === null ? kind.share : 1;
    const wanted = this.options[kind.counts] * share;
    return wanted === 0 ? 0 : 1 - (this.#done.get(name) ?? 0) / wanted;
  }
}

/** One case at a time, until nothing is left. @param {Work} work */
async function lane(work) {
  const { relay, options } = work;
  const bystanders = await Bystanders.arrive(relay);
  for (let task = work.next(); task !== null; task = work.next()) {
    const kind = /** @type {import('./properties.mjs').Kind} */ (KINDS[task.kind]);
    // Counted apart from the other lanes'.
    const mine = { frames: 0, requests: 0 };
    const { port, keepsHistory, maxFrameBytes } = relay;
    const world = { port, keepsHistory, maxFrameBytes, faults: () => relay.faults(), sent: mine };
    const path = options.path === null ? {} : { path: options.path };
    const parameters = {
      seed: task.seed,
      numRuns: CASES_AT_A_TIME,
      interruptAfterTimeLimit: SHRINK_WITHIN_MS,
      ...path,
    };
    const details = await fc.check(await kind.make(world, bystanders), parameters);
    relay.sent[kind.counts] += mine[kind.counts];
    work.add(task.kind, mine[kind.counts]);
    if (details.failed) work.failures.push(reportOf(task, details, options));
  }
  bystanders.leave();
}

/** @type {(task: { kind: string, seed: number }, details: import('fast-check').RunDetails<[unknown]>, options: Options) => string} */
function reportOf({ kind, seed }, details, { storage }) {
  const path = details.counterexamplePath ?? '';
  const error = details.errorInstance instanceof Error ? details.errorInstance.message : 'interrupted before it ended';
  return [
    `${kind}: ${error}`,
    fc.stringify(details.counterexample).slice(0, 2_000),
    `again: npm run fuzz -- --only '${kind}' --seed ${seed} --path "${path}" --storage ${storage}`,
  ].join('\n');
}

/** @param {Options} options */
async function fuzz(options) {
  const redis = options.storage === 'redis' ? new RedisProcess(await freePort(new Random(options.seed))) : null;
  await redis?.start();
  const env = redis === null ? {} : { STORAGE: 'redis', REDIS_URL: redis.url };
  const relay = await FuzzedRelay.start(env, options.lagMs);
  const work = new Work(relay, options);
  const start = performance.now();
  const line = () => {
    const seconds = Math.round((performance.now() - start) / 1000);
    const { frames, requests } = relay.sent;
    const lag = `event loop lag at most ${Math.round(relay.maxLagMs)} ms (of its own work ${Math.round(relay.maxWorkMs)} ms)`;
    return `${seconds} s: ${frames} frames, ${requests} requests, ${lag}`;
  };
  const progress = setInterval(() => say(line()), PROGRESS_EVERY_MS);
  try {
    await Promise.all(Array.from({ length: options.lanes }, () => lane(work)));
  } finally {
    clearInterval(progress);
    await relay.stop();
    await redis?.kill();
  }
  const left = relay.faults();
  say(line());
  for (const failure of [...work.failures, ...left]) say(`\n${failure}`);
  return work.failures.length + left.length === 0;
}

try {
  const options = readOptions(process.argv.slice(2));
  say(`seed ${options.seed}, ${options.storage}`);
  process.exitCode = (await fuzz(options)) ? 0 : 1;
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  say(message === '' ? USAGE : `${message}\n\n${USAGE}`);
  process.exitCode = 2;
}
