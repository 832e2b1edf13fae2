// @ts-check
/** The built relay in a process of its own, with its limits raised, watched from inside and outside. */
import { clearTimeout, setTimeout } from 'node:timers';
import { URL, fileURLToPath } from 'node:url';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';

const STARTS_WITHIN_MS = 60_000;
const WARNING_LEVEL = 40;
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const LAG = new URL('./lag.mjs', import.meta.url).href;
/** What is tried here is not the limits. */
const SETTINGS = {
  NODE_ENV: 'production',
  AUTH_MODE: 'open',
  PUBLIC_DOMAIN: 'relay.example',
  HOST: '127.0.0.1',
  PORT: '0',
  LOG_LEVEL: 'info',
  DRAIN_SECONDS: '0',
  HISTORY_RETENTION_HOURS: '1',
  SEND_RATE_PER_SECOND: '1000000',
  SEND_BURST: '1000000',
  RATE_LIMIT_MAX_REQUESTS: '100000000',
  MAX_CONNECTIONS_PER_IP: '100000',
  SEND_RATE_PER_IP: '0',
  MAX_FIRST_SIGN_INS_PER_IP: '0',
  METRICS_PORT: '0',
  // Off by default; what is on must stand it too.
  BROWSER_SIGN_IN: 'true',
};

export class FuzzedRelay {
  port = 0;
  keepsHistory = true;
  maxFrameBytes = 131_072;
  sent = { frames: 0, requests: 0 };
  maxLagMs = 0;
  /** The longest turn of its own; the rest of a lag is the machine's, which had something else to do. */
  maxWorkMs = 0;
  /** @type {string[]} */
  #faults = [];
  #isStopping = false;
  /** @type {import('node:child_process').ChildProcess} */
  #child;

  /** @param {Readonly<Record<string, string>>} env @param {number} maxLagMs */
  constructor(env, maxLagMs) {
    const options = { env: { PATH: process.env.PATH, ...SETTINGS, ...env }, execArgv: ['--import', LAG] };
    this.#child = fork(MAIN, [], { ...options, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    this.#child.on('message', (/** @type {{ lagMs: number, cpuMs: number }} */ { lagMs, cpuMs }) => {
      if (this.port === 0) return;
      this.maxLagMs = Math.max(this.maxLagMs, lagMs);
      const workMs = Math.min(lagMs, cpuMs);
      this.maxWorkMs = Math.max(this.maxWorkMs, workMs);
      if (workMs > maxLagMs) this.#faults.push(`its event loop stood still for ${Math.round(workMs)} ms`);
    });
    this.#child.on('exit', (code, signal) => {
      if (!this.#isStopping) this.#faults.push(`it ended: ${code ?? signal}`);
    });
  }

  /** @type {(env: Readonly<Record<string, string>>, maxLagMs: number) => Promise<FuzzedRelay>} */
  static async start(env, maxLagMs) {
    const relay = new FuzzedRelay(env, maxLagMs);
    await relay.#listens();
    return relay;
  }

  /** What happened since the last call. An end is told again and again. */
  faults() {
    const faults = this.#faults;
    this.#faults = faults.filter((fault) => fault.startsWith('it ended'));
    return faults;
  }

  async stop() {
    this.#isStopping = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }

  /** @returns {Promise<void>} */
  #listens() {
    const { stdout } = this.#child;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the relay did not start')), STARTS_WITHIN_MS);
      this.#child.on('exit', () => reject(new Error('the relay ended before it listened')));
      if (stdout === null) return;
      createInterface({ input: stdout }).on('line', (line) => {
        /** @type {unknown} */
        const entry = JSON.parse(line);
        const { msg, url, level = 0 } = /** @type {{ msg: string, url?: string, level?: number }} */ (entry);
        // What a client sends is never worth a warning.
        if (this.port > 0 && level >= WARNING_LEVEL) this.#faults.push(`it logged ${line.slice(0, 1_000)}`);
        if (msg !== 'relay listening' || url === undefined) return;
        clearTimeout(late);
        this.port = Number(new URL(url).port);
        resolve();
      });
    });
  }
}
