import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OverviewDto } from '../../src/admin/admin.dto.js';
import { eventually } from './redis-server.js';
import { ROOT } from './relay-process.js';

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly worker?: number;
  readonly [field: string]: unknown;
}

const PATIENCE_MS = 45_000;
export const ADMIN_TOKEN = 'the-admin-token-of-this-test-0123456789';

/** The built relay with several workers, as an operator runs it, whether it comes up or not. */
export class WorkerGroup {
  stdout = '';
  stderr = '';
  /** Its JSON log so far. */
  readonly log: LogLine[] = [];
  private unfinished = '';
  private readonly ended: Promise<[number | null, NodeJS.Signals | null]>;

  private constructor(readonly process: ChildProcess) {
    process.stdout!.on('data', (chunk: Buffer) => this.take(chunk.toString()));
    process.stderr!.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = once(process, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  }

  static launch(env: Readonly<Record<string, string>>): WorkerGroup {
    const main = join(ROOT, 'dist', 'main.js');
    if (!existsSync(main)) throw new Error('dist/main.js is missing: npm run build');
    const fixed = { NODE_ENV: 'production', AUTH_MODE: 'open', HOST: '127.0.0.1', PORT: '0', METRICS_PORT: '0' };
    const all = { PATH: process.env.PATH, WORKERS: '2', DRAIN_SECONDS: '1', ADMIN_TOKEN, ...fixed, ...env };
    const child = spawn(process.execPath, [main], { cwd: tmpdir(), env: all, stdio: ['ignore', 'pipe', 'pipe'] });
    return new WorkerGroup(child);
  }

  linesOf(msg: string): LogLine[] {
    return this.log.filter((line) => line.msg === msg);
  }

  /** The line with that text, whether it has been written or is to be; the `count`th of them. */
  logged(msg: string, count = 1): Promise<LogLine> {
    const find = (): Promise<LogLine | undefined> => {
      if (this.hasEnded && this.linesOf(msg).length < count) throw new Error(this.stdout + this.stderr);
      return Promise.resolve(this.linesOf(msg)[count - 1]);
    };
    return eventually(`${count} × ${msg}`, find, PATIENCE_MS);
  }

  async url(): Promise<string> {
    return (await this.logged('relay listening')).url as string;
  }

  async wsUrl(): Promise<string> {
    return (await this.url()).replace('http', 'ws');
  }

  async metrics(): Promise<ReadonlyMap<string, number>> {
    const { url } = await this.logged('metrics listening');
    const text = await (await fetch(url as string)).text();
    const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
    );
  }

  /** Of an operator. Each call is a connection of its own, and so goes to any worker. */
  async admin(method: string, path: string): Promise<Response> {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, connection: 'close' };
    return fetch(`${await this.url()}/admin/api${path}`, { method, headers });
  }

  async nodes(): Promise<OverviewDto['nodes']> {
    return ((await (await this.admin('GET', '/overview')).json()) as OverviewDto).nodes;
  }

  /** Those of the workers that run. */
  async pids(): Promise<number[]> {
    return (await this.nodes()).filter(({ pid }) => isAlive(pid)).map(({ pid }) => pid);
  }

  get hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  async exitCode(): Promise<number | NodeJS.Signals | null> {
    const [code, signal] = await this.ended;
    return code ?? signal;
  }

  async kill(): Promise<void> {
    if (!this.hasEnded) this.process.kill('SIGKILL');
    await this.ended;
  }

  /** Each line is parsed once: under traffic there are thousands. */
  private take(text: string): void {
    this.stdout += text;
    const lines = (this.unfinished + text).split('\n');
    this.unfinished = lines.pop()!;
    for (const line of lines) this.log.push(parsed(line));
  }
}

/** What is no JSON is a line as well, which no test waits for and each message of a failure shows. */
function parsed(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { level: 0, msg: line };
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
