import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Unmet } from '../expect.mjs';

const PATIENCE_MS = 15_000;

/** @typedef {{ event: string } & Record<string, any>} ClientEvent */

/** A client in a process of its own, told what to do in lines of JSON, and heard likewise. */
export class DrivenClient {
  /** @type {ClientEvent[]} */
  events = [];
  /** @type {Set<() => void>} */
  watchers = new Set();
  stderr = '';

  /** @param {string} command as a shell takes it @param {(event: ClientEvent) => void} heard */
  constructor(command, heard) {
    this.process = spawn(command, { shell: true, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.process.stdin.on('error', () => undefined);
    this.process.stderr.on('data', (chunk) => (this.stderr = (this.stderr + String(chunk)).slice(-2000)));
    createInterface({ input: this.process.stdout }).on('line', (line) => {
      const event = JSON.parse(line);
      this.events.push(event);
      heard(event);
      this.look();
    });
    this.process.on('exit', () => this.look());
  }

  /** @param {string} what @param {Record<string, unknown>} [more] */
  tell(what, more = {}) {
    this.process.stdin.write(`${JSON.stringify({ do: what, ...more })}\n`);
  }

  /** @param {string} event @param {Record<string, unknown>} [shape] */
  all(event, shape = {}) {
    return this.events.filter(
      (one) => one.event === event && Object.entries(shape).every(([name, value]) => one[name] === value),
    );
  }

  look() {
    for (const watch of [...this.watchers]) watch();
  }

  /** @param {() => boolean} condition @param {string} expected @param {{ watchers: Set<() => void> }[]} [others] @returns {Promise<void>} */
  until(condition, expected, others = []) {
    return new Promise((resolve, reject) => {
      const places = [this, ...others];
      const stop = () => places.forEach(({ watchers }) => watchers.delete(watch));
      const timer = setTimeout(() => {
        stop();
        const last = this.events
          .slice(-4)
          .map((event) => JSON.stringify(event))
          .join(' ');
        const ended = this.process.exitCode === null ? '' : `it ended with ${this.process.exitCode}; `;
        reject(
          new Unmet(`waited ${PATIENCE_MS} ms`, expected, `${ended}last events: ${last || 'none'} ${this.stderr}`),
        );
      }, PATIENCE_MS);
      const watch = () => {
        if (!condition()) return;
        clearTimeout(timer);
        stop();
        resolve();
      };
      places.forEach(({ watchers }) => watchers.add(watch));
      watch();
    });
  }

  /** It and whatever its shell started. */
  async end() {
    if (this.process.exitCode !== null || this.process.signalCode !== null || this.process.pid === undefined) return;
    const ended = once(this.process, 'exit');
    process.kill(-this.process.pid, 'SIGKILL');
    await ended;
  }
}
