import type { Browser, BrowserContext, Page } from 'playwright-core';
import { startBrowser } from '../support/chromium.js';
import { complaintsOfAxe, withAxe } from './accessibility.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

describe('in a browser', () => {
  let relay: RunningRelay;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  /** What the page's policy refused, and what went wrong in its scripts. */
  let faults: string[];

  beforeAll(async () => {
    relay = await startRelay({ env: { ADMIN_TOKEN: 'the-admin-token-of-this-test-0123456789' } });
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await relay.stop();
  });
  beforeEach(async () => {
    context = await browser.newContext();
    await withAxe(context);
    page = await context.newPage();
    faults = [];
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
  });
  afterEach(() => context.close());

  const choose = async (frame: string): Promise<void> => {
    await page.locator('#frames').selectOption(frame);
    await page.getByRole('button', { name: 'Send' }).click();
  };
  const logged = (text: string) => page.getByRole('log').getByText(text).first().waitFor();

  it('the console of /docs/ws opens, sends what the reference shows, and shows what comes back', async () => {
    await page.goto(`${relay.url}/docs/ws`);
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await logged('connected');
    await choose('hello');
    await logged('"type":"auth_success"');
    await choose('message');
    await logged('"content":"<ciphertext>"');
    await choose('ack');
    await logged('"type":"delivered"');
    await page.locator('#frame').fill('{"type":');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('This is no JSON').waitFor();
    await page.getByRole('button', { name: 'Disconnect' }).click();
    await logged('closed with 1000');
    expect(faults).toEqual([]);
  });

  it.each(['/', '/docs/ws'])(
    '%s is readable on a phone and for assistive technology, in light and dark',
    async (path) => {
      await page.setViewportSize({ width: 360, height: 740 });
      await page.goto(relay.url + path);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await complaintsOfAxe(page)).toEqual([]);
      }
      expect(faults).toEqual([]);
    },
  );

  it('/ leads to pages that there are', async () => {
    await page.goto(relay.url);
    const names = await page.getByRole('link').allTextContents();
    expect(names).toHaveLength(5);
    for (const name of names) {
      await page.goto(relay.url);
      const answered = page.waitForResponse((response) => response.request().isNavigationRequest());
      await page.getByRole('link', { name, exact: true }).click();
      expect([name, (await answered).status()]).toEqual([name, 200]);
      await page.waitForLoadState();
    }
  });

  it('/docs makes the calls that it describes', async () => {
    await page.goto(`${relay.url}/docs`);
    const call = page.locator('.opblock', { hasText: '/.well-known/relay' });
    await call.locator('.opblock-summary-control').click();
    await call.getByRole('button', { name: 'Try it out' }).click();
    const answered = page.waitForResponse((response) => response.url().endsWith('/.well-known/relay'));
    await call.getByRole('button', { name: 'Execute' }).click();
    expect((await answered).status()).toBe(200);
    await call.locator('.live-responses-table .response-col_status').getByText('200').waitFor();
    expect(faults).toEqual([]);
  });
});
