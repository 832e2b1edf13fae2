// What a developer of an application does first: a new directory, the packed client installed in it, the README's example as it stands; and its
// message read by a page in a browser, which is made of the same package. Needs the built relay, npm and a Chromium. Ends by itself.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { findBrowser } from './find-browser.mjs';

const PATIENCE_MS = 120_000;
/** What the example says. */
const EXAMPLE_URL = 'ws://localhost:3002';
const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** What the page says: who it is, what it was sent and what it made of that, or what went wrong.
 * @typedef {{ address?: string, read?: { text?: string, senderKey?: string }, content?: string, failed?: string }} Told
 */

/** What ends with this program, last first. @type {(() => void)[]} */
const atEnd = [];
const giveUp = setTimeout(() => {
  end();
  console.error(`check:sdk: no result within ${PATIENCE_MS} ms`);
  process.exit(1);
}, PATIENCE_MS);

try {
  await check();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  end();
  clearTimeout(giveUp);
}

async function check() {
  const browser = findBrowser();
  if (browser === null) throw new Error('no Chromium: apt-get install chromium, or CHROMIUM_PATH=/path/to/one');
  const folder = mkdtempSync(join(tmpdir(), 'relay-sdk-'));
  atEnd.push(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
  install(folder);
  const url = await startRelay();
  const page = await openPage(browser, folder, url);
  const { address = '' } = await page.told();
  const said = await runExample(folder, url, address);
  const { read, content = '' } = await page.told();
  expect(read?.text === 'hello' && read.senderKey === 'accepted', `the page read ${JSON.stringify(read)}`);
  expect(!content.includes('hello'), 'the relay carried the text as it is');
  expect(said.includes(`peer: '${address}'`) && said.includes("kind: 'delivered'"), `the example said ${said}`);
  console.log(
    `check:sdk: ${content.length} characters of ciphertext from Node to ${address} in Chromium, delivered and read`,
  );
}

/** A new directory with the packed client, and `ws` where Node has no WebSocket. @param {string} folder */
function install(folder) {
  run('npm', ['pack', '-w', 'client', '--silent', '--pack-destination', folder], ROOT);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
  const ws = 'WebSocket' in globalThis ? [] : ['ws'];
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--silent', `./${tarball}`, ...ws], folder);
}

/** On the port of the example where that is free. @returns {Promise<string>} as the example names it */
async function startRelay() {
  const port = (await freePort(3002)) ?? (await freePort(0));
  const url = `ws://localhost:${port}`;
  // As in production, where every address is proven.
  const settings = {
    NODE_ENV: 'production',
    PUBLIC_DOMAIN: `localhost:${port}`,
    PORT: String(port),
    METRICS_PORT: '0',
  };
  const env = { PATH: process.env.PATH, ...settings };
  const relay = spawn(process.execPath, [join(ROOT, 'dist/main.js')], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  atEnd.push(() => relay.kill('SIGKILL'));
  for await (const line of createInterface({ input: relay.stdout })) {
    const entry = JSON.parse(line);
    if (entry.msg !== 'relay listening') continue;
    relay.stdout.resume();
    return url;
  }
  throw new Error('the relay ended before it listened: npm run build');
}

/** That one or, for 0, any; `null` where it is taken. @param {number} wanted @returns {Promise<number | null>} */
async function freePort(wanted) {
  const server = createServer();
  try {
    await once(server.listen(wanted), 'listening');
  } catch {
    return null;
  }
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * Bob: a page of the packed client, which tells its address, and then what it was sent.
 * @param {string} browser @param {string} folder @param {string} url
 */
async function openPage(browser, folder, url) {
  const script = await bundle(folder, url);
  /** @type {Told[]} */
  const told = [];
  let wake = () => undefined;
  const server = createServer((request, response) => {
    if (request.url === '/told') {
      void text(request).then((body) => {
        /** @type {unknown} */
        const heard = JSON.parse(body);
        told.push(/** @type {Told} */ (heard));
        wake();
      });
    }
    const isScript = request.url === '/page.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : '<!doctype html><title>Bob</title><script type="module" src="/page.js"></script>');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  atEnd.push(() => (server.close(), server.closeAllConnections()));
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  startBrowser(browser, join(folder, 'profile'), `http://127.0.0.1:${address.port}/`);
  return {
    /** What the page says next. @returns {Promise<Told>} */
    async told() {
      while (told.length === 0) await new Promise((resolve) => (wake = () => void resolve(undefined)));
      const next = told.shift() ?? {};
      if (next.failed !== undefined) throw new Error(`the page failed: ${next.failed}`);
      return next;
    },
  };
}

/** @param {string} browser @param {string} profile @param {string} url */
function startBrowser(browser, profile, url) {
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
  const child = spawn(browser, [...flags, `--user-data-dir=${profile}`, url], { stdio: 'ignore', detached: true });
  // Its processes are a group of their own, and end together.
  atEnd.push(() => child.pid !== undefined && child.exitCode === null && process.kill(-child.pid, 'SIGKILL'));
}

/** @param {string} folder @param {string} url @returns {Promise<string>} */
async function bundle(folder, url) {
  const contents = `
    import { connect, IndexedDbStore } from '@relay/client';
    import { newIdentity } from '@relay/client/identity';
    import { Encryption } from '@relay/client/encryption';
    const tell = (what) => fetch('/told', { method: 'POST', body: JSON.stringify(what) });
    try {
      const identity = newIdentity();
      const client = await connect({
        url: ${JSON.stringify(url)},
        identity,
        store: await IndexedDbStore.open('bob'),
        onMessage: async (message) => tell({ read: await encryption.read(message), content: message.content }),
      });
      const encryption = await Encryption.open(client);
      await encryption.publish(identity);
      await tell({ address: client.address });
    } catch (error) {
      await tell({ failed: String(error) });
    }`;
  const stdin = { contents, resolveDir: folder, loader: /** @type {const} */ ('js') };
  const { outputFiles } = await build({
    stdin,
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}

/**
 * The first lines of code of the client's README, as they are, but for the port where another relay has it. Returns what they printed.
 * @param {string} folder @param {string} url @param {string} recipient
 */
async function runExample(folder, url, recipient) {
  const readme = readFileSync(join(folder, 'node_modules/@relay/client/README.md'), 'utf8');
  const [, example = ''] = /```js\n([^]*?)```/.exec(readme) ?? [];
  expect(example.includes(EXAMPLE_URL), 'the README has no example');
  if (url !== EXAMPLE_URL) console.log(`check:sdk: port 3002 is taken, the example runs with ${url}`);
  writeFileSync(join(folder, 'alice.mjs'), example.replace(EXAMPLE_URL, url));
  const alice = spawn(process.execPath, ['alice.mjs', recipient], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  atEnd.push(() => alice.kill('SIGKILL'));
  let said = '';
  for await (const chunk of alice.stdout) {
    said += String(chunk);
    // It stays, as an application does that waits for messages.
    if (/kind: 'delivered'[^]*}/.test(said)) return said;
  }
  throw new Error(`the example ended early and said: ${said}`);
}

/** @param {string} command @param {string[]} args @param {string} cwd */
function run(command, args, cwd) {
  const { status, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  expect(status === 0, `${command} ${args.join(' ')} ended with ${status}\n${stderr}`);
}

function end() {
  for (const finish of atEnd.splice(0).reverse()) {
    try {
      finish();
    } catch (error) {
      console.error(`check:sdk: ${String(error)}`);
    }
  }
}

/** @param {unknown} condition @param {string} what */
function expect(condition, what) {
  if (!condition) throw new Error(`check:sdk: ${what}`);
}
