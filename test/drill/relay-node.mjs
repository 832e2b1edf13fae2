// @ts-check
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { start } from './child.mjs';

/**
 * @typedef {import('node:child_process').ChildProcess} ChildProcess
 * @typedef {{ main: string, next?: string | null, port: number, env: Readonly<Record<string, string>> }} NodeOptions  `next`: another version
 */

const LISTENS_WITHIN_MS = 15_000;
const START_WITHIN_MS = 45_000;
const STOPS_WITHIN_MS = 25_000;
const ERROR_LEVEL = 50;
/** Far away: what is tried here is not the limits. */
const LIMITS = {
  SEND_RATE_PER_SECOND: '1000000',
  SEND_BURST: '1000000',
  RATE_LIMIT_MAX_REQUESTS: '1000000',
  MAX_CONNECTIONS_PER_IP: '100000',
  SEND_RATE_PER_IP: '0',
  MAX_FIRST_SIGN_INS_PER_IP: '0',
  MAX_CONNECTIONS: '100000',
  MAX_OFFLINE_MESSAGES: '100000',
  SENDER_SHARE: '1',
};

/** The built relay on a port of its own, which it comes back to. */
export class RelayNode {
  /** @type {ChildProcess | null} */
  #child = null;
  /** @type {Promise<void> | null} */
  #starting = null;
  #isNext = false;
  /** Lines at error level, by text. @type {Map<string, number>} */
  errors = new Map();
  /** @type {(exit: string) => void} */
  onUnexpectedEnd = () => undefined;

  /** @param {NodeOptions} options */
  constructor(options) {
    this.options = options;
  }

  get url() {
    return `ws://127.0.0.1:${this.options.port}`;
  }

  /** Does nothing where it runs; whoever calls while it starts waits for the same start. */
  async start() {
    if (this.#child !== null) return;
    this.#starting ??= this.#startAgainAndAgain().finally(() => (this.#starting = null));
    await this.#starting;
  }

  /** As a supervisor does: again, when it ends before it listens, because its store may be away at that moment. */
  async #startAgainAndAgain() {
    const deadline = Date.now() + START_WITHIN_MS;
    for (;;) {
      const failure = await this.#startOnce();
      if (failure === null) return;
      if (Date.now() > deadline) throw new Error(`${this.url} did not start: ${failure}`);
      await sleep(500);
    }
  }

  /** Starts the other of its two versions. */
  async changeVersion() {
    this.#isNext = !this.#isNext;
    await this.start();
  }

  /** The exit code, or the signal that ended it. @param {NodeJS.Signals} signal */
  async stop(signal) {
    await this.#starting;
    const child = this.#child;
    this.#child = null;
    if (child?.exitCode !== null) return 'was not running';
    const ended = /** @type {Promise<[number | null, string]>} */ (once(child, 'exit'));
    child.kill(signal);
    const killer = setTimeout(() => child.kill('SIGKILL'), STOPS_WITHIN_MS);
    const [code, endedBy] = await ended;
    clearTimeout(killer);
    return code === null ? endedBy : `exit ${code}`;
  }

  pause() {
    this.#child?.kill('SIGSTOP');
  }

  resume() {
    this.#child?.kill('SIGCONT');
  }

  /** Resident memory, or NaN where /proc does not exist. */
  get residentBytes() {
    try {
      const status = readFileSync(`/proc/${this.#child?.pid}/status`, 'latin1');
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
    } catch {
      return NaN;
    }
  }

  /** Why it did not come to listen, or `null`. @returns {Promise<string | null>} */
  #startOnce() {
    const { next, port, env } = this.options;
    const main = this.#isNext && next ? next : this.options.main;
    const fixed = { NODE_ENV: 'production', AUTH_MODE: 'open', HOST: '127.0.0.1', LOG_LEVEL: 'info' };
    const settings = { PATH: process.env.PATH, METRICS_PORT: '0', ...fixed, ...LIMITS, ...env, PORT: String(port) };
    const child = start(process.execPath, [main], settings);
    let lastWords = '';
    child.stderr.on('data', (data) => (lastWords = (lastWords + String(data)).slice(-1000)));
    return new Promise((resolve) => {
      const killer = setTimeout(() => child.kill('SIGKILL'), LISTENS_WITHIN_MS);
      child.on('exit', (code, signal) => {
        clearTimeout(killer);
        if (this.#child === child) {
          this.#child = null;
          this.onUnexpectedEnd(`${code ?? signal} ${lastWords}`);
        }
        resolve(`${code ?? signal} ${lastWords}`);
      });
      createInterface({ input: child.stdout }).on('line', (line) => {
        lastWords = (lastWords + line).slice(-1000);
        if (!this.#logged(line)) return;
        clearTimeout(killer);
        this.#child = child;
        resolve(null);
      });
    });
  }

  /** Whether this line says that it listens. @param {string} line */
  #logged(line) {
    const { msg = '', level = 0 } = parse(line);
    if (level >= ERROR_LEVEL) this.errors.set(msg, (this.errors.get(msg) ?? 0) + 1);
    return msg === 'relay listening';
  }
}

/** @type {(line: string) => { msg?: string, level?: number }} */
function parse(line) {
  try {
    /** @type {unknown} */
    const entry = JSON.parse(line);
    return /** @type {{ msg?: string, level?: number }} */ (entry);
  } catch {
    return {};
  }
}
