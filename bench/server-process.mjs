// @ts-check
/** A server of ours as a process: started, waited for until somebody can sign in, ended whatever happens. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { wireOf } from './wire.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const READY_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 5_000;

/** @typedef {{ url: string, pid: number, output: () => string, stop: () => Promise<void> }} RunningProcess */

/**
 * @param {{ name: string, url: string, command: string[], env: Record<string, string> }} what
 * @returns {Promise<RunningProcess>}
 */
export async function startProcess({ name, url, command: [program = '', ...args], env }) {
  const path = [process.env.PATH, '/usr/sbin'].join(':'); // where Debian puts a broker, and not everybody looks
  const child = spawn(program, args, { cwd: ROOT, env: { PATH: path, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => (output = (output + data).slice(-4000)));
  }
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill); // whatever ends us, no server of ours stays behind
  const exited = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    const killer = setTimeout(kill, STOP_WITHIN_MS);
    await exited;
    clearTimeout(killer);
    process.off('exit', kill);
  };
  const ended = exited.then(() => Promise.reject(new Error('it ended')));
  ended.catch(() => undefined); // it ends one day; only before it is ready is that a failure
  try {
    await Promise.race([ready(new URL(url)), ended]);
  } catch (error) {
    await stop();
    throw new Error(`${name} did not start: ${String(error)}\n${output}`, { cause: error });
  }
  return { url, pid: child.pid ?? 0, output: () => output, stop };
}

/** Ready means that somebody can sign in; no server tells us so from outside, hence the repeated attempts. @param {URL} url */
async function ready(url) {
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    const client = wireOf(url).connect(url);
    try {
      await client.opened;
      await client.signIn(`0x${'b'.repeat(40)}`);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    } finally {
      client.close();
    }
    await sleep(50);
  }
}
