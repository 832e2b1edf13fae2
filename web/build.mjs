// @ts-check
/** Writes dist/web/<page> of the relay. */
import { build } from 'vite';
import { configOf, PAGES } from './pages.mjs';

for (const page of PAGES) await build(configOf(page));
