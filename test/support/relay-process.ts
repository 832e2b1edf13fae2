import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** A machine that is busy with other suites takes its time. */
const START_WITHIN_MS = 45_000;

/** The built relay in a process of its own, as an operator runs it. */
export class RelayProcess {
  private constructor(
    readonly process: ChildProcess,
    /** `http://127.0.0.1:port` */
    readonly url: string,
  ) {}

  /** LOG_LEVEL must let `info` through: it says where it listens. */
  static async start(
    env: Readonly<Record<string, string>> = {},
    main = join(ROOT, 'dist', 'main.js'),
  ): Promise<RelayProcess> {
    if (!existsSync(main)) throw new Error('dist/main.js is missing: npm run build');
    const fixed = { NODE_ENV: 'production', AUTH_MODE: 'open', HOST: '127.0.0.1', PORT: '0', METRICS_PORT: '0' };
    const child = spawn(process.execPath, [main], {
      env: { PATH: process.env.PATH, ...fixed, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const giveUp = setTimeout(() => child.kill('SIGKILL'), START_WITHIN_MS);
    for await (const line of createInterface({ input: child.stdout })) {
      const { msg, url } = JSON.parse(line) as { msg: string; url?: string };
      if (msg !== 'relay listening' || url === undefined) continue;
      clearTimeout(giveUp);
      child.stdout.resume();
      return new RelayProcess(child, url);
    }
    clearTimeout(giveUp);
    throw new Error('the relay ended before it listened');
  }

  get wsUrl(): string {
    return this.url.replace('http', 'ws');
  }

  /** Resident memory, or `null` where /proc does not exist. */
  get residentBytes(): number | null {
    const status = `/proc/${this.process.pid}/status`;
    if (!existsSync(status)) return null;
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(status, 'utf8'))?.[1]) * 1024;
  }

  /** The exit code, or the signal that ended it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
    const { process: child } = this;
    if (child.exitCode !== null) return child.exitCode;
    const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals]>;
    child.kill(signal);
    const [code, endedBy] = await ended;
    return code ?? endedBy;
  }
}
