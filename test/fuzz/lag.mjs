// @ts-check
/** Loaded into the relay's process (`--import`): tells the parent how long its event loop stood still. */
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setInterval } from 'node:timers';

const EVERY_MS = 10;
/** Less is not worth a message. */
const FROM_MS = 20;

let last = performance.now();
setInterval(() => {
  const now = performance.now();
  const lagMs = now - last - EVERY_MS;
  last = now;
  if (lagMs > FROM_MS) process.send?.({ lagMs });
}, EVERY_MS).unref();
// Does not keep the relay alive.
process.channel?.unref();
