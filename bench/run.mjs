// @ts-check
/**
 * Compares the relay with the smallest router on `ws` that speaks its protocol, on this machine, now.
 * Progress on stderr, the tables on stdout and in bench/results/. What the scenarios mean: bench/README.md.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { requireDescriptors } from './proc.mjs';
import { doubts, faults, judge, machine, markdown, summary } from './report.mjs';
import { onCore, redisCommand } from './redis.mjs';
import { SERVERS, start } from './servers.mjs';

/**
 * What `--check` holds the relay to: ratios to the router of the same run, or where it says so the figure itself.
 * @type {import('./report.mjs').Bound[]}
 */
const BOUNDS = [
  { scenario: 'pairs', server: 'relay', figure: 'messagesPerSecond', atLeast: 1.5 },
  { scenario: 'idle', server: 'relay', figure: 'bytesPerConnection', atMost: 1.5 },
  { scenario: 'pairs', server: 'everysec', figure: 'messagesPerSecond', atLeast: 0.6 },
  { scenario: 'latency', server: 'everysec', figure: 'latencyP99Ms', atMost: 3 },
  { scenario: 'offline', server: 'everysec', figure: 'drainedPerSecond', atLeast: 20_000, isAbsolute: true },
  { scenario: 'offline', server: 'always', figure: 'drainedPerSecond', atLeast: 20_000, isAbsolute: true },
];

const USAGE = `usage: npm run bench -- [options]

  --rounds 5            how often every server is measured, in turn
  --seconds 5           measured time of pairs and latency, after 2 s of warm-up
  --only LIST           of pairs,latency,idle,offline
  --servers LIST        of ${Object.keys(SERVERS).join(',')}; everysec and always need redis-server 7 on the PATH
  --rate 2000           messages/s of latency
  --connections 10000   of idle
  --messages 1000       per mailbox, of offline
  --mask                client frames with a masking key that is not zero
  --check               exit 1 when a bound at the top of bench/run.mjs is missed, or a message went wrong

What Redis holds and how it fares with many mailboxes: node bench/store.mjs --help
`;

const text = /** @type {const} */ ('string');
const { values } = parseArgs({
  options: {
    rounds: { type: text, default: '5' },
    seconds: { type: text, default: '5' },
    only: { type: text, default: 'pairs,latency,idle,offline' },
    servers: { type: text },
    rate: { type: text, default: '2000' },
    connections: { type: text, default: '10000' },
    messages: { type: text, default: '1000' },
    mask: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** @type {Record<string, string[]>} */
const LOADS = {
  pairs: ['pairs', '--seconds', values.seconds],
  latency: ['pairs', '--seconds', values.seconds, '--rate', values.rate],
  idle: ['idle', '--connections', values.connections],
  offline: ['offline', '--messages', values.messages],
};

const scenarios = values.only.split(',');
const progress = (/** @type {string} */ line) => process.stderr.write(`${line}\n`);
const servers = values.servers?.split(',') ?? startable();

function startable() {
  const all = Object.keys(SERVERS);
  if (redisCommand() !== undefined) return all;
  progress('no redis-server 7.0 or newer on the PATH: without those that need one');
  return all.filter((name) => SERVERS[name]?.redis === undefined);
}

/** Everything that would otherwise be found out minutes later. */
function refuseEarly() {
  const numbers = [values.rounds, values.seconds, values.rate, values.connections, values.messages].map(Number);
  const unknown = [...scenarios.filter((name) => !(name in LOADS)), ...servers.filter((name) => !(name in SERVERS))];
  if (values.help || unknown.length > 0 || !numbers.every((number) => number > 0)) {
    throw new Error(unknown.length > 0 ? `unknown: ${unknown.join(', ')}\n\n${USAGE}` : USAGE);
  }
  if (servers.some((name) => SERVERS[name]?.redis !== undefined) && redisCommand() === undefined) {
    throw new Error('no redis-server 7.0 or newer is on the PATH: leave out everysec and always with --servers');
  }
  if (
    servers.some((name) => SERVERS[name]?.script.startsWith('dist/')) &&
    !existsSync(new URL('../dist/main.js', import.meta.url))
  ) {
    throw new Error(
      'dist/main.js is missing: `npm run build` first, or leave the relay out with --servers router,batched',
    );
  }
  if (scenarios.includes('idle')) requireDescriptors('self', Number(values.connections));
}

/**
 * A fresh process for every measurement: nothing of one is left in the heap that the next one is charged for.
 * @type {(scenario: string, server: string) => Promise<import('./report.mjs').Measurement>}
 */
async function measure(scenario, server) {
  // A sender may fill only a part of a mailbox, so the mailbox is larger than what it is to hold.
  const mailbox = SERVERS[server]?.script.startsWith('dist/')
    ? { MAX_OFFLINE_MESSAGES: String(Number(values.messages) * 4) }
    : {};
  const running = await start(server, mailbox);
  try {
    const redis = running.redisPid === undefined ? [] : ['--redis-pid', String(running.redisPid)];
    return await load([...(LOADS[scenario] ?? []), running.url, '--pid', String(running.pid), ...redis]);
  } catch (error) {
    throw new Error(`${String(error)}\n${running.output()}`, { cause: error });
  } finally {
    await running.stop();
  }
}

/**
 * In `latency` the generator never sleeps. A Redis on the same core must not wait each time for the end of the generator's
 * time slice, as it would not with clients elsewhere. Not where there is no Redis: a router whose generator steps back for
 * whatever else runs here would be a lax yardstick.
 */
const YIELDING = spawnSync('nice', ['-n', '19', 'true']).status === 0 ? ['nice', '-n', '19'] : [];

/** @param {string[]} args */
async function load(args) {
  const script = fileURLToPath(new URL('load.mjs', import.meta.url));
  const mask = values.mask ? ['--mask'] : [];
  const [command = '', ...rest] = [
    ...(args.includes('--rate') && args.includes('--redis-pid') ? YIELDING : []),
    ...onCore(1),
    process.execPath,
    script,
    ...args,
    ...mask,
  ];
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: (Number(values.seconds) + 180) * 1000,
    killSignal: 'SIGKILL',
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  await once(child, 'close');
  process.off('exit', kill);
  const { exitCode } = child;
  if (exitCode !== 0 && exitCode !== 1) throw new Error(`the load generator ended with ${exitCode}: ${args.join(' ')}`);
  /** @type {unknown} */
  const measurement = JSON.parse(output);
  return /** @type {import('./report.mjs').Measurement} */ (measurement);
}

async function measureAll() {
  /** @type {import('./report.mjs').Measurements} */
  const measurements = {};
  for (const scenario of scenarios) {
    // Connections that do nothing are the same with a Redis.
    const taking = servers.filter((server) => scenario !== 'idle' || SERVERS[server]?.redis === undefined);
    /** @type {Record<string, import('./report.mjs').Measurement[]>} */
    const rounds = Object.fromEntries(taking.map((server) => [server, []]));
    measurements[scenario] = rounds;
    for (let round = 1; round <= Number(values.rounds); round++) {
      for (const server of taking) {
        const measurement = await measure(scenario, server);
        rounds[server]?.push(measurement);
        const figures = Object.entries(measurement.figures).map(
          ([name, value]) => `${name} ${Number(value?.toPrecision(4))}`,
        );
        progress(`${scenario} ${round}/${values.rounds} ${server}: ${figures.join(', ')}`);
      }
    }
  }
  return measurements;
}

/** @param {import('./report.mjs').Measurements} measurements @param {number} loadBefore */
function publish(measurements, loadBefore) {
  const about = {
    date: new Date().toISOString(),
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
    ...machine(),
    loadBefore,
    pinned: onCore(0).length > 0 && onCore(1).length > 0,
  };
  const verdicts = judge(measurements, BOUNDS);
  const wrong = faults(measurements);
  const document = [
    `\`${about.command}\`, ${about.date}`,
    `${about.cpu}, ${about.cores} cores (${about.pinned ? 'server on core 0, generator and Redis on core 1' : 'not pinned'}), ` +
      `Node ${about.node}, ${about.platform}. Medians of ${values.rounds} rounds; in brackets the lowest and highest ratio. ` +
      `Load of the machine before the run: ${about.loadBefore.toFixed(2)}.`,
    markdown(measurements, (server) => SERVERS[server]?.title ?? server),
    ...(wrong.length === 0 ? ['Nothing lost, doubled, out of order, corrupt or unconfirmed.'] : wrong),
    ...doubts(measurements),
    verdicts.map(({ text: line }) => `- ${line}`).join('\n'),
  ].join('\n\n');
  const folder = new URL('results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const results = { ...about, bounds: verdicts, faults: wrong, summary: summary(measurements), measurements };
  writeFileSync(new URL('latest.json', folder), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(new URL('latest.md', folder), `${document}\n`);
  process.stdout.write(`${document}\n`);
  return wrong.length === 0 && !verdicts.some(({ missed }) => missed);
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
try {
  refuseEarly();
  const loadBefore = loadavg()[0] ?? NaN;
  const good = publish(await measureAll(), loadBefore);
  process.exitCode = values.check && !good ? 1 : 0;
} catch (error) {
  progress(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
