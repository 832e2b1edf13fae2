// @ts-check
/** Loaded into the relay's process (`--import`): tells the parent how long its event loop stood still, and how much of that it worked. */
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setInterval } from 'node:timers';

const EVERY_MS = 10;
/** Less is not worth a message. */
const FROM_MS = 20;

let last = performance.now();
let lastCpu = process.cpuUsage();
setInterval(() => {
  const now = performance.now();
  const { user, system } = process.cpuUsage(lastCpu);
  const lagMs = now - last - EVERY_MS;
  last = now;
  lastCpu = process.cpuUsage();
  if (lagMs > FROM_MS) process.send?.({ lagMs, cpuMs: (user + system) / 1000 });
}, EVERY_MS).unref();
// Does not keep the relay alive.
process.channel?.unref();
