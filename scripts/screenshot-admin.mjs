// Writes docs/images/admin.png: the built admin page before three relays on a Redis of their own, with people who write to
// each other for a minute. Also admin-phone.png, with --phone.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { WebSocket } from 'ws';
import { findBrowser } from './find-browser.mjs';

const root = new URL('../', import.meta.url);
const ADMIN_TOKEN = 'only-for-this-picture-0123456789abcdef';
const PEOPLE = 240;
const SECONDS = Number(process.env.SECONDS ?? 75);

/** A different address for each number, that looks like one. @param {number} n */
const addressOf = (n) => {
  let state = n * 2654435761 + 1;
  const digit = () => ((state = (state * 1103515245 + 12345) % 2147483648) >> 12) % 16;
  return `0x${Array.from({ length: 40 }, () => digit().toString(16)).join('')}`;
};

const executablePath = findBrowser();
if (executablePath === null) throw new Error('no Chromium: npm run setup:test, or CHROMIUM_PATH');
const folder = mkdtempSync(join(tmpdir(), 'relay-picture-'));
const port = await freePort();
const redis = spawn(
  'redis-server',
  ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes'],
  {
    stdio: 'ignore',
  },
);
/** @type {import('node:child_process').ChildProcess[]} */
const relays = [];
const browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
try {
  const urls = [];
  for (let i = 0; i < 3; i++) urls.push(await startRelay());
  await traffic(urls);
  mkdirSync(new URL('docs/images/', root), { recursive: true });
  await operate(urls[0] ?? '');
  await picture(urls[0] ?? '', { width: 960, height: 1000 }, 'admin.png');
  if (process.argv.includes('--phone')) await picture(urls[0] ?? '', { width: 360, height: 760 }, 'admin-phone.png');
} finally {
  await browser.close();
  for (const relay of relays) relay.kill('SIGKILL');
  redis.kill();
  await once(redis, 'exit');
  rmSync(folder, { recursive: true });
}
process.exit(0);

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  return free;
}

async function startRelay() {
  const relay = spawn(process.execPath, [fileURLToPath(new URL('dist/main.js', root))], {
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      AUTH_MODE: 'open',
      STORAGE: 'redis',
      REDIS_URL: `redis://127.0.0.1:${port}`,
      ADMIN_TOKEN,
      HOST: '127.0.0.1',
      PORT: '0',
      METRICS_PORT: '0',
      MAX_CONNECTIONS_PER_IP: '10000',
      SEND_RATE_PER_IP: '0',
      MAX_OFFLINE_MESSAGES: '300',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  relays.push(relay);
  for await (const line of createInterface({ input: relay.stdout })) {
    const { msg, url } = /** @type {{ msg: string, url: string }} */ (JSON.parse(line));
    if (msg !== 'relay listening') continue;
    relay.stdout.resume();
    return url;
  }
  throw new Error('the relay ended before it listened');
}

/** People come one after the other, write to each other, and a few are away. @param {readonly string[]} urls */
async function traffic(urls) {
  const sockets = [];
  let sent = 0;
  for (let second = 0; second < SECONDS; second += 0.5) {
    const wanted = Math.min(PEOPLE, 40 + Math.round((second / SECONDS) * PEOPLE * 1.3));
    while (sockets.length < wanted)
      sockets.push(await person(urls[sockets.length % urls.length] ?? '', sockets.length));
    const talking = sockets.length * (0.35 + 0.2 * Math.sin(second / 4) + 0.1 * Math.sin(second * 3));
    for (let i = 0; i < talking; i++) {
      const from = sockets[Math.floor(Math.random() * sockets.length)];
      // The square prefers some of those who are away, so their mailboxes differ.
      const isAway = Math.random() < 0.05;
      const to = isAway ? PEOPLE + Math.floor(Math.random() ** 2 * 6) : Math.floor(Math.random() * sockets.length);
      from?.send(
        JSON.stringify({
          type: 'message',
          to: addressOf(to),
          messageId: `m${++sent}`,
          content: 'x'.repeat(200 + (sent % 400)),
        }),
      );
    }
    await pause(500);
  }
}

/** @param {string} url @param {number} n */
async function person(url, n) {
  const client = new WebSocket(url.replace('http', 'ws'));
  await once(client, 'open');
  client.on('error', () => undefined);
  client.on('message', (/** @type {Buffer} */ data) => {
    const { id } = /** @type {{ id?: string }} */ (JSON.parse(data.toString()));
    if (id !== undefined && n % 2 === 1) client.send(JSON.stringify({ type: 'ack', upTo: id }));
  });
  const address = addressOf(n);
  client.send(
    JSON.stringify(n % 2 === 0 ? { type: 'auth', address } : { type: 'hello', v: 2, address, deviceId: 'phone' }),
  );
  return client;
}

/** A node is drained, and somebody banned. @param {string} url */
async function operate(url) {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' };
  /** @type {(method: string, path: string, body?: object) => Promise<any>} */
  const ask = async (method, path, body) => {
    const answer = await fetch(`${url}/admin/api${path}`, { method, headers, body: JSON.stringify(body) });
    return answer.json();
  };
  await ask('PUT', `/bans/${addressOf(PEOPLE + 900)}`, { note: 'sells watches to everybody' });
  const { nodes } = await ask('GET', '/overview');
  await ask('PUT', `/nodes/${nodes[2].node}/drain`);
  await pause(6_000);
}

/** @param {string} url @param {{ width: number, height: number }} viewport @param {string} name */
async function picture(url, viewport, name) {
  const context = await browser.newContext({ viewport, colorScheme: 'light', locale: 'en-GB', timezoneId: 'UTC' });
  const page = await context.newPage();
  await page.goto(`${url}/admin`);
  await page.locator('#token').fill(ADMIN_TOKEN);
  await page.locator('#sign-in button').click();
  await page.locator('.node').nth(2).waitFor();
  await page.locator('#address').fill(addressOf(1));
  await page.locator('#find button').click();
  await page.locator('[data-device]').waitFor();
  await page.mouse.move(0, 0);
  await page.evaluate('document.activeElement?.blur(); scrollTo(0, 0)');
  await page.screenshot({ path: fileURLToPath(new URL(`docs/images/${name}`, root)), fullPage: true });
  await context.close();
  console.log(`docs/images/${name}`);
}
