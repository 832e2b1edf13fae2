// @ts-check
/**
 * Does a drill notice? Plants one bug at a time in a copy of the built relay and drills it: each must end with 1, and name the
 * rule. `node test/drill/planted.mjs [NAME…]`; about half a minute each. With `--check` it only looks whether each can be planted.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, URL } from 'node:url';
import { changedBuild } from './changed-build.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** @type {Record<string, { faults: string, changes: import('./changed-build.mjs').Change[], more?: string[] }>} */
const PLANTS = {
  'acknowledge before storing': {
    faults: 'pause-redis,kill-redis',
    changes: [
      {
        file: 'relay/relay.js',
        from: 'const answer = this.parts.queue.append(to, message, mailbox);',
        to: 'connection.link.send(statusFrame("queued", messageId, to, Date.now())); const answer = this.parts.queue.append(to, message, mailbox);',
      },
    ],
  },
  'delivered on write': {
    faults: 'cut-clients,stop-node',
    changes: [
      {
        file: 'relay/delivery.js',
        from: 'this.parts.verdicts.wait(sender, entry.from, to, entry.messageId);',
        to: 'sender.link.send(statusFrame("delivered", entry.messageId, to, Date.now()));',
      },
    ],
  },
  'no deduplication': {
    faults: 'same-message,kill-node,pause-redis',
    changes: [
      { file: 'queue/append-quickly.lua', from: 'known[stored + 3]', to: 'false' },
      { file: 'queue/append.lua', from: 'if known[2] then', to: 'if false then' },
    ],
  },
  'drop the oldest when full': {
    faults: 'cut-clients,stop-node',
    // Mailboxes of two messages, and enough mail to fill them while their owners are cut off.
    more: ['--rate', '400', '--addresses', '20'],
    changes: [
      { file: 'queue/append.lua', from: 'DROPS_OLDEST == 1', to: 'true' },
      {
        file: 'queue/scripts.redis.js',
        from: 'const { maxMessages: MAX_MESSAGES, maxBytes',
        to: 'const MAX_MESSAGES = 2; const { maxBytes',
      },
    ],
  },
  'an acknowledgement applied ahead of what was sent': {
    faults: 'cut-clients,kill-node',
    changes: [
      {
        file: 'queue/acknowledge.lua',
        from: 'if sequence > S[LAST] or ms > S[LAST_MS] then',
        to: 'sequence, ms = S[LAST], S[LAST_MS] if false then',
      },
      { file: 'queue/acknowledge-quickly.lua', from: 'HISTORY_MS == 0', to: 'false' },
    ],
  },
  'no re-read after lost wake-ups': {
    faults: 'drop-subscriptions',
    // Mailboxes that get a message each few seconds: the next one tells of the one whose wake-up was lost.
    more: ['--rate', '100', '--addresses', '500'],
    changes: [{ file: 'relay/delivery.js', from: 'async recheck() {', to: 'async recheck() { return;' }],
  },
  'a cursor that is never stored': {
    faults: 'cut-clients,kill-node',
    changes: [
      { file: 'queue/acknowledge.lua', from: 'if sequence > device[3] then', to: 'if false then' },
      { file: 'queue/acknowledge-quickly.lua', from: 'HISTORY_MS == 0', to: 'false' },
    ],
  },
};

const isCheck = process.argv.includes('--check');
const wanted = process.argv.slice(2).filter((argument) => argument !== '--check');
let missed = 0;
for (const [name, { faults, changes, more = [] }] of Object.entries(PLANTS)) {
  if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
  const main = changedBuild('planted', changes);
  if (isCheck) continue;
  const args = ['--relay', main, '--seed', '1', '--seconds', '20'];
  const load = ['--rate', '150', '--addresses', '60', ...more];
  const run = spawnSync(process.execPath, [join(ROOT, 'test/drill/run.mjs'), ...args, ...load, '--faults', faults], {
    encoding: 'utf8',
    timeout: 180_000,
  });
  const rules = [...`${run.stdout}${run.stderr}`.matchAll(/^BROKEN (\S+): (\d+)/gm)].map(
    ([, rule, n]) => `${rule} ${n}`,
  );
  if (run.status !== 1 || rules.length === 0) missed++;
  process.stdout.write(
    `${run.status === 1 ? 'noticed' : 'MISSED '}  ${name}: ${rules.join(', ') || `exit ${run.status}`}\n`,
  );
}
process.exitCode = missed === 0 ? 0 : 1;
