import type { Browser, BrowserContext } from 'playwright-core';
import { startBrowser } from '../support/chromium.js';
import { freePort, RedisServer } from '../support/redis-server.js';
import { type RunningRelay, startRelay } from '../support/relay.js';
import { RelayProcess } from '../support/relay-process.js';
import { complaintsOfAxe, withAxe } from './accessibility.js';
import { DemoWindow } from './demo-window.js';

/** What others do on the same machine counts too. */
const TEST_WITHIN_MS = 300_000;
const STEP_WITHIN_MS = 60_000;
/** By plain HTTP and not `localhost`: a browser gives such a page no `crypto.subtle`, no clipboard, no locks. */
const DOMAIN = 'relay.test';

/** The built page in a real browser: `npm run build` first, if you call jest directly. */
describe('the demo page, in two windows', () => {
  let browser: Browser;
  let context: BrowserContext;
  let first: DemoWindow;
  let second: DemoWindow;

  async function openBoth(url: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<void> {
    context = await browser.newContext({ viewport: { width: 620, height: 860 }, ...options });
    context.setDefaultTimeout(STEP_WITHIN_MS);
    await withAxe(context);
    [first, second] = await DemoWindow.openBoth(context, url);
  }

  afterEach(async () => {
    await context?.close();
  }, TEST_WITHIN_MS);

  describe('before a relay on Redis that only lets in who proves an address', () => {
    let redis: RedisServer;
    let relay: RelayProcess;
    let port: string;

    async function start(): Promise<void> {
      const stored = { STORAGE: 'redis', REDIS_URL: redis.url };
      relay = await RelayProcess.start({
        AUTH_MODE: 'signed',
        PUBLIC_DOMAIN: DOMAIN,
        DEMO: 'true',
        ...stored,
        PORT: port,
      });
    }

    /** The relay dies in the middle of whatever it does, and comes back where it was. */
    async function killAndRestart(meanwhile: () => Promise<void>): Promise<void> {
      await relay.stop('SIGKILL');
      await first.is('Reconnecting');
      // It passes: nobody is told to throw a key away.
      const notice = first.find('#notice').filter({ hasText: /cannot be reached|another is tried/ });
      await notice.waitFor();
      expect(await notice.getByRole('button').count()).toBe(0);
      await meanwhile();
      await start();
      await first.reconnect();
      await notice.waitFor({ state: 'detached' });
    }

    beforeEach(async () => {
      redis = await RedisServer.start({ appendfsync: 'always' });
      // It comes back there after a crash, so nobody may get it meanwhile.
      port = String(await freePort());
      await start();
      browser = await startBrowser([`--host-resolver-rules=MAP ${DOMAIN} ${new URL(relay.url).host}`]);
      await openBoth(`http://${DOMAIN}/demo`);
    }, TEST_WITHIN_MS);

    afterEach(async () => {
      await browser?.close();
      await relay?.stop('SIGKILL');
      await redis?.close();
    }, TEST_WITHIN_MS);

    it(
      'every message arrives once through absences and two crashes of the relay, and all ticks turn',
      async () => {
        await first.say('one');
        await second.hears('one');
        await first.ticks('one', 'read');

        await second.switchLink('Offline');
        await first.find('#presence').filter({ hasText: 'last seen' }).waitFor();
        await first.say('two, to nobody');
        await first.ticks('two', 'queued');
        await second.say('three, from nowhere');
        await second.ticks('three', 'waiting');
        await second.switchLink('Connected');
        await first.find('#presence').filter({ hasText: 'online' }).waitFor();
        await first.ticks('two', 'read');
        await second.ticks('three', 'read');

        await second.switchLink('Offline');
        await first.say('four, kept by Redis');
        await first.ticks('four', 'queued');
        await killAndRestart(async () => {
          await first.say('five, kept by the window');
          await first.ticks('five', 'waiting');
        });
        await first.ticks('five', 'queued');
        await second.switchLink('Connected');
        await first.ticks('five', 'read');
        await killAndRestart(() => second.say('six, before it noticed or after'));
        await second.reconnect();
        await second.ticks('six', 'read');

        await first.page.reload();
        await first.is('Connected');
        await first.say('seven, after a reload');
        await first.ticks('seven', 'read');

        const mine = [
          'one',
          'two, to nobody',
          'four, kept by Redis',
          'five, kept by the window',
          'seven, after a reload',
        ];
        const theirs = ['three, from nowhere', 'six, before it noticed or after'];
        await expectAll(first, mine, theirs);
        await expectAll(second, theirs, mine);
      },
      TEST_WITHIN_MS,
    );

    /** Everything once, in the order of who said it, all of it read, and nothing that the browser minds. */
    async function expectAll(window: DemoWindow, mine: string[], theirs: string[]): Promise<void> {
      expect(await window.saidBy('You')).toEqual(mine);
      expect(await window.saidBy('They')).toEqual(theirs);
      expect(await window.statuses()).toEqual(mine.map(() => 'They have read it'));
      expect(window.complaints).toEqual([]);
    }
  });

  describe('before a relay in memory that believes everybody', () => {
    let relay: RunningRelay;

    beforeAll(async () => {
      browser = await startBrowser();
    }, TEST_WITHIN_MS);

    afterAll(() => browser?.close(), TEST_WITHIN_MS);

    beforeEach(async () => {
      relay = await startRelay();
      await openBoth(`http://localhost:${relay.port}/demo`);
    }, TEST_WITHIN_MS);

    afterEach(() => relay?.stop(), TEST_WITHIN_MS);

    it(
      'shows who writes, counts a burst, and what the relay sees is not what was said',
      async () => {
        await second.find('#text').pressSequentially('hm');
        await first.find('#typing').waitFor();
        await second.find('#text').fill('');
        await first.find('#typing').waitFor({ state: 'hidden' });

        await first.page.getByText('What the relay sees').click();
        await first.say('a word that only two know');
        await first.ticks('a word', 'read');
        const frames = (await first.find('#frame-list').innerText()).replaceAll(/\s/g, '');
        expect(frames).toContain('{"type":"message","to":"0x');
        expect(frames).toContain('"type":"delivered"');
        expect(frames).not.toMatch(/only\s*two|"token":"(?!…)|"signature":"(?!…)/);

        await first.find('#burst-send').click();
        await second.hears('100 messages came, each once and in order');
        await first.ticks('100 messages delivered', 'read');
        expect(await second.saidBy('They')).toHaveLength(2);
        expect(Number(await first.find('#peak').innerText())).toBeGreaterThan(0);
        expect([...first.complaints, ...second.complaints]).toEqual([]);
      },
      TEST_WITHIN_MS,
    );

    it(
      'has nothing to send before there is somebody, and asks before it throws a key away',
      async () => {
        const alone = new DemoWindow(await context.newPage());
        await alone.page.goto(`http://localhost:${relay.port}/demo`);
        await alone.is('Connected');
        expect(await alone.find('#burst-send').isDisabled()).toBe(true);
        expect(await first.find('#burst-send').isEnabled()).toBe(true);

        const before = await alone.ownAddress();
        await alone.page.getByText('What the ticks mean').click();
        const asked = alone.page.waitForEvent('dialog');
        const pressed = alone.find('#start-over').click();
        await (await asked).dismiss();
        await pressed;
        expect(await alone.ownAddress()).toBe(before);
        alone.page.once('dialog', (dialog) => void dialog.accept());
        await Promise.all([alone.page.waitForEvent('load'), alone.find('#start-over').click()]);
        await alone.is('Connected');
        expect(await alone.ownAddress()).not.toBe(before);
      },
      TEST_WITHIN_MS,
    );

    it(
      'pairs two windows where the key of the second one is long in coming',
      async () => {
        let publish = (): void => undefined;
        const held = new Promise<void>((resolve) => (publish = resolve));
        const one = new DemoWindow(await context.newPage());
        await one.page.goto(`http://localhost:${relay.port}/demo`);
        await one.is('Connected');
        let isAsked = (): void => undefined;
        const asked = new Promise<void>((resolve) => (isAsked = resolve));
        await context.route('**/api/public-keys', async (route) => {
          isAsked();
          await held;
          await route.continue();
        });
        const two = new DemoWindow(await context.newPage());
        await two.page.goto(`http://localhost:${relay.port}/demo#to=${await one.ownAddress()}`);
        await two.find('#presence').filter({ hasText: 'online' }).waitFor();
        await asked;
        // Nothing in it says who they are, until what it is sealed with can be looked up.
        await two.page.getByText('What the relay sees').click();
        const frames = two.find('#frame-list').filter({ hasText: 'presence' });
        expect((await frames.innerText()).replaceAll(/\s/g, '')).not.toContain('"type":"message"');
        publish();
        await one.find('#chat').waitFor();
        await two.say('here I am');
        await two.ticks('here I am', 'read');
      },
      TEST_WITHIN_MS,
    );

    it(
      'counts as read only what stands in a window in front',
      async () => {
        await second.inFront(false);
        await first.say('unseen');
        await first.ticks('unseen', 'delivered');
        await second.page.waitForFunction(`document.title.startsWith('(1) ')`);
        await second.inFront(true);
        await first.ticks('unseen', 'read');
      },
      TEST_WITHIN_MS,
    );

    it(
      'keeps a third person apart, and begins anew with another key where a window was copied',
      async () => {
        const link = `http://localhost:${relay.port}/demo#to=${await first.ownAddress()}`;
        const third = new DemoWindow(await context.newPage());
        await third.page.goto(link);
        await third.say('is anybody there?');
        await first.page.getByText('Somebody else wrote').waitFor();
        expect(await first.saidBy('They')).toEqual([]);

        const before = await first.ownAddress();
        await first.page.evaluate(`location.assign('${link}')`);
        await first.page.reload();
        await first.find('#chat').waitFor();
        expect(await first.ownAddress()).not.toBe(before);
        expect(await first.find('#peer-name').getAttribute('title')).toBe(before);
      },
      TEST_WITHIN_MS,
    );

    it(
      'is usable by keyboard and screen reader, in light and dark, and fits 360 pixels',
      async () => {
        const alone = new DemoWindow(await context.newPage());
        await alone.page.goto(`http://localhost:${relay.port}/demo`);
        await alone.is('Connected');
        await first.say(`a long word: ${'x'.repeat(300)}`);
        await first.ticks('a long word', 'read');
        for (const summary of await first.find('summary').all()) await summary.click();
        await first.page.setViewportSize({ width: 360, height: 640 });
        await first.page.evaluate('scrollTo(0, 0)');
        const composer = await first.find('#composer').boundingBox();
        expect(composer!.y + composer!.height).toBeLessThanOrEqual(640);
        for (const { page } of [alone, first]) {
          await page.setViewportSize({ width: 360, height: 700 });
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
          for (const colorScheme of ['light', 'dark'] as const) {
            await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
            expect(await complaintsOfAxe(page)).toEqual([]);
          }
        }
      },
      TEST_WITHIN_MS,
    );
  });
});
