import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { NodeProcess } from './node.repository.js';

const NS_PER_MS = 1e6;
const US_PER_MS = 1e3;
/** How often the event loop is looked at; what comes later than that is its lag. */
const RESOLUTION_MS = 20;

/** What this process takes of its machine. */
export class ProcessMeter {
  private readonly loop: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  private cpu = process.cpuUsage();
  private readAt = performance.now();

  /** Since the last reading; the first one begins to watch the event loop. */
  read(): NodeProcess {
    this.loop.enable();
    const now = performance.now();
    const { user, system } = process.cpuUsage(this.cpu);
    const cpu = (user + system) / US_PER_MS / Math.max(1, now - this.readAt);
    this.cpu = process.cpuUsage();
    this.readAt = now;
    const { rss, heapUsed } = process.memoryUsage();
    const loopP99Ms = lagMs(this.loop.percentile(99));
    const loopMaxMs = lagMs(this.loop.max);
    this.loop.reset();
    return { cpu: Math.round(cpu * 1000) / 1000, rssBytes: rss, heapBytes: heapUsed, loopP99Ms, loopMaxMs };
  }
}

/** The histogram holds the time between two looks. */
function lagMs(betweenNs: number): number {
  return Math.max(0, Math.round((betweenNs / NS_PER_MS - RESOLUTION_MS) * 10) / 10);
}
