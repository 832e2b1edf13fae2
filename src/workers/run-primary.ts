import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { endOnBugs } from '../app/end-on-bugs.js';
import { sayListening, warnOfSettings } from '../app/start-warnings.js';
import { stopping } from '../app/stopping.js';
import { Logger } from '../common/logger.js';
import type { Settings } from '../common/settings.js';
import { listenForScrapes, MetricsServer } from '../metrics/metrics.server.js';
import { ConnectionUnderWay } from './connection-under-way.js';
import { GroupMetrics } from './group-metrics.js';
import { WORKER_MARK } from './worker-mark.js';
import { Supervisor } from './supervisor.js';
import type { Forked } from './worker-process.js';

const NAMING_KEY_BYTES = 32;

/**
 * Holds the port and hands its connections to `WORKERS` processes in turn, keeps those running, and answers for all of them
 * where they are measured. Resolves once they listen. Rejects with `StartError`.
 */
export async function runPrimary(settings: Settings, environment: Readonly<Record<string, string>>): Promise<void> {
  const { environment: kind, logLevel, drainSeconds, workerCount: count } = settings;
  const logger = Logger.create({ level: logLevel, json: kind === 'production' });
  endOnBugs(logger);
  logger.info('starting workers', { workers: count });
  const namingKey = randomBytes(NAMING_KEY_BYTES).toString('hex');
  const supervisor: Supervisor = new Supervisor({
    count,
    fork: prepareForks(),
    beginning: { environment, namingKey },
    logger,
    monotonic: () => performance.now(),
    after: (delayMs, run) => void setTimeout(run, delayMs),
    lost: (worker) => void metrics.lost(worker),
  });
  const metrics = new GroupMetrics(supervisor);
  // However this ends, nobody is left behind.
  process.on('exit', () => supervisor.kill());
  const stop = stopping({
    logger,
    drainSeconds,
    close: () => supervisor.stop('SIGTERM'),
    exit: (code) => process.exit(code),
    after: (delayMs, run) => void setTimeout(run, delayMs).unref(),
  });
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  warnOfSettings(settings, logger);
  await listenForScrapes(new MetricsServer(metrics), settings, logger);
  sayListening(settings, logger, await supervisor.start());
}

/** Workers are this program again, with the same flags of Node. */
function prepareForks(): () => Forked {
  // Not left to the kernel, which gives most connections to whoever is awake; NODE_CLUSTER_SCHED_POLICY does not count either.
  cluster.schedulingPolicy = cluster.SCHED_RR;
  const exec = fileURLToPath(new URL('../main.js', import.meta.url));
  cluster.setupPrimary({ exec, args: [], execArgv: process.execArgv });
  return () => {
    const worker = cluster.fork(WORKER_MARK);
    const connection = new ConnectionUnderWay(worker.process);
    const letGo = (): void => {
      connection.close();
      // Node does that too, but where it does not tell of the end of the channel.
      worker.disconnect();
    };
    return Object.assign(worker, { letGo });
  };
}
