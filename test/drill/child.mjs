// @ts-check
/** Processes that this one starts, none of which outlives it. */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import process from 'node:process';

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
/** @type {string[]} */
const folders = [];

process.on('exit', () => {
  // SIGKILL also ends what stands still.
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));

/** @type {(command: string, args: readonly string[], env: NodeJS.ProcessEnv) => import('node:child_process').ChildProcessByStdio<null, import('node:stream').Readable, import('node:stream').Readable>} */
export function start(command, args, env) {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.on('exit', () => running.delete(child));
  child.on('error', () => running.delete(child));
  return child;
}

/** Removed when this process ends. @param {string} folder */
export function temporary(folder) {
  folders.push(folder);
  return folder;
}

/**
 * A port that is free now, and stays it while its owner is down: below those that outgoing connections are given.
 * @param {import('./random.mjs').Random} random
 */
export async function freePort(random) {
  for (;;) {
    const port = random.between(12_000, 30_000);
    if (await isFree(port)) return port;
  }
}

/** @type {(port: number) => Promise<boolean>} */
function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
