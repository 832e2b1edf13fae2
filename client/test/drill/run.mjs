// @ts-check
/**
 * Two applications send to each other and are killed with SIGKILL in turn; in the end everything that one has sent must be in what the other
 * has saved, once and in order. Needs `npm run build`. `npm run drill:client -- --help`
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { RelayNode } from '../../../test/drill/relay-node.mjs';
import { FileStore } from '@relay/client/node';
import { freePort } from '../../../test/drill/child.mjs';
import { Random } from '../../../test/drill/random.mjs';

/** @typedef {{ seconds: number, killEveryMs: number, ratePerSecond: number }} DrillOptions */
/** @typedef {{ outbox: number, saved: number, state: string }} Status */

const APP = fileURLToPath(new URL('./app.mjs', import.meta.url));
const RELAY = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
const QUIET_WITHIN_MS = 60_000;

/** One application and its store, which outlive the process that runs it. */
class Application {
  /** @type {import('node:child_process').ChildProcess | null} */
  #child = null;
  /** @type {Status | null} */
  status = null;
  /** @type {string[]} */
  complaints = [];

  /** @param {{ url: string, address: string, peer: string, folder: string, rate: number }} options */
  constructor(options) {
    this.options = options;
    mkdirSync(options.folder, { recursive: true });
  }

  start() {
    const { url, address, peer, folder, rate } = this.options;
    const child = spawn(process.execPath, [APP, url, address, peer, folder, String(rate)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child = child;
    this.status = null;
    // A process that was killed reads nothing any more.
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => this.#heard(line));
    child.on('exit', (code) => {
      if (code !== null && code !== 0) this.complaints.push(`ended with ${code}`);
    });
  }

  stopSending() {
    this.#child?.stdin?.write('stop\n');
  }

  /** @param {NodeJS.Signals} signal */
  async end(signal) {
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** @param {string} line */
  #heard(line) {
    /** @type {unknown} */
    const parsed = JSON.parse(line);
    const said = /** @type {Partial<Status>} */ (parsed);
    if (said.outbox === undefined) this.complaints.push(line);
    else this.status = /** @type {Status} */ (said);
  }

  /** What it was told is in the outbox for good. */
  get sent() {
    return linesOf(join(this.options.folder, 'sent.log')).filter((line) => /^\d+$/.test(line));
  }

  /** How often its handler was called. */
  get calls() {
    return linesOf(join(this.options.folder, 'calls.log')).length;
  }

  /** What it has saved, in the order in which it did. @returns {Promise<string[]>} */
  async saved() {
    const store = await FileStore.open(join(this.options.folder, 'store'));
    const entries = await store.list('app/log/');
    await store.close();
    return entries.map(([, messageId]) => messageId);
  }
}

/** @param {string} path */
function linesOf(path) {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  }
}

/** @param {DrillOptions} options @param {(line: string) => void} tell */
export async function drill({ seconds, killEveryMs, ratePerSecond }, tell = () => undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'relay-client-drill-'));
  const node = new RelayNode({ main: RELAY, port: await freePort(new Random(randomInt(2 ** 31))), env: {} });
  await node.start();
  const [first, second] = [`0x${'a1'.repeat(20)}`, `0x${'b2'.repeat(20)}`];
  const pair = { url: node.url, rate: ratePerSecond };
  const apps = [
    new Application({ ...pair, address: first, peer: second, folder: join(folder, 'first') }),
    new Application({ ...pair, address: second, peer: first, folder: join(folder, 'second') }),
  ];
  try {
    for (const app of apps) app.start();
    const kills = await killInTurn(apps, { seconds, killEveryMs }, tell);
    await quiet(apps);
    for (const app of apps) await app.end('SIGTERM');
    return { kills, ...(await judge(apps)) };
  } finally {
    for (const app of apps) await app.end('SIGKILL');
    await node.stop('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {Application[]} apps @param {Pick<DrillOptions, 'seconds' | 'killEveryMs'>} options @param {(line: string) => void} tell */
async function killInTurn(apps, { seconds, killEveryMs }, tell) {
  const until = Date.now() + seconds * 1000;
  let kills = 0;
  while (Date.now() + killEveryMs <= until) {
    await sleep(killEveryMs);
    const app = apps[kills++ % apps.length];
    await app?.end('SIGKILL');
    app?.start();
    tell(`killed ${kills} times; sent ${apps.map(({ sent }) => sent.length).join(' and ')}`);
  }
  return kills;
}

/** Nobody sends any more, every outbox is empty, and everything has been saved. @param {Application[]} apps */
async function quiet(apps) {
  const deadline = Date.now() + QUIET_WITHIN_MS;
  const [one, other] = apps;
  const isQuiet = () =>
    apps.every(({ status }) => status?.outbox === 0) &&
    (one?.status?.saved ?? -1) >= (other?.sent.length ?? 0) &&
    (other?.status?.saved ?? -1) >= (one?.sent.length ?? 0);
  for (const app of apps) app.stopSending();
  while (!isQuiet() && Date.now() < deadline) await sleep(100);
  // What comes twice comes soon.
  await sleep(500);
}

/** @param {Application[]} apps */
async function judge(apps) {
  const findings = apps.flatMap(({ complaints }) => complaints);
  let sent = 0;
  let saved = 0;
  let calls = 0;
  for (const [index, app] of apps.entries()) {
    const peer = apps[1 - index];
    const got = await app.saved();
    const owed = peer?.sent ?? [];
    findings.push(...compare(owed, got).map((finding) => `${index === 0 ? 'first' : 'second'}: ${finding}`));
    sent += owed.length;
    saved += got.length;
    calls += app.calls;
  }
  return { sent, saved, repeatedCalls: calls - saved, findings };
}

/** What is wrong with what arrived. The last message may have reached the outbox and not the log. @param {string[]} sent @param {string[]} saved */
export function compare(sent, saved) {
  const seen = new Set(saved);
  const lost = sent.filter((messageId) => !seen.has(messageId));
  const findings = lost.map((messageId) => `lost ${messageId}`);
  if (seen.size !== saved.length) findings.push(`${saved.length - seen.size} handed over twice`);
  if (saved.some((messageId, index) => index > 0 && Number(messageId) <= Number(saved[index - 1]))) {
    findings.push('out of order');
  }
  return findings;
}

const USAGE = `usage: npm run drill:client -- [--seconds 120] [--kill-every-ms 10000] [--rate 200]\n`;

async function main() {
  const text = /** @type {const} */ ('string');
  const { values } = parseArgs({
    options: {
      seconds: { type: text, default: '120' },
      'kill-every-ms': { type: text, default: '10000' },
      rate: { type: text, default: '200' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const options = {
    seconds: Number(values.seconds),
    killEveryMs: Number(values['kill-every-ms']),
    ratePerSecond: Number(values.rate),
  };
  const result = await drill(options, (line) => process.stderr.write(`${line}\n`));
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  process.exitCode = result.findings.length === 0 && result.sent > 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
