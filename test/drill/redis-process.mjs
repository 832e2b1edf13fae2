// @ts-check
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { start, temporary } from './child.mjs';

const READY_WITHIN_MS = 20_000;
const ANSWER_WITHIN_MS = 1_000;

/** A real Redis on a fixed port, whose append-only file outlives it. */
export class RedisProcess {
  #folder = temporary(mkdtempSync(join(tmpdir(), 'drill-redis-')));
  /** @type {import('node:child_process').ChildProcess | null} */
  #child = null;
  /** @type {(exit: string) => void} */
  onUnexpectedEnd = () => undefined;

  /** @param {number} port */
  constructor(port) {
    this.port = port;
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start() {
    const durability = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
    const memory = ['--stream-node-max-bytes', '512', '--maxmemory-policy', 'noeviction'];
    const place = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder];
    const child = start('redis-server', [...place, ...durability, ...memory], { PATH: process.env.PATH });
    this.#child = child;
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)));
    child.on('error', (error) => (output += error.message));
    child.on('exit', (code, signal) => {
      if (this.#child === child) this.onUnexpectedEnd(`${code ?? signal}: ${output.slice(-500)}`);
    });
    const deadline = Date.now() + READY_WITHIN_MS;
    while (!(await this.#answers('PING', '+PONG'))) {
      if (Date.now() > deadline || child.exitCode !== null) throw new Error(`redis-server did not start: ${output}`);
      await sleep(20);
    }
  }

  async kill() {
    const child = this.#child;
    this.#child = null;
    if (child?.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  pause() {
    this.#child?.kill('SIGSTOP');
  }

  resume() {
    this.#child?.kill('SIGCONT');
  }

  /** How many clients that were subscribed to something have been cut. */
  async dropSubscribers() {
    const answer = await this.#command('CLIENT KILL TYPE pubsub').catch(() => '');
    return Number(/^:(\d+)/.exec(answer)?.[1] ?? 0);
  }

  /** @type {(command: string, expected: string) => Promise<boolean>} */
  async #answers(command, expected) {
    return this.#command(command).then(
      (answer) => answer.startsWith(expected),
      () => false,
    );
  }

  /** The first piece of the answer to an inline command. @param {string} command */
  async #command(command) {
    const socket = connect(this.port, '127.0.0.1');
    socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy(new Error('no answer')));
    socket.write(`${command}\r\n`);
    try {
      const arrived = /** @type {Promise<[Buffer]>} */ (once(socket, 'data'));
      const [data] = await arrived;
      return data.toString();
    } finally {
      socket.destroy();
    }
  }
}
