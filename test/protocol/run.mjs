import process from 'node:process';
import acknowledging from './cases/acknowledging.mjs';
import messages from './cases/messages.mjs';
import opening from './cases/opening.mjs';
import rest from './cases/rest.mjs';
import transport from './cases/transport.mjs';
import { CLIENT_CASES, ClientWorld } from './client/cases.mjs';
import { readOptions, USAGE } from './options.mjs';
import { Relay } from './relay.mjs';
import { countsOf, failureOf, lineOf } from './report.mjs';
import { World } from './world.mjs';

/** At a time: most of them wait. Few enough for a relay that bounds connections per IP address. */
const AT_ONCE = 6;
const NO_RELAY = 69;

/**
 * @typedef {import('./cases/case.mjs').Case} Case
 * @typedef {import('./report.mjs').Result} Result
 * @typedef {{ section: string, name: string, skip: () => string | null, run: () => Promise<void>, end: () => Promise<boolean> }} Trial
 */

const options = parse();
const say = (/** @type {string} */ text) => process.stdout.write(`${text}\n`);
if (options.help) {
  say(USAGE);
} else if (options.list) {
  const cases = options.client === undefined ? serverCases() : CLIENT_CASES;
  for (const { section, name } of cases.filter(isWanted)) say(`${section}: ${name}`);
} else {
  process.exitCode = await run();
}

function serverCases() {
  return [...transport, ...opening, ...messages, ...acknowledging, ...rest];
}

async function run() {
  /** @type {Relay} */
  let relay;
  try {
    relay = await Relay.at(options.url, options);
  } catch (error) {
    process.stderr.write(`${options.url}: ${error instanceof Error ? error.message : String(error)}\n`);
    return NO_RELAY;
  }
  const trials = options.client === undefined ? trialsOf(relay) : clientTrials(relay, options.client);
  const results = await tryAll(trials);
  const counts = countsOf(results);
  if (options.json) say(JSON.stringify({ url: options.url, ...counts, results }));
  else say(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  // Nothing tried is nothing shown.
  return counts.failed > 0 || counts.passed === 0 ? 1 : 0;
}

/** @param {Relay} relay @returns {Trial[]} */
function trialsOf(relay) {
  const versions = options.versions.filter((version) => relay.facts.protocol.versions.includes(version));
  return serverCases()
    .filter(isWanted)
    .flatMap(({ section, name, run, skip, isSlow, versions: of }) =>
      of
        .filter((version) => options.versions.includes(version))
        .map((version) => {
          const world = new World(relay, version);
          const named = of.length > 1 ? `${name} (version ${version})` : name;
          const unfit = () => (versions.includes(version) ? skip(world) : `version ${version} is not let in here`);
          return {
            section,
            name: named,
            skip: () => slowness(isSlow) ?? unfit(),
            run: () => run(world),
            end: () => world.end(),
          };
        }),
    );
}

/** @param {Relay} relay @param {string} command @returns {Trial[]} */
function clientTrials(relay, command) {
  return CLIENT_CASES.filter(isWanted).map(({ section, name, run, skip }) => {
    const world = new ClientWorld(relay, command);
    return { section, name, skip: () => skip(world), run: () => run(world), end: () => world.end() };
  });
}

/** @param {readonly Trial[]} trials @returns {Promise<Result[]>} */
async function tryAll(trials) {
  /** @type {Result[]} */
  const results = [];
  let next = 0;
  let shown = 0;
  const worker = async () => {
    for (let at = next++; at < trials.length; at = next++) {
      results[at] = await tryOne(/** @type {Trial} */ (trials[at]));
      // In the order of the list, whoever ends first.
      for (let result; (result = results[shown]) !== undefined; shown++) if (!options.json) say(lineOf(result));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

/** @param {Trial} trial @returns {Promise<Result>} */
async function tryOne({ section, name, skip, run, end }) {
  const reason = skip();
  if (reason !== null) return { section, name, outcome: 'skipped', ms: 0, reason };
  const startedAt = performance.now();
  const ms = () => Math.round(performance.now() - startedAt);
  try {
    await run();
    const isClean = await end();
    return { section, name, outcome: 'passed', ms: ms(), ...(isClean ? {} : { isLeft: true }) };
  } catch (error) {
    const isClean = await end();
    return { section, name, outcome: 'failed', ms: ms(), ...failureOf(error), ...(isClean ? {} : { isLeft: true }) };
  }
}

/** @param {boolean} isSlow */
function slowness(isSlow) {
  return isSlow && !options.slow ? 'slow; --slow tries it' : null;
}

/** @param {{ section: string, name: string }} one */
function isWanted({ section, name }) {
  return `${section}: ${name}`.toLowerCase().includes(options.only.toLowerCase());
}

function parse() {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`);
    process.exit(2);
  }
}
