// @ts-check
/**
 * Backup while sends go on, restore into an empty Redis, verify, and drain every device:
 *   npm run build && node bench/backup.mjs --messages 100000 --mailboxes 1000
 * Ends with 1 where a message that was accepted before the backup began is lost, comes twice, or was never sent.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';
import { startRedis } from './redis.mjs';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '10000' },
    mailboxes: { type: 'string', default: '200' },
    rate: { type: 'string', default: '500' },
    file: { type: 'string', default: 'backup.gz' },
  },
});
const messages = Number(values.messages);
const mailboxes = Number(values.mailboxes);
const rate = Number(values.rate);
const CONTENT = 'x'.repeat(300);
const root = fileURLToPath(new URL('../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'relay-backup-bench-'));
const address = (/** @type {number} */ n) => `0x${(n + 0xa000000).toString(16).padStart(40, '1')}`;
const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {string} url */
async function startRelay(url) {
  const roomy = {
    SEND_RATE_PER_SECOND: '1000000',
    SEND_BURST: '1000000',
    SEND_RATE_PER_IP: '0',
    SENDER_SHARE: '1',
    MAX_CONNECTIONS_PER_IP: '100000',
  };
  const env = {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
    AUTH_MODE: 'open',
    HOST: '127.0.0.1',
    PORT: '0',
    METRICS_PORT: '0',
    STORAGE: 'redis',
    REDIS_URL: url,
    ...roomy,
  };
  const child = spawn(process.execPath, [join(root, 'dist/cli.js'), 'start'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, url: at } = JSON.parse(line);
    if (msg !== 'relay listening') continue;
    child.stdout.resume();
    const stop = async () => {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    };
    return { url: String(at).replace('http', 'ws'), stop };
  }
  throw new Error('the relay did not start');
}

/** The command line, with the most memory that it took. @param {string} url @param {string[]} args */
async function relay(url, ...args) {
  const env = { PATH: process.env.PATH, STORAGE: 'redis', REDIS_URL: url };
  const started = performance.now();
  const child = spawn(process.execPath, [join(root, 'dist/cli.js'), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  let peakBytes = 0;
  child.stdout.on('data', (chunk) => (out += chunk));
  const watch = setInterval(() => {
    try {
      peakBytes = Math.max(
        peakBytes,
        Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024 || 0,
      );
    } catch {
      // No /proc, or it has just ended.
    }
  }, 50);
  const [code] = await once(child, 'close');
  clearInterval(watch);
  return { code, out, peakBytes, seconds: (performance.now() - started) / 1000 };
}

/** @param {string} url @param {Record<string, unknown>} first @param {(frame: any, socket: WebSocket) => void} onFrame */
async function open(url, first, onFrame) {
  const socket = new WebSocket(url);
  await once(socket, 'open');
  const welcome = new Promise((resolve) => {
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data));
      if (frame.type === 'auth_success') resolve(undefined);
      onFrame(frame, socket);
    });
  });
  socket.send(JSON.stringify(first));
  await welcome;
  return socket;
}

const source = await startRedis('always');
const target = await startRedis('always');
let wrong = 0;
try {
  const first = await startRelay(source.url);
  /** @type {Set<string>} */
  const accepted = new Set();
  /** @type {Set<string>} */
  const sent = new Set();
  let refused = 0;
  const sender = await open(first.url, { type: 'auth', address: address(0xfffff) }, (frame) => {
    if (frame.type === 'queued') accepted.add(String(frame.messageId));
    if (frame.type === 'error') refused++;
  });
  const send = (/** @type {string} */ messageId, /** @type {number} */ n) => {
    sent.add(messageId);
    sender.send(JSON.stringify({ type: 'message', to: address(n), messageId, content: CONTENT, timestamp: 1 }));
  };
  let started = performance.now();
  for (let i = 0; i < messages; i++) {
    send(`m${i}`, i % mailboxes);
    if (i % 500 === 499) while (sent.size - accepted.size - refused > 1500) await sleep(1);
  }
  while (accepted.size + refused < messages) await sleep(10);
  console.log(
    `stored ${accepted.size} messages in ${mailboxes} mailboxes in ${((performance.now() - started) / 1000).toFixed(1)} s, ${refused} refused`,
  );
  const before = new Set(accepted);
  let live = 0;
  const timer = setInterval(() => {
    for (let i = 0; i < rate / 50; i++) send(`live${live}`, live++ % mailboxes);
  }, 20);
  const file = join(folder, values.file);
  const saved = await relay(source.url, 'backup', file, '--json');
  clearInterval(timer);
  const liveDuring = accepted.size - before.size;
  const report = JSON.parse(saved.out);
  console.log(
    `backup: ${report.messages} messages, ${report.bytes} bytes, ${saved.seconds.toFixed(1)} s (${Math.round(report.messages / saved.seconds)}/s), at most ${(saved.peakBytes / 2 ** 20).toFixed(0)} MiB; ${liveDuring} more were accepted meanwhile`,
  );
  const restored = await relay(target.url, 'restore', file, '--json');
  const back = JSON.parse(restored.out);
  console.log(
    `restore: ${back.messages} messages, ${restored.seconds.toFixed(1)} s (${Math.round(back.messages / restored.seconds)}/s) with check and verify, at most ${(restored.peakBytes / 2 ** 20).toFixed(0)} MiB; exit ${restored.code}`,
  );
  const verified = await relay(target.url, 'verify', '--json');
  console.log(
    `verify: ${JSON.parse(verified.out).isInBalance ? 'in balance' : 'differences'}, exit ${verified.code}; file ${statSync(file).size} bytes`,
  );
  wrong += saved.code + restored.code + verified.code;
  sender.terminate();
  await first.stop();

  const second = await startRelay(target.url);
  /** @type {Map<string, number>} */
  const got = new Map();
  started = performance.now();
  for (let n = 0; n < mailboxes; n++) {
    /** @type {() => void} */
    let done = () => undefined;
    const synced = new Promise((resolve) => (done = () => resolve(undefined)));
    const hello = { type: 'hello', v: 2, address: address(n), deviceId: 'phone', window: 1024 };
    const socket = await open(second.url, hello, (frame, from) => {
      if (frame.type === 'message') got.set(String(frame.messageId), (got.get(String(frame.messageId)) ?? 0) + 1);
      if (frame.id !== undefined) from.send(JSON.stringify({ type: 'ack', upTo: frame.id }));
      if (frame.type === 'sync_complete') done();
    });
    await synced;
    socket.close();
  }
  const lost = [...before].filter((id) => !got.has(id)).length;
  const doubled = [...got.values()].filter((count) => count > 1).length;
  const strange = [...got.keys()].filter((id) => !sent.has(id)).length;
  console.log(
    `drained ${got.size} messages in ${((performance.now() - started) / 1000).toFixed(1)} s: ${lost} lost, ${doubled} doubled, ${strange} never sent`,
  );
  wrong += lost + doubled + strange + Number(got.size !== back.messages) + refused;
  await second.stop();
  const after = await relay(target.url, 'verify');
  wrong += after.code;
  console.log(after.out.trim().split('\n').at(-1));
} finally {
  await Promise.all([source.stop(), target.stop()]);
  rmSync(folder, { recursive: true });
}
process.exit(wrong === 0 ? 0 : 1);
