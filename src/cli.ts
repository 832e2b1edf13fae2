#!/usr/bin/env node
import { randomBytes } from 'node:crypto';
import { run } from './cli/program.js';
import { systemTerminal } from './cli/terminal.js';

const exitCode = await run(process.argv.slice(2), {
  terminal: systemTerminal(process.env),
  environment: process.env,
  randomBytes,
  start: () => import('./main.js').then(() => undefined),
});
// `start` goes on, and ends by itself.
if (exitCode !== undefined) process.exitCode = exitCode;
