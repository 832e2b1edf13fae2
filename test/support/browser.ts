import { type Browser, chromium } from 'playwright-core';
import { findBrowser } from '../../scripts/find-browser.mjs';

/** Debian's Chromium, without a window. Root has no sandbox. */
export function startBrowser(args: readonly string[] = []): Promise<Browser> {
  const executablePath = findBrowser();
  if (executablePath === null) throw new Error('no Chromium: npm run setup:test, or CHROMIUM_PATH');
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args: [...sandbox, ...args] });
}
