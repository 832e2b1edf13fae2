import { RelayError } from '@relay/protocol';
import { readSettings } from './app/read-settings.js';
import { SettingsError } from './common/load-settings.js';
import { EXIT_CONFIGURATION, EXIT_UNAVAILABLE, StartError } from './common/start-error.js';
import { type Audit, auditMailboxes, type Difference } from './queue/mailbox-audit.redis.js';

const EXIT_DIFFERENCES = 1;
/** sysexits.h: an error inside. Not 1, which says something about the mailboxes. */
const EXIT_SOFTWARE = 70;

const USAGE = 'usage: npm run verify -- [--json]\n';

async function verify(args: readonly string[]): Promise<number> {
  if (args.some((arg) => arg !== '--json')) return refuse(USAGE, EXIT_CONFIGURATION);
  const settings = await readSettings();
  if (settings.storage === 'memory') {
    return refuse('STORAGE=memory: there is nothing to verify\n', EXIT_CONFIGURATION);
  }
  const audit = await auditMailboxes(settings);
  const isInBalance = audit.differenceCount === 0;
  process.stdout.write(args.includes('--json') ? `${JSON.stringify({ isInBalance, ...audit })}\n` : report(audit));
  return isInBalance ? 0 : EXIT_DIFFERENCES;
}

function report({ ledger, known, inLogs, differences, differenceCount }: Audit): string {
  const { mailboxes, accepted, acknowledged, expired, dropped, pending } = ledger;
  const rows = { mailboxes: known, 'with mail': mailboxes, accepted, acknowledged, expired, dropped, pending };
  const lines = Object.entries({ ...rows, 'in the logs': inLogs }).map(([name, n]) => `${name.padEnd(14)}${n}`);
  const more = differenceCount - differences.length;
  if (differenceCount === 0) lines.push('in balance');
  else lines.push(`${differenceCount} difference${differenceCount === 1 ? '' : 's'}:`, ...differences.map(lineOf));
  if (more > 0) lines.push(`  and ${more} more`);
  return `${lines.join('\n')}\n`;
}

function lineOf({ what, bucket, mailbox, expected, found }: Difference): string {
  return `  bucket ${bucket}${mailbox === null ? '' : ` ${mailbox}`}: ${what}: ${found}, expected ${expected}`;
}

function refuse(text: string, code: number): number {
  process.stderr.write(text);
  return code;
}

function failed(error: unknown): number {
  if (error instanceof StartError) {
    const reasons = error.reasons.map((reason) => `  - ${reason}\n`).join('');
    return refuse(`Cannot verify:\n${reasons}`, error.exitCode);
  }
  if (error instanceof SettingsError) return refuse(`${error.message}\n`, EXIT_CONFIGURATION);
  if (error instanceof RelayError) return refuse(`Cannot verify:\n  - ${error.message}\n`, EXIT_UNAVAILABLE);
  return refuse(`Cannot verify: ${error instanceof Error ? error.stack : String(error)}\n`, EXIT_SOFTWARE);
}

process.exitCode = await verify(process.argv.slice(2)).catch(failed);
