// Writes docs/images/demo.png: both windows of the built demo page, side by side, in the middle of a conversation.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { findBrowser } from './find-browser.mjs';

const root = new URL('../', import.meta.url);
const WINDOW = { width: 600, height: 800 };
const GAP = 24;

const executablePath = findBrowser();
if (executablePath === null) throw new Error('no Chromium: npm run setup:test, or CHROMIUM_PATH');
const relay = spawn(process.execPath, [fileURLToPath(new URL('dist/main.js', root))], {
  env: {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
    AUTH_MODE: 'signed',
    PUBLIC_DOMAIN: 'relay.localhost',
    DEMO: 'true',
    HOST: '127.0.0.1',
    PORT: '0',
    METRICS_PORT: '0',
  },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const host = await listening();
const browser = await chromium.launch({
  executablePath,
  args: [
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    '--hide-scrollbars',
    `--host-resolver-rules=MAP relay.localhost ${host}`,
  ],
});
try {
  const context = await browser.newContext({
    viewport: WINDOW,
    colorScheme: 'light',
    locale: 'en-GB',
    timezoneId: 'UTC',
    reducedMotion: 'reduce',
  });
  mkdirSync(new URL('docs/images/', root), { recursive: true });
  const images = await conversation(context);
  writeFileSync(new URL('docs/images/demo.png', root), await sideBySide(context, images));
  console.log('docs/images/demo.png');
} finally {
  await browser.close();
  relay.kill();
  await once(relay, 'exit');
}

async function listening() {
  for await (const line of createInterface({ input: relay.stdout })) {
    const { msg, url } = /** @type {{ msg: string, url: string }} */ (JSON.parse(line));
    if (msg !== 'relay listening') continue;
    relay.stdout.resume();
    return new URL(url).host;
  }
  throw new Error('the relay ended before it listened');
}

/** @param {import('playwright-core').BrowserContext} context */
async function conversation(context) {
  const anna = await context.newPage();
  await anna.goto('http://relay.localhost/demo');
  await anna.locator('#state').filter({ hasText: 'Connected' }).waitFor();
  const [ben] = await Promise.all([context.waitForEvent('page'), anna.locator('#open-second').click()]);
  await Promise.all([anna, ben].map((page) => page.locator('#chat').waitFor()));
  await say(anna, 'Hello, other window!', ben);
  await say(ben, 'Hi! Does the relay know what we write?', anna);
  await say(anna, 'It sees the lines that are marked below. Nothing else.', ben);
  await anna.locator('.ticks.read').nth(1).waitFor();
  await ben.locator('#burst-send').click();
  await ben.getByText('100 messages delivered').waitFor();
  await ben.locator('.mine', { hasText: 'delivered' }).locator('.ticks.read').waitFor();
  await ben.evaluate('document.hasFocus = () => false');
  await anna.locator('#frames summary').click();
  await anna.locator('#frames-clear').click();
  await say(anna, 'A hundred, each once and in order', ben);
  await anna.locator('.mine .ticks.delivered').waitFor();
  await ben.locator('#help summary').click();
  await ben.locator('#text').pressSequentially('And not one of th');
  await anna.locator('#typing').waitFor();
  // Nobody's caret or hovering is of interest.
  await Promise.all([anna, ben].map((page) => page.locator('.lock').hover()));
  return [await anna.screenshot(), await ben.screenshot()];
}

/**
 * @param {import('playwright-core').Page} from @param {string} text
 * @param {import('playwright-core').Page} to
 */
async function say(from, text, to) {
  await from.locator('#text').fill(text);
  await from.locator('#composer button').click();
  await to.locator('.theirs').filter({ hasText: text }).waitFor();
}

/** @param {import('playwright-core').BrowserContext} context @param {readonly Buffer[]} images */
async function sideBySide(context, images) {
  const page = await context.newPage();
  await page.setViewportSize({ width: 2 * WINDOW.width + 3 * GAP, height: WINDOW.height + 2 * GAP });
  const tags = images.map((image) => `<img src="data:image/png;base64,${image.toString('base64')}">`);
  await page.setContent(`<style>
    body { display: flex; gap: ${GAP}px; margin: 0; padding: ${GAP}px; background: #c9d6d2 }
    img { border-radius: 12px; box-shadow: 0 4px 18px #0004 }
  </style>${tags.join('')}`);
  return page.screenshot();
}
