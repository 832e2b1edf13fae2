// @ts-check
/**
 * Compares the relay with others on the same job, on this machine, now. Progress on stderr, the tables on stdout and with a
 * plot in bench/results/. What the scenarios mean: bench/README.md.
 */
import { loadavg } from 'node:os';
import { BOUNDS, judge } from './bounds.mjs';
import { measure, measureMailboxes } from './measure.mjs';
import { planOf, takingPart } from './options.mjs';
import { publish } from './publish.mjs';

/** @typedef {import('./statistics.mjs').Measurements} Measurements */
/** @typedef {import('./options.mjs').Plan} Plan */

const progress = (/** @type {string} */ line) => process.stderr.write(`${line}\n`);

/** @type {(label: string, measurement: import('./statistics.mjs').Measurement) => void} */
function tell(label, { figures }) {
  const shown = Object.entries(figures)
    .filter(([name]) => !name.endsWith('Micros') || name.includes('Cpu') || name.startsWith('cpu'))
    .map(([name, value]) => `${name} ${Number(value?.toPrecision(4))}`);
  progress(`${label}: ${shown.join(', ')}`);
}

/** @type {(plan: Plan, scenario: string) => Promise<Record<string, import('./statistics.mjs').Measurement[]>>} */
async function measureScenario(plan, scenario) {
  if (scenario === 'mailboxes') return measureMailboxes(plan);
  const taking = takingPart(scenario, plan.servers);
  /** @type {Record<string, import('./statistics.mjs').Measurement[]>} */
  const rounds = Object.fromEntries(taking.map((server) => [server, []]));
  for (let round = 1; round <= plan.rounds; round++) {
    // In turn, so that what slows the machine down for a minute slows everybody.
    for (const server of taking) {
      const measurement = await measure(plan, scenario, server);
      rounds[server]?.push(measurement);
      tell(`${scenario} ${round}/${plan.rounds} ${server}`, measurement);
    }
  }
  return rounds;
}

/** @param {Plan} plan @returns {Promise<Measurements>} */
async function measureAll(plan) {
  /** @type {Measurements} */
  const measurements = {};
  for (const scenario of plan.scenarios) measurements[scenario] = await measureScenario(plan, scenario);
  return measurements;
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
try {
  const args = process.argv.slice(2);
  const plan = planOf(args);
  for (const line of plan.skipped) progress(line);
  const at = new Date();
  const loadBefore = loadavg()[0] ?? NaN;
  const measurements = await measureAll(plan);
  const verdicts = judge(measurements, BOUNDS);
  const minutes = (Date.now() - at.getTime()) / 60_000;
  const command = ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' ');
  const { text, path, isClean } = publish(measurements, verdicts, { ...plan, command, at, minutes, loadBefore });
  process.stdout.write(text);
  progress(`\n${path} and the plot beside it`);
  const isMissed = verdicts.some((verdict) => verdict.isMissed);
  process.exitCode = !isClean || (plan.isChecked && isMissed) ? 1 : 0;
} catch (error) {
  progress(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
