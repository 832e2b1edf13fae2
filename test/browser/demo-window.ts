import type { BrowserContext, ConsoleMessage, Locator, Page } from 'playwright-core';

/** What a browser says by itself while the relay is away; what a page does wrong it says otherwise. */
const RELAY_AWAY = /net::ERR_CONNECTION_(REFUSED|RESET|CLOSED)|WebSocket connection to .* failed/;

/** What it says of headers that only count on HTTPS, to every page without. */
const WITHOUT_TLS = /Cross-Origin-Opener-Policy header has been ignored|using the Origin-Agent-Cluster header/;

export type Tick = 'waiting' | 'queued' | 'delivered' | 'read';

/** One window of the demo page, by what a person finds in it. */
export class DemoWindow {
  /** Of the page itself: errors, refusals of its policy, warnings. */
  readonly complaints: string[] = [];

  constructor(readonly page: Page) {
    page.on('console', (message) => this.listen(message));
    page.on('pageerror', (error) => this.complaints.push(String(error.stack)));
  }

  /** Both of them, paired. */
  static async openBoth(context: BrowserContext, url: string): Promise<[DemoWindow, DemoWindow]> {
    const first = new DemoWindow(await context.newPage());
    await first.page.goto(url);
    await first.is('Connected');
    const second = await first.openSecond();
    await second.is('Connected');
    return [first, second];
  }

  /** The second person, by the button that the first one has for it. */
  async openSecond(): Promise<DemoWindow> {
    const [page] = await Promise.all([
      this.page.context().waitForEvent('page'),
      this.page.getByRole('link', { name: 'Open the second window' }).click(),
    ]);
    const second = new DemoWindow(page);
    await Promise.all([this, second].map((window) => window.find('#chat').waitFor()));
    return second;
  }

  find(selector: string): Locator {
    return this.page.locator(selector);
  }

  async say(text: string): Promise<void> {
    await this.page.getByLabel('Message', { exact: true }).fill(text);
    await this.page.getByRole('button', { name: 'Send', exact: true }).first().click();
    await this.find('.mine').filter({ hasText: text }).waitFor();
  }

  async hears(text: string): Promise<void> {
    await this.find('.theirs').filter({ hasText: text }).waitFor();
  }

  /** Of one's own message. */
  async ticks(text: string, tick: Tick): Promise<void> {
    await this.find('.mine').filter({ hasText: text }).locator(`.ticks.${tick}`).waitFor();
  }

  async is(state: 'Connected' | 'Reconnecting' | 'Offline'): Promise<void> {
    await this.find('#state').filter({ hasText: state }).waitFor();
  }

  async switchLink(to: 'Connected' | 'Offline'): Promise<void> {
    await this.page.getByRole('switch', { name: 'Online' }).click();
    await this.is(to);
  }

  /** Does not wait for the next attempt. */
  async reconnect(): Promise<void> {
    // It may have come by itself meanwhile, and taken the button away.
    const pressed = this.page
      .getByRole('button', { name: 'Now' })
      .click()
      .catch(() => undefined);
    await this.is('Connected');
    await pressed;
  }

  /** Every message of one side, in the order in which they stand there. */
  async saidBy(who: 'You' | 'They'): Promise<string[]> {
    const all = await this.find('#messages .text').allTextContents();
    return all.filter((text) => text.startsWith(`${who}: `)).map((text) => text.slice(who.length + 2));
  }

  /** What each of one's own messages has, in words. */
  async statuses(): Promise<string[]> {
    const ticks = await this.find('#messages .ticks').all();
    return Promise.all(ticks.map(async (one) => (await one.getAttribute('aria-label')) ?? ''));
  }

  async ownAddress(): Promise<string> {
    return (await this.find('#own-address').getAttribute('title')) ?? '';
  }

  /** A browser without windows has every page in front, so it is told otherwise. */
  async inFront(isInFront: boolean): Promise<void> {
    await this.page.evaluate(`document.hasFocus = () => ${isInFront}; dispatchEvent(new Event('focus'))`);
  }

  private listen(message: ConsoleMessage): void {
    const text = message.text();
    if (!['error', 'warning'].includes(message.type()) || RELAY_AWAY.test(text) || WITHOUT_TLS.test(text)) return;
    this.complaints.push(text);
  }
}
