import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ROOT } from './relay-process.js';

export interface SuiteResult {
  readonly exitCode: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** `section: name`, and what was expected and got. */
  readonly failures: readonly string[];
  readonly skips: readonly string[];
}

interface Case {
  readonly section: string;
  readonly name: string;
  readonly outcome: string;
  readonly isLeft?: boolean;
}

/** `npm run test:protocol -- …`, in a process of its own. */
export async function runSuite(url: string, ...args: readonly string[]): Promise<SuiteResult> {
  const command = [join(ROOT, 'test/protocol/run.mjs'), '--url', url, '--json', ...args];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number]>,
  ]);
  if (stdout === '') throw new Error(`the suite said nothing: ${stderr}`);
  const { results, ...counts } = JSON.parse(stdout) as { results: Case[] } & Omit<SuiteResult, 'failures' | 'skips'>;
  const told = (one: Case): string => JSON.stringify({ ...one, name: `${one.section}: ${one.name}` });
  const failures = results.filter(({ outcome, isLeft }) => outcome === 'failed' || isLeft === true).map(told);
  const skips = results.filter(({ outcome }) => outcome === 'skipped').map(told);
  return { ...counts, exitCode, failures, skips };
}
