// @ts-check
/** Writes dist/web/<page> of the relay, and dist/web/base.css. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { build } from 'vite';
import { configOf, PAGES } from './pages.mjs';

for (const page of PAGES) await build(configOf(page));
// For the pages that the server makes itself: the reference, and what stands at `/`.
const built = new URL('../dist/web/', import.meta.url);
mkdirSync(built, { recursive: true });
copyFileSync(new URL('base.css', import.meta.url), new URL('base.css', built));
