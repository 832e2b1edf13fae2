import type { Browser, Page } from 'playwright-core';
import { startBrowser } from '../support/chromium.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

describe('in a browser', () => {
  let relay: RunningRelay;
  let browser: Browser;
  let page: Page;
  /** What the page's policy refused, and what went wrong in its scripts. */
  let faults: string[];

  beforeAll(async () => {
    relay = await startRelay();
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await relay.stop();
  });
  beforeEach(async () => {
    page = await browser.newPage();
    faults = [];
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
  });
  afterEach(() => page.close());

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
