import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CommandError, EXIT } from './exit-codes.js';

/** Programs of the checkout that are not part of the built relay, nor of the image. */
const PROGRAMS = { drill: 'test/drill/run.mjs', bench: 'bench/run.mjs' } as const;

/** Runs it with these arguments and ends as it does. */
export function forward(program: keyof typeof PROGRAMS, args: readonly string[]): Promise<number> {
  const path = fileURLToPath(new URL(`../../${PROGRAMS[program]}`, import.meta.url));
  if (!existsSync(path)) {
    throw new CommandError(
      EXIT.failed,
      `${PROGRAMS[program]} is not here: ${program} runs in a checkout of the source`,
    );
  }
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path, ...args], { stdio: 'inherit' });
    const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
    process.on('SIGINT', pass).on('SIGTERM', pass);
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? EXIT.failed));
  });
}
