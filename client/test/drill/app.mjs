// @ts-check
/**
 * An application of the client that is killed at any moment: it sends numbered messages to its peer, and saves what it is handed, in one step with
 * the client's own mark. Prints a line of JSON for what the drill has to know.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileStore, open } from '@relay/client/node';

const [url = '', address = '', peer = '', folder = '', ratePerSecond = '100'] = process.argv.slice(2);
const SENT = `${folder}/sent.log`;
const CALLS = `${folder}/calls.log`;
const INDEX_DIGITS = 10;

const store = await FileStore.open(`${folder}/store`);
let isSending = true;
let saved = 0;

const client = await open({
  url,
  address,
  store,
  onMessage({ messageId }, transaction) {
    appendFileSync(CALLS, `${messageId}\n`);
    transaction.put(`log/${String(saved++).padStart(INDEX_DIGITS, '0')}`, messageId);
  },
});
saved = (await client.data.list('log/')).length;

const say = (/** @type {object} */ line) => process.stdout.write(`${JSON.stringify(line)}\n`);
client.on('error', (error) => say({ error: error.code }));
client.on('failed', ({ messageId, error }) => say({ failed: messageId, error: error.code }));
client.on('gap', (gap) => say({ gap }));
// The drill ends the load, waits until all is said, then ends the process in order.
process.stdin.once('data', () => (isSending = false));
process.on('SIGTERM', () => void end());
client.start();
await send();

/** Goes on where the last process stopped: what was in the store but not in the log gets the same id again, and is the same message. */
async function send() {
  const known = existsSync(SENT) ? readFileSync(SENT, 'utf8').trimEnd().split('\n') : [];
  // A line that a kill left half is written again.
  let next = known.filter((line) => /^\d+$/.test(line)).length;
  while (isSending) {
    await client.send(peer, `content ${next}`, { messageId: String(next) });
    appendFileSync(SENT, `${next++}\n`);
    await sleep(1000 / Number(ratePerSecond));
  }
  for (;;) {
    say({ outbox: client.outboxSize, saved, state: client.state });
    await sleep(100);
  }
}

async function end() {
  await client.close();
  await store.close();
  process.exit(0);
}
