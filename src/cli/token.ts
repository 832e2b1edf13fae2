import { EXIT } from './exit-codes.js';
import type { Terminal } from './terminal.js';

const BYTES = 32;

/** Shown once, kept nowhere. On stdout is the token alone, so that it can go into a file. */
export function token(terminal: Terminal, randomBytes: (size: number) => Buffer): number {
  terminal.out(`${randomBytes(BYTES).toString('base64url')}\n`);
  terminal.err(
    [
      'This is shown once. It opens what belongs to an administrator; keep it like a root password. To set it:',
      '  ADMIN_TOKEN=…                            in the environment or .env of every node, then restart them',
      '  ADMIN_TOKEN_FILE=/run/secrets/admin      a file that holds it: (umask 077 && relay token > admin), so that nobody else reads it',
      '',
    ].join('\n'),
  );
  return EXIT.ok;
}
