// @ts-check
/** A fault run: clients send and receive while things break, and the history is judged. What it means: test/drill/README.md. */
import { randomInt } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';
import { finished } from 'node:stream/promises';
import { clearInterval, setInterval } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { check } from './checker.mjs';
import { excusesFor } from './excuses.mjs';
import { planFaults, planIssue, planRolling } from './fault-plan.mjs';
import { runFaults } from './faults.mjs';
import { History } from './history.mjs';
import { Load } from './load.mjs';
import { readOptions, USAGE } from './options.mjs';
import { readLayout } from './next-build.mjs';
import { Owed } from './owed.mjs';
import { Population } from './population.mjs';
import { Random } from './random.mjs';
import { printReport } from './report.mjs';
import { readSizes, settle } from './settle.mjs';
import { summarise } from './summary.mjs';
import { World } from './world.mjs';

/** @typedef {import('./options.mjs').Options} Options */

const CONNECT_WITHIN_MS = 20_000;
const PROGRESS_EVERY_MS = 10_000;
/** Of the clock of this one process, which has all the clients to serve. */
const TOLERANCE_MS = 500;
const VERDICT_WITHIN_MS = 10_000;
/** An operator's limit on requests is not for us to exhaust. */
const SIZES_OF_OTHERS = 50;

const say = (/** @type {string} */ line) => process.stderr.write(`${line}\n`);

/** @param {Options} options */
async function drill(options) {
  const random = new Random(options.seed);
  const history = new History();
  const owed = new Owed();
  history.listeners.push((event) => owed.take(event));
  const isOurs = options.urls.length === 0;
  const world = isOurs ? await World.start(options, history, random.fork('ports')) : World.of(options.urls);
  const salt = isOurs ? options.seed : randomInt(2 ** 32);
  const surroundings = { urls: world.urls, history, random: random.fork('clients') };
  const population = new Population({ ...options, salt: salt % 2 ** 32 }, surroundings);
  const load = new Load(population, random.fork('load'), options.rate);
  const stage = { world, population, load, history, random: random.fork('targets') };

  if (!(await population.connect(CONNECT_WITHIN_MS))) throw new Error(notConnected(population, history));
  const progress = setInterval(() => say(progressLine(history, population, owed)), PROGRESS_EVERY_MS);
  const delay = monitorEventLoopDelay();
  delay.enable();
  load.start();
  population.live();
  await Promise.all([sleep(options.seconds * 1000), runFaults(planFor(options, random), stage)]);
  load.stop();
  population.settle();
  const ending = await settle(owed, population, history);
  clearInterval(progress);
  delay.disable();
  const asked = isOurs ? population.addresses : population.addresses.slice(0, SIZES_OF_OTHERS);
  const sizesRead = await readSizes(history, world.urls[0] ?? '', asked);
  if (options.next !== null) history.add({ kind: 'layout', ...(await readLayout(world.redis?.url ?? '')) });
  const differences = options.plan === 'rolling' || options.plan === 'upgrade' ? await world.verify() : null;
  if (differences !== null) history.add({ kind: 'audit', differences });
  const memoryMiB = world.nodes.map(({ residentBytes }) => Math.round(residentBytes / 2 ** 20));
  if (options.save !== null) await save(history, options.save);
  const emptyAddresses = isOurs ? population.addresses : [];
  const observed = { ending, sizesRead, memoryMiB, delayMs: Math.round(delay.max / 1e6), logged: world.errors };
  const steady = population.steady.map(({ identity }) => identity);
  const summary = summarise(history.events, steady);
  return { summary, ...judge(history, options, emptyAddresses), observed, stop: () => world.stop() };
}

/** @type {(options: Options, random: Random) => import('./fault-plan.mjs').PlannedFault[]} */
function planFor({ plan, nodes, seconds, faults, everyMs }, random) {
  if (plan === 'issue') return planIssue(random.fork('faults'), nodes);
  if (plan === 'rolling') return planRolling('term-node', nodes);
  if (plan === 'upgrade') return planRolling('upgrade-node', nodes);
  return planFaults(random.fork('faults'), { kinds: faults, untilMs: seconds * 1000, everyMs, nodes });
}

/** @type {(history: History, options: Options, emptyAddresses: readonly string[]) => { violations: import('./checker.mjs').Violation[], excused: number }} */
function judge({ events }, { strict, sendP99Ms }, emptyAddresses) {
  const declarations = { verdictWithinMs: VERDICT_WITHIN_MS + TOLERANCE_MS, emptyAddresses, sendP99Ms };
  const all = check(events, declarations);
  const violations = strict ? all : check(events, { ...declarations, excuses: excusesFor(events) });
  return { violations, excused: all.length - violations.length };
}

/** @type {(history: History, population: Population, owed: Owed) => string} */
function progressLine(history, population, { counts, deliveries }) {
  const { clients, online, unconfirmed } = population;
  return (
    `${Math.round(history.now() / 1000)} s: ${counts.sends} sent, ${counts.accepted} accepted, ${counts.handovers} handed over; ` +
    `${unconfirmed} wait for an answer, ${deliveries.size} to be delivered; ${online} of ${clients.length} online`
  );
}

/** @type {(population: Population, history: History) => string} */
function notConnected({ online, clients }, { events }) {
  const errors = events.flatMap((event) => (event.kind === 'error' ? [event.code] : []));
  const hint =
    errors.length === 0 ? '' : ` (${[...new Set(errors)].join(', ')}; a relay without version 2 needs --classic-only)`;
  return `only ${online} of ${clients.length} clients could sign in${hint}`;
}

/** @type {(history: History, file: string) => Promise<void>} */
async function save(history, file) {
  const stream = createWriteStream(file);
  for (const line of history.lines()) stream.write(line);
  stream.end();
  await finished(stream);
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  say(`seed ${options.seed}`);
  const outcome = await drill(options);
  printReport(options, outcome);
  await outcome.stop();
  if (outcome.summary.accepted === 0) throw new Error('nothing was accepted, so nothing was shown');
  return outcome.violations.length === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (/** @type {unknown} */ error) => {
    const message = error instanceof Error ? error.message : String(error);
    say(message === '' ? USAGE : `drill: ${message}`);
    process.exit(2);
  },
);
