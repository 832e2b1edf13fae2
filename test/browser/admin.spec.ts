import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { startBrowser } from '../support/chromium.js';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { Device } from '../support/device.js';
import { RelayProcess } from '../support/relay-process.js';
import { complaintsOfAxe, withAxe } from './accessibility.js';

const ADMIN_TOKEN = 'the-admin-token-of-this-test-0123456789';
const TEST_WITHIN_MS = 300_000;
const STEP_WITHIN_MS = 60_000;
const ALICE = addressOf(1);
const BOB = addressOf(2);

/** The built page in a real browser, before the built relay: `npm run build` first, if you call jest directly. */
describe('the admin page, in a browser', () => {
  let relay: RelayProcess;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    browser = await startBrowser();
  }, TEST_WITHIN_MS);

  afterAll(async () => {
    await browser?.close();
  }, TEST_WITHIN_MS);

  beforeEach(async () => {
    relay = await RelayProcess.start({ ADMIN_TOKEN, DRAIN_SECONDS: '1' });
    context = await browser.newContext();
    context.setDefaultTimeout(STEP_WITHIN_MS);
    await withAxe(context);
    page = await context.newPage();
    complaints = [];
    page.on('pageerror', (error) => complaints.push(String(error.stack)));
    page.on('console', (message) => {
      // A refused call is one too, and wanted here.
      if (message.type() === 'error' && !message.text().includes('status of 401')) complaints.push(message.text());
    });
  }, TEST_WITHIN_MS);

  afterEach(async () => {
    await context.close();
    await relay.stop('SIGKILL');
    expect(complaints).toEqual([]);
  });

  const find = (selector: string): Locator => page.locator(selector);

  async function enter(token = ADMIN_TOKEN): Promise<void> {
    await find('#token').fill(token);
    await find('#sign-in button').click();
  }

  async function signIn(): Promise<void> {
    await page.goto(`${relay.url}/admin`);
    await enter();
    await find('#board').waitFor();
  }

  async function look(address: string): Promise<void> {
    await find('#address').fill(address);
    await find('#find button').click();
    await find('.whole').filter({ hasText: address }).waitFor();
  }

  /** A button, and what it asks then. */
  async function press(name: string, yes: string, why?: string): Promise<void> {
    await page.getByRole('button', { name, exact: true }).click();
    if (why !== undefined) await find('#note').fill(why);
    await find('#confirm-yes').filter({ hasText: yes }).click();
  }

  const shows = (figure: string, text: string | RegExp): Promise<void> =>
    find(`[data-figure=${figure}]`).filter({ hasText: text }).waitFor();

  it(
    'lets in who has the token, keeps it in the tab alone, and forgets it',
    async () => {
      await page.goto(`${relay.url}/admin`);
      await enter('not the token');
      await find('#sign-in-error').filter({ hasText: 'That is not the token' }).waitFor();
      await enter();
      await find('#board').waitFor();
      expect(await page.evaluate('[localStorage.length, document.cookie, location.href]')).toEqual([
        0,
        '',
        `${relay.url}/admin`,
      ]);
      await page.reload();
      await find('#board').waitFor();
      const other = await context.newPage();
      await other.goto(`${relay.url}/admin`);
      await other.locator('#sign-in').waitFor();
      await find('#forget').click();
      await find('#sign-in').waitFor();
      await page.reload();
      await find('#sign-in').waitFor();
      expect(await page.evaluate('sessionStorage.length')).toBe(0);
    },
    TEST_WITHIN_MS,
  );

  it(
    'moves with the traffic, without being asked',
    async () => {
      await signIn();
      await shows('connections', /^Connections0/);
      const [alice, bob] = [
        await ClassicClient.signIn(relay.wsUrl, ALICE),
        await Device.open(relay.wsUrl, BOB, 'phone'),
      ];
      await shows('connections', /^Connections2/);
      for (let i = 0; i < 40; i++) alice.message(i % 2 === 0 ? BOB : addressOf(3), `m${i}`);
      await bob.client.waitForCount('message', 20);
      await shows('waiting', '20messages, in 1 mailbox');
      await shows('accepted', /Accepted[1-9]|Accepted0\.[1-9]/);
      await find('#fullest tbody tr').filter({ hasText: '20' }).waitFor();
      await find('#ledger').filter({ hasText: '40 accepted' }).waitFor();
      await find('#ledger .is-pending').filter({ hasText: '20' }).waitFor();
      await find('#nodes .spark .line').waitFor({ state: 'attached' });
      await page.getByTitle(addressOf(3)).first().click();
      await find('#found').filter({ hasText: '20 messages' }).waitFor();
      alice.kill();
      await shows('connections', /^Connections1/);
    },
    TEST_WITHIN_MS,
  );

  it(
    'revokes: what an address has open is closed, once the operator has said yes',
    async () => {
      const phone = await Device.open(relay.wsUrl, ALICE, 'phone');
      const laptop = await Device.open(relay.wsUrl, ALICE, 'laptop');
      await signIn();
      await look(ALICE);
      await find('[data-device=phone]').filter({ hasText: 'connected' }).waitFor();
      await page.getByRole('button', { name: 'Revoke all sessions' }).click();
      await find('#confirm').getByRole('button', { name: 'Cancel' }).click();
      await phone.client.settled();
      await find('[data-device=phone]').getByRole('button', { name: 'End' }).click();
      await find('#confirm-yes').click();
      expect(await phone.client.closed()).toBe(4440);
      await find('[data-device=phone]').waitFor({ state: 'detached' });
      await laptop.client.settled();
      await press('Revoke all sessions', 'Revoke them');
      expect(await laptop.client.closed()).toBe(4440);
      await find('[data-device=laptop]').filter({ hasText: 'last here' }).waitFor();
    },
    TEST_WITHIN_MS,
  );

  it(
    'bans: the address is closed and refused, until the ban is lifted',
    async () => {
      const alice = await ClassicClient.signIn(relay.wsUrl, ALICE);
      await signIn();
      await look(ALICE);
      await press('Ban', 'Ban it', 'spam <b>all</b> day');
      expect(await alice.closed()).toBe(4403);
      await find('#bans li').filter({ hasText: 'spam <b>all</b> day' }).waitFor();
      await find('#found .bad').filter({ hasText: 'Banned' }).waitFor();
      const again = await ClassicClient.connect(relay.wsUrl);
      again.send({ type: 'auth', address: ALICE });
      expect(await again.waitFor('error')).toMatchObject({ code: 'forbidden' });
      await page.getByRole('button', { name: 'Lift', exact: true }).click();
      await find('#bans').filter({ hasText: 'None.' }).waitFor();
      await (await ClassicClient.signIn(relay.wsUrl, ALICE)).settled();
    },
    TEST_WITHIN_MS,
  );

  it(
    'drains a node and says how far it is, stays itself, and lets clients in again',
    async () => {
      const alice = await ClassicClient.signIn(relay.wsUrl, ALICE);
      await signIn();
      await shows('connections', /^Connections1/);
      await page.getByRole('button', { name: 'Drain', exact: true }).click();
      await find('#confirm-text').filter({ hasText: 'the only node that is up: it cuts off its 1 client' }).waitFor();
      await find('#confirm-yes').filter({ hasText: 'Drain the only node' }).click();
      await alice.waitFor('going_away');
      expect(await alice.closed()).toBe(1012);
      await find('.node .state').filter({ hasText: 'drained' }).waitFor();
      await expect(ClassicClient.signIn(relay.wsUrl, ALICE)).rejects.toThrow('503');
      await page.getByRole('button', { name: 'Let clients in again' }).click();
      await find('.node .state').filter({ hasText: /^up$/ }).waitFor();
      await (await ClassicClient.signIn(relay.wsUrl, ALICE)).settled();
    },
    TEST_WITHIN_MS,
  );

  it(
    'says that the relay does not answer, and goes on when it is back',
    async () => {
      await signIn();
      relay.process.kill('SIGSTOP');
      await find('#live').filter({ hasText: 'no answer' }).waitFor();
      relay.process.kill('SIGCONT');
      await find('#live').filter({ hasText: 'live' }).waitFor();
    },
    TEST_WITHIN_MS,
  );

  it(
    'keeps the keyboard where it is while everything moves',
    async () => {
      const alice = await ClassicClient.signIn(relay.wsUrl, ALICE);
      await signIn();
      await find('.node button').focus();
      alice.message(BOB, 'm1');
      await shows('waiting', '1messages, in 1 mailbox');
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Drain');
    },
    TEST_WITHIN_MS,
  );

  it.each(['light', 'dark'] as const)(
    'is readable on a phone and for assistive technology, in the %s',
    async (colorScheme) => {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width: 360, height: 740 });
      await page.goto(`${relay.url}/admin`);
      expect(await complaintsOfAxe(page)).toEqual([]);
      const alice = await ClassicClient.signIn(relay.wsUrl, ALICE);
      for (let i = 0; i < 3; i++) alice.message(addressOf(10 + i), 'm1');
      await enter();
      await find('#fullest tbody tr').nth(2).waitFor();
      await look(ALICE);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      expect(await complaintsOfAxe(page)).toEqual([]);
    },
    TEST_WITHIN_MS,
  );
});
