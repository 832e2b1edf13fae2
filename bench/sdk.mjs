// @ts-check
/**
 * Many clients of `@relay/client` in this process, half of them sending to the other half, over a relay of its own. What is measured is the
 * client, so this process's time and memory count, and not the relay's. Needs `npm run build`.
 */
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { nodeWebSocket, open } from '@relay/client/node';
import { start } from './servers.mjs';

const text = /** @type {const} */ ('string');
const { values } = parseArgs({
  options: { clients: { type: text, default: '1000' }, messages: { type: text, default: '20' } },
});
const count = Number(values.clients);
const perSender = Number(values.messages);
const address = (/** @type {number} */ index) => `0x${(index + 1).toString(16).padStart(40, '0')}`;

const running = await start('relay', {});
try {
  const figures = await measure(running.url);
  console.log(
    JSON.stringify({ command: `node bench/sdk.mjs --clients ${count} --messages ${perSender}`, ...figures }, null, 2),
  );
} finally {
  await running.stop();
}

/** @param {string} url */
async function measure(url) {
  const WebSocket = await nodeWebSocket();
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  /** @type {number[]} */
  const got = Array.from({ length: count }, () => 0);
  let total = 0;
  const expected = (count / 2) * perSender;
  /** @type {() => void} */
  let finish = () => undefined;
  const all = new Promise((resolve) => (finish = () => resolve(undefined)));
  const startedAt = performance.now();
  const clients = await Promise.all(
    got.map(async (_, index) => {
      const onMessage = () => {
        got[index] = (got[index] ?? 0) + 1;
        if (++total === expected) finish();
      };
      const client = await open({ url, address: address(index), onMessage, environment: { WebSocket } });
      client.start();
      await client.signedIn();
      return client;
    }),
  );
  const connectedAt = performance.now();
  const after = process.memoryUsage().rss;
  const cpuBefore = process.cpuUsage();
  const deliveries = clients.slice(0, count / 2).flatMap((client, index) =>
    Array.from({ length: perSender }, async (_, n) => {
      const message = await client.send(address(index + count / 2), `${n} ${'x'.repeat(300)}`);
      await message.delivered;
    }),
  );
  await all;
  await Promise.all(deliveries);
  const doneAt = performance.now();
  const cpu = process.cpuUsage(cpuBefore);
  await Promise.all(clients.map((client) => client.close()));
  return {
    clients: count,
    messages: expected,
    isExact: got.every((number, index) => number === (index < count / 2 ? 0 : perSender)),
    signInsPerSecond: Math.round((count * 1000) / (connectedAt - startedAt)),
    kibPerClient: Math.round((after - before) / count / 102.4) / 10,
    deliveredPerSecond: Math.round((expected * 1000) / (doneAt - connectedAt)),
    cpuMicrosPerMessage: Math.round((cpu.user + cpu.system) / expected),
  };
}
