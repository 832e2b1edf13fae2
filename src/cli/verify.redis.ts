import { type Audit, auditMailboxes, type Difference } from '../queue/mailbox-audit.redis.js';
import { EXIT } from './exit-codes.js';
import type { Terminal } from './terminal.js';
import { settingsWithRedis } from './with-redis.redis.js';

export async function verify(terminal: Terminal, { json = false }: { json?: boolean }): Promise<number> {
  const audit = await auditMailboxes(await settingsWithRedis('verify'));
  const isInBalance = audit.differenceCount === 0;
  terminal.out(json ? `${JSON.stringify({ isInBalance, ...audit })}\n` : report(audit));
  return isInBalance ? EXIT.ok : EXIT.failed;
}

function report({ ledger, known, inLogs, differences, differenceCount }: Audit): string {
  const { mailboxes, accepted, acknowledged, expired, dropped, pending } = ledger;
  const rows = {
    'mailboxes known': known,
    'mailboxes with mail': mailboxes,
    accepted,
    acknowledged,
    expired,
    dropped,
    pending,
  };
  const lines = Object.entries({ ...rows, 'in the logs': inLogs }).map(([name, n]) => `${name.padEnd(21)}${n}`);
  const more = differenceCount - differences.length;
  if (differenceCount === 0) lines.push('in balance');
  else lines.push(`${differenceCount} difference${differenceCount === 1 ? '' : 's'}:`, ...differences.map(lineOf));
  if (more > 0) lines.push(`  and ${more} more`);
  return `${lines.join('\n')}\n`;
}

function lineOf({ what, bucket, mailbox, expected, found }: Difference): string {
  return `  bucket ${bucket}${mailbox === null ? '' : ` ${mailbox}`}: ${what}: ${found}, expected ${expected}`;
}
