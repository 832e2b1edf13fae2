// @ts-check
/**
 * What the mailboxes cost in Redis: memory per waiting message, CPU per append by number of mailboxes, and how Redis
 * answers others while all of them expire. Uses the built adapter on a Redis of its own, without a relay.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { constants, loadavg, setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { info, onCore, redisCpuMicros, startRedis } from './redis.mjs';
import { machine } from './machine.mjs';
import { quantile } from './statistics.mjs';

/** What `--check` holds the store to. */
const BOUNDS = { fullBytes: 700, singleBytes: 1200, flat: 0.2, pingP99Ms: 5 };

const USAGE = `usage: node bench/store.mjs [options]

  --only LIST           of memory,append,purge
  --mailboxes 100000    append and purge go from 1000 to this many by tens; 1000000 takes 2 GB and some minutes
  --json                the figures as JSON on stdout, and no files
  --check               exit 1 when a bound at the top of bench/store.mjs is missed
`;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: 'memory,append,purge' },
    mailboxes: { type: 'string', default: '100000' },
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const HOUR_MS = 3_600_000;
const CONTENT = randomBytes(225).toString('base64'); // 300 characters
const LIMITS = /** @type {const} */ ({ maxMessages: 1000, maxBytes: 64 << 20, senderShare: 0.5, overflow: 'reject' });
/** Sent in one turn, as a busy relay does. */
const BATCH = 200;
const APPEND_ROUNDS = 10;

/** @typedef {import('./redis.mjs').RunningRedis} RunningRedis */
/** @typedef {import('@relay/protocol').Address} Address */
/** @typedef {import('../src/queue/queue.repository.redis.js').RedisQueueRepository} Queue */
/** @typedef {{ redis: RunningRedis, queue: Queue, clock: { nowMs: number, now(): number } }} Store */
/** @typedef {{ text: string, missed: boolean }} Verdict */

const progress = (/** @type {string} */ line) => process.stderr.write(`${line}\n`);
const count = (/** @type {number} */ value) => value.toLocaleString('en').replaceAll(',', ' ');

/** A module of dist/, with the types of its source: dist/ may not be there yet when this is checked. @param {string} path */
async function built(path) {
  /** @type {unknown} */
  const module = await import(new URL(`../dist/${path}`, import.meta.url).href);
  return module;
}

/**
 * Opens as a relay with default settings would, on a clock of ours.
 * @param {RunningRedis} redis
 */
async function open(redis) {
  const { RedisClient } = /** @type {typeof import('../src/redis/redis-client.redis.js')} */ (
    await built('redis/redis-client.redis.js')
  );
  const { RedisQueueRepository } = /** @type {typeof import('../src/queue/queue.repository.redis.js')} */ (
    await built('queue/queue.repository.redis.js')
  );
  const { SingleNodeBackplane } = /** @type {typeof import('../src/backplane/backplane.memory.js')} */ (
    await built('backplane/backplane.memory.js')
  );
  const client = await RedisClient.connect({ url: redis.url });
  const backplane = Object.assign(new SingleNodeBackplane(), { isJoined: () => false });
  const clock = {
    nowMs: Math.floor(Date.now() / HOUR_MS) * HOUR_MS,
    now() {
      return this.nowMs;
    },
  };
  const rules = { retentionMs: 7 * 24 * HOUR_MS, historyMs: 0, maxReceipts: 1000, maxDevices: 10, ledgerMaxAgeMs: 0 };
  const queue = new RedisQueueRepository({ client, backplane, clock, ...rules });
  return { store: { redis, queue, clock }, close: () => client.close() };
}

/** Spread over the buckets as real ones are. @returns {Address} */
function address() {
  return /** @type {Address} */ (`0x${randomBytes(20).toString('hex')}`);
}

const SENDERS = Array.from({ length: 10 }, address);

/** @type {(store: Store, mailbox: Address, n: number, ttlMs: number) => Promise<void>} */
async function append({ queue, clock }, mailbox, n, ttlMs) {
  const from = SENDERS[n % SENDERS.length] ?? mailbox;
  const message = { from, messageId: randomUUID(), content: CONTENT, timestamp: clock.now(), ttlMs };
  const { kind } = await queue.append(mailbox, message, LIMITS);
  if (kind !== 'stored') throw new Error(`message ${n} was not stored: ${kind}`);
}

/** @type {(store: Store, number: number, ttlMs?: number) => Promise<void>} */
async function fillSingles(store, number, ttlMs = HOUR_MS) {
  for (let done = 0; done < number; done += BATCH) {
    const batch = Math.min(BATCH, number - done);
    await Promise.all(Array.from({ length: batch }, (_, i) => append(store, address(), done + i, ttlMs)));
  }
}

/** Nothing but what every relay has, with the scripts loaded. @param {Store} store */
async function empty(store) {
  await fillSingles(store, 1000);
  await store.redis.client.flushall('SYNC');
}

/** A file that is rewritten meanwhile is another matter: the fork makes Redis copy each page that it writes to. @param {Store} store */
async function rewritten({ redis: { client } }) {
  await sleep(200);
  while ((await info(client, 'persistence', 'aof_rewrite_in_progress')) === 1) await sleep(200);
}

/** Once the append-only file is written and freed memory is accounted for. @param {Store} store */
async function usedBytes({ redis: { client } }) {
  await sleep(1500);
  return info(client, 'memory', 'used_memory');
}

/** @param {Store} store */
async function memory(store) {
  await empty(store);
  const atFirst = await usedBytes(store);
  const mailboxes = Array.from({ length: 200 }, address);
  for (let n = 0; n < LIMITS.maxMessages; n++) {
    await Promise.all(mailboxes.map((mailbox) => append(store, mailbox, n, HOUR_MS)));
  }
  const fullBytes = ((await usedBytes(store)) - atFirst) / (mailboxes.length * LIMITS.maxMessages);
  progress(`memory: ${fullBytes.toFixed(0)} B per message in full mailboxes`);

  await empty(store);
  const before = await usedBytes(store);
  await fillSingles(store, 20_000);
  const singleBytes = ((await usedBytes(store)) - before) / 20_000;
  progress(`memory: ${singleBytes.toFixed(0)} B per mailbox of one`);
  return { fullBytes, singleBytes };
}

/** 1000, 10 000, … @param {number} most */
function decades(most) {
  const sizes = [];
  for (let size = 1000; size <= most; size *= 10) sizes.push(size);
  return sizes;
}

/**
 * Appends the first message to some more mailboxes, on top of so many that hold one each; the median of ten rounds. Small
 * numbers are set up anew for each round, so that they stay what they are.
 * @param {Store} store @param {number} size
 */
async function appendAt(store, size) {
  const { client } = store.redis;
  const probe = Math.min(2000, size / 2);
  const isSmall = size < 100_000;
  const rounds = [];
  for (let round = 0; round < APPEND_ROUNDS; round++) {
    if (round === 0 || isSmall) {
      await client.flushall('SYNC');
      await fillSingles(store, size);
    }
    await rewritten(store);
    const beforeCpu = await redisCpuMicros(client);
    const own = process.cpuUsage();
    const beforeMs = performance.now();
    await fillSingles(store, probe);
    const wallMicros = ((performance.now() - beforeMs) * 1000) / probe;
    const { user, system } = process.cpuUsage(own);
    const redisMicros = ((await redisCpuMicros(client)) - beforeCpu) / probe;
    const ownCpuMicros = (user + system) / probe;
    rounds.push({ redisCpuMicros: redisMicros, ownCpuMicros, costMicros: redisMicros + ownCpuMicros, wallMicros });
  }
  const cpu = rounds.map((round) => round.redisCpuMicros);
  const wall = rounds.map((round) => round.wallMicros);
  const figures = { mailboxes: size, cpuMicros: quantile(cpu, 0.5), wallMicros: quantile(wall, 0.5), rounds };
  const lowest = Math.min(...cpu);
  const highest = Math.max(...cpu);
  progress(
    `append at ${count(size)}: ${figures.cpuMicros.toFixed(1)} µs of Redis (${lowest.toFixed(1)}–${highest.toFixed(1)})`,
  );
  return { ...figures, lowest, highest };
}

/** @param {Store} store */
async function appends(store) {
  await empty(store);
  const found = [];
  for (const size of decades(Number(options.mailboxes))) found.push(await appendAt(store, size));
  return found;
}

/** How long each took since the last time. @param {Worker} pinger */
async function answers(pinger) {
  pinger.postMessage('report');
  const [tookMs] = /** @type {[number[]]} */ (await once(pinger, 'message'));
  return tookMs;
}

/** @param {number[]} tookMs */
function statistics(tookMs) {
  return {
    pings: tookMs.length,
    p50Ms: quantile(tookMs, 0.5),
    p99Ms: quantile(tookMs, 0.99),
    maxMs: quantile(tookMs, 1),
  };
}

/**
 * Every mailbox is due at once. The same PINGs before it tell what of their time is the machine's.
 * @param {Store} store @param {number} size
 */
async function purgeOf(store, size) {
  const { redis, queue, clock } = store;
  await empty(store);
  await fillSingles(store, size, 60_000);
  await rewritten(store);
  await redis.client.config('SET', 'latency-monitor-threshold', '5');
  const pinger = new Worker(new URL('pinger.mjs', import.meta.url), { workerData: { port: redis.port } });
  await sleep(500);
  await answers(pinger);
  await sleep(3000);
  const quiet = statistics(await answers(pinger));
  // The pinger shares this core, and would mostly measure how long it waits for that.
  setPriority(0, constants.priority.PRIORITY_LOW);
  clock.nowMs += 120_000;
  /** @type {number[]} only while a call was running */
  const tookMs = [];
  let workedMs = 0;
  let calls = 0;
  let endedEarly = 0;
  for (;;) {
    calls++;
    await answers(pinger);
    const startMs = performance.now();
    const isUnfinished = await queue.purge();
    workedMs += performance.now() - startMs;
    tookMs.push(...(await answers(pinger)));
    if (isUnfinished) continue;
    const { pending } = await queue.ledger();
    if (pending === 0) break;
    // It says that it has done, as a relay is told that would look again 15 s later.
    endedEarly++;
    if (endedEarly > 90) throw new Error(`the purge left ${pending} messages`);
    await sleep(1000);
  }
  await pinger.terminate();
  const during = statistics(tookMs);
  // What kept Redis itself for longer than 5 ms: [event, when, last ms, most ms].
  const slow = /** @type {[string, number, number, number][]} */ (await redis.client.call('LATENCY', 'LATEST'));
  const result = { mailboxes: size, seconds: workedMs / 1000, calls, endedEarly, quiet, during, slow };
  progress(`purge: ${JSON.stringify(result)}`);
  return result;
}

/** @type {(rule: string, value: number, most: number, show: string) => Verdict} */
function verdict(rule, value, most, show) {
  const missed = !(value <= most);
  return { text: `${rule}: ${missed ? 'MISSED' : 'kept'} (${show})`, missed };
}

/** @param {Awaited<ReturnType<typeof measure>>} figures */
function judge({ memory: kept, append: costs, purge: purged }) {
  const verdicts = [];
  if (kept !== undefined) {
    const { fullBytes, singleBytes } = kept;
    verdicts.push(
      verdict('memory: bytes per message in full mailboxes ≤ 700', fullBytes, BOUNDS.fullBytes, fullBytes.toFixed(0)),
      verdict('memory: bytes per mailbox of one ≤ 1200', singleBytes, BOUNDS.singleBytes, singleBytes.toFixed(0)),
    );
  }
  const [first] = costs ?? [];
  if (costs !== undefined && first !== undefined) {
    const offs = costs.map(({ cpuMicros }) => cpuMicros / first.cpuMicros - 1);
    const farthest = Math.max(...offs.map(Math.abs));
    const show = offs.map((off) => `${(off * 100).toFixed(0)} %`).join(', ');
    verdicts.push(verdict('append: CPU within ±20 % of that at 1000 mailboxes', farthest, BOUNDS.flat, show));
  }
  if (purged !== undefined) {
    const { p99Ms } = purged.during;
    verdicts.push(verdict('purge: PING p99 ≤ 5 ms', p99Ms, BOUNDS.pingP99Ms, p99Ms.toFixed(2)));
  }
  return verdicts;
}

/** @param {Awaited<ReturnType<typeof measure>>} figures */
function markdown({ memory: kept, append: costs, purge: purged }) {
  const parts = [];
  if (kept !== undefined) {
    parts.push(
      '### memory',
      ['| a waiting message of 300 bytes | bytes in Redis |', '| --- | --: |']
        .concat(
          `| in one of 200 mailboxes of 1000 | ${kept.fullBytes.toFixed(0)} |`,
          `| alone in one of 20 000 mailboxes | ${kept.singleBytes.toFixed(0)} |`,
        )
        .join('\n'),
    );
  }
  if (costs !== undefined) {
    const rows = costs.map(
      ({ mailboxes, cpuMicros, lowest, highest, wallMicros }) =>
        `| ${count(mailboxes)} | ${cpuMicros.toFixed(1)} (${lowest.toFixed(1)}–${highest.toFixed(1)}) | ${wallMicros.toFixed(1)} |`,
    );
    const head = ['| mailboxes of one | Redis CPU µs/append | wall µs/append |', '| --: | --: | --: |'];
    parts.push('### append', head.concat(rows).join('\n'));
  }
  if (purged !== undefined) {
    const { mailboxes, seconds, calls, endedEarly, quiet, during } = purged;
    const row = (/** @type {string} */ when, /** @type {typeof quiet} */ { pings: n, p50Ms, p99Ms, maxMs }) =>
      `| ${when} | ${count(n)} | ${p50Ms.toFixed(2)} | ${p99Ms.toFixed(2)} | ${maxMs.toFixed(2)} |`;
    parts.push(
      '### purge',
      `${count(mailboxes)} mailboxes of one in ${seconds.toFixed(1)} s and ${calls} calls` +
        `${endedEarly === 0 ? '.' : `, ${endedEarly} of which said that all was done when it was not; a second's wait after each of those is not counted.`}`,
      ['| PING every 5 ms | answers | p50 ms | p99 ms | max ms |', '| --- | --: | --: | --: | --: |']
        .concat(row('before', quiet), row('during', during))
        .join('\n'),
    );
  }
  return parts.join('\n\n');
}

async function measure() {
  const scenarios = options.only.split(',');
  const unknown = scenarios.filter((name) => !['memory', 'append', 'purge'].includes(name));
  if (options.help || unknown.length > 0 || !(Number(options.mailboxes) >= 1000)) {
    throw new Error(unknown.length > 0 ? `unknown: ${unknown.join(', ')}\n\n${USAGE}` : USAGE);
  }
  if (!existsSync(new URL('../dist/main.js', import.meta.url))) {
    throw new Error('dist/main.js is missing: `npm run build` first');
  }
  // All threads of this process: Redis has the other core.
  if (onCore(0).length > 0) spawnSync('taskset', ['-acp', '0', String(process.pid)]);
  /**
   * A Redis of its own for each, so that none inherits a file to rewrite.
   * @template T
   * @param {string} name @param {(store: Store) => Promise<T>} work
   * @returns {Promise<T | undefined>}
   */
  const on = async (name, work) => {
    if (!scenarios.includes(name)) return undefined;
    const redis = await startRedis('everysec');
    try {
      const { store, close } = await open(redis);
      try {
        return await work(store);
      } finally {
        await close();
      }
    } finally {
      await redis.stop();
    }
  };
  return {
    memory: await on('memory', memory),
    append: await on('append', appends),
    purge: await on('purge', (store) => purgeOf(store, Number(options.mailboxes))),
  };
}

/** The exit code. @param {Awaited<ReturnType<typeof measure>>} figures @param {number} loadBefore */
function publish(figures, loadBefore) {
  const about = {
    date: new Date().toISOString(),
    command: ['node bench/store.mjs', ...process.argv.slice(2)].join(' '),
    ...machine(),
    loadBefore,
  };
  const verdicts = judge(figures);
  const document = [
    `\`${about.command}\`, ${about.date}`,
    `${about.cpu}, ${about.cores} cores, Node ${about.node}, Redis on core 1, the rest on core 0. Load of the machine before the run: ${loadBefore.toFixed(2)}.`,
    markdown(figures),
    verdicts.map(({ text }) => `- ${text}`).join('\n'),
  ].join('\n\n');
  const folder = new URL('results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    new URL('store.json', folder),
    `${JSON.stringify({ ...about, bounds: verdicts, ...figures }, null, 2)}\n`,
  );
  writeFileSync(new URL('store.md', folder), `${document}\n`);
  process.stdout.write(`${document}\n`);
  return options.check && verdicts.some(({ missed }) => missed) ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
try {
  const loadBefore = loadavg()[0] ?? NaN;
  const figures = await measure();
  if (options.json) process.stdout.write(JSON.stringify(figures));
  else process.exitCode = publish(figures, loadBefore);
} catch (error) {
  progress(`store: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
