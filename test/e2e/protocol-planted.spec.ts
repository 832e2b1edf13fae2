import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runSuite } from '../support/protocol-suite.js';
import { RelayProcess, ROOT } from '../support/relay-process.js';

/** Below the packages, so that copies find them. */
const CACHE = join(ROOT, 'node_modules', '.cache');
const ENV = { PUBLIC_DOMAIN: 'relay.test', AUTH_MODE: 'signed' };

function change(path: string, from: string, to: string): void {
  const before = readFileSync(path, 'utf8');
  const after = before.replace(from, to);
  if (after === before) throw new Error(`${path} has no ${from}: the bug cannot be planted`);
  writeFileSync(path, after);
}

describe('a bug that is planted', () => {
  let folder: string;
  /** For clients: nothing is wrong with it. */
  let shared: RelayProcess | undefined;

  beforeEach(() => {
    mkdirSync(CACHE, { recursive: true });
    folder = mkdtempSync(join(CACHE, 'planted-protocol-'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  afterAll(() => shared?.stop());

  it.each([
    [
      'delivered on write',
      'never `delivered` before',
      'relay/delivery.js',
      'this.parts.verdicts.wait(sender, entry.from, to, entry.messageId);',
      'sender.link.send(statusFrame("delivered", entry.messageId, to, Date.now()));',
    ],
    ['no deduplication', '5: once', 'queue/mailbox.memory.js', 'if (known !== undefined)', 'if (false)'],
    [
      'a backlog in another order',
      '4: one order',
      'relay/mailbox-reader.js',
      'of page.entries',
      'of [...page.entries].reverse()',
    ],
    ['an acknowledgement ahead of what was sent', 'is `ack_ahead`', 'relay/mailbox-reader.js', ": 'ahead'", ": 'old'"],
    [
      'a window that holds nothing back',
      'as large as asked for',
      'relay/mailbox-reader.js',
      'this.window.entries - this.inFlight.length',
      'LIMITS.pageSize',
    ],
    ['another close code', 'binary frame', 'relay/connection.js', 'close(1003', 'close(1000'],
  ])('in the relay is seen: %s', async (_, only, file, from, to) => {
    cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
    change(join(folder, 'dist', file), from, to);
    const relay = await RelayProcess.start(ENV, join(folder, 'dist', 'main.js'));
    const { failed, exitCode } = await runSuite(relay.wsUrl, '--only', only);
    await relay.stop('SIGKILL');
    expect([failed > 0, exitCode]).toEqual([true, 1]);
  });

  it.each([
    ['acknowledges before it is saved', 'not before', 'key && !inbox.get(key)', 'false'],
    ['hands over what it has handed over', 'hands over once', 'if (inbox.has(keyOf({ from, messageId }))) return;', ''],
    [
      'sends again under another id',
      'reached the relay',
      'transmit(message);',
      'transmit({ ...message, messageId: message.messageId + 1 });',
    ],
    ['forgets what was not answered', 'was lost with', 'for (const message of outbox.values()) transmit(message);', ''],
    ['lets a tick go back', 'never go back', 'if (RANKS[status] <= (ranks.get(messageId) ?? 0)) return;', ''],
    ['signs whatever it is asked to', 'signs no nonce', 'if (nonce.startsWith(', 'if (true || nonce.startsWith('],
    ['comes back whatever it was told', '4409', '4403, 4409, 4440', '4440'],
  ])('in a client is seen: it %s', async (_, only, from, to) => {
    const path = join(folder, 'client.mjs');
    cpSync(join(ROOT, 'test/protocol/second-client.mjs'), path);
    change(path, from, to);
    shared ??= await RelayProcess.start(ENV);
    const command = `"${process.execPath}" "${path}"`;
    const { failed, exitCode } = await runSuite(shared.wsUrl, '--client', command, '--only', only);
    expect([failed > 0, exitCode]).toEqual([true, 1]);
  });
});
