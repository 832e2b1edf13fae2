// @ts-check
/**
 * Where the microseconds of a message go, by area: the relay under `--cpu-prof`, driven as in `pairs`. The table goes to
 * stdout and to bench/results/profile.md; the profiles beside it can be opened in a browser's developer tools.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine } from './machine.mjs';
import { load } from './measure.mjs';
import { summarise } from './profile-areas.mjs';
import { commandCosts } from './redis.mjs';
import { SERVERS, missingFor, start } from './servers.mjs';

const USAGE = `usage: node bench/profile.mjs [options]

  --servers relay,everysec   of ${Object.keys(SERVERS).join(',')}, where Node runs them
  --seconds 5                profiled time, after 2 s of warm-up
  --size 300                 characters of content
`;
const EVERY_MICROS = '500';
const RESULTS = new URL('results/', import.meta.url);

const text = /** @type {const} */ ('string');
const { values } = parseArgs({
  options: {
    servers: { type: text, default: 'relay,everysec' },
    seconds: { type: text, default: '5' },
    size: { type: text, default: '300' },
    help: { type: 'boolean', default: false },
  },
});

/** @param {string} name */
async function profile(name) {
  const file = `profile-${name}.cpuprofile`;
  const flags = ['--cpu-prof', `--cpu-prof-dir=${fileURLToPath(RESULTS)}`, `--cpu-prof-name=${file}`];
  const running = await start(name, {}, [...flags, `--cpu-prof-interval=${EVERY_MICROS}`]);
  let measurement;
  let commands = '';
  try {
    const redis = running.redisPid === undefined ? [] : ['--redis-pid', String(running.redisPid)];
    const { seconds, size } = values;
    const args = ['pairs', '--seconds', seconds, '--size', size, running.url, '--pid', String(running.pid), ...redis];
    await running.redis?.config('RESETSTAT');
    measurement = await load(args);
    if (running.redis !== undefined) commands = commandTable(await commandCosts(running.redis), measurement);
  } finally {
    await running.stop(); // which is when Node writes the profile
  }
  const recorded = /** @type {import('./profile-areas.mjs').Profile} */ (
    /** @type {unknown} */ (JSON.parse(readFileSync(new URL(file, RESULTS), 'utf8')))
  );
  return [`### ${SERVERS[name]?.title ?? name}`, areaTable(recorded, measurement), commands]
    .filter(Boolean)
    .join('\n\n');
}

/** @type {(recorded: import('./profile-areas.mjs').Profile, measurement: import('./statistics.mjs').Measurement) => string} */
function areaTable(recorded, { figures }) {
  const { fromMicros = 0, untilMicros = Infinity, messagesPerSecond = NaN, cpuMicrosPerMessage = NaN } = figures;
  const areas = summarise(recorded, { fromMicros, untilMicros });
  const rows = areas.map(({ area, share, hottest }) => {
    const names = hottest.map((one) => `${one.name} ${(one.share * 100).toFixed(1)} %`).join(', ');
    return `| ${area} | ${(share * 100).toFixed(1)} | ${(share * cpuMicrosPerMessage).toFixed(2)} | ${names} |`;
  });
  const { kernelShare = NaN, redisCpuMicros } = figures;
  const redis = redisCpuMicros === undefined ? '' : ` Redis: ${redisCpuMicros.toFixed(1)} µs.`;
  return [
    `${Math.round(messagesPerSecond)} messages/s under the profiler; ${cpuMicrosPerMessage.toFixed(1)} µs of CPU a message, of which ${(kernelShare * 100).toFixed(0)} % in the kernel.${redis}`,
    '',
    '| area | % | µs a message | most of it |',
    '| --- | --: | --: | --- |',
    ...rows,
  ].join('\n');
}

/** @type {(costs: import('./redis.mjs').CommandCost[], measurement: import('./statistics.mjs').Measurement) => string} */
function commandTable(costs, { counts }) {
  const messages = counts.received ?? NaN;
  const rows = costs
    .filter(({ calls }) => calls > messages / 1000)
    .map(({ command, calls, micros }) => {
      return `| ${command} | ${(calls / messages).toFixed(3)} | ${(micros / messages).toFixed(2)} |`;
    });
  return [
    '| command of Redis | calls a message | µs a message |',
    '| --- | --: | --: |',
    ...rows,
    '',
    'A script’s time holds that of the commands it calls. What is left of Redis’s CPU is reading, parsing, answering and its file.',
  ].join('\n');
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
try {
  const names = values.servers.split(',');
  const reason = names.flatMap((name) => missingFor(name) ?? [])[0];
  if (values.help || reason !== undefined || names.some((name) => SERVERS[name]?.script === undefined)) {
    throw new Error(reason ?? USAGE);
  }
  mkdirSync(RESULTS, { recursive: true });
  const parts = [];
  for (const name of names) parts.push(await profile(name));
  const { cpu, node } = machine();
  const about = `\`${['node bench/profile.mjs', ...process.argv.slice(2)].join(' ')}\`, ${new Date().toISOString().slice(0, 10)}, ${cpu}, Node ${node}.`;
  const document = ['# Where a microsecond goes', about, ...parts, ''].join('\n\n');
  writeFileSync(new URL('profile.md', RESULTS), document);
  process.stdout.write(document);
} catch (error) {
  process.stderr.write(`profile: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
