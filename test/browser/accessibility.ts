import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { BrowserContext, Page } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** To be called before the pages are opened: their policy lets no other script in. */
export async function withAxe(context: BrowserContext): Promise<void> {
  await context.addInitScript({ content: AXE });
}

/** What breaks WCAG 2.2 AA or axe's own good practice, as `rule: element`. */
export async function complaintsOfAxe(page: Page): Promise<string[]> {
  const { violations } = await page.evaluate<AxeResults>('axe.run()');
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${String(target)}`));
}
