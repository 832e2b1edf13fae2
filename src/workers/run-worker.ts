import cluster from 'node:cluster';
import type { Server } from 'node:http';
import { createApp } from '../app/create-app.js';
import { endOnBugs } from '../app/end-on-bugs.js';
import { listen } from '../app/listen.js';
import { stopping } from '../app/stopping.js';
import { addressNames } from '../common/address-names.js';
import { SystemClock } from '../common/clock.js';
import { loadSettings, SettingsError } from '../common/load-settings.js';
import { Logger } from '../common/logger.js';
import type { Settings } from '../common/settings.js';
import { EXIT_CONFIGURATION, StartError } from '../common/start-error.js';
import { OwnHealth } from '../health/own-health.js';
import { MetricsService } from '../metrics/metrics.service.js';
import type { Beginning } from './messages.js';
import { PrimaryLink } from './primary-link.js';
import { WorkerSiblings } from './worker-siblings.js';

type App = Awaited<ReturnType<typeof createApp>>;

/** Of a server that passes every connection on: fewer than it can have. 0 would mean any number to Node 20. */
const NONE = -1;
const PRIMARY_CHECK_MS = 1_000;

/** One relay of several, told what to do by the primary. Resolves once it is ready but for the port. */
export async function runWorker(): Promise<void> {
  // Until there is something to drain the primary's word counts alone, also where a whole group is signalled.
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => undefined);
  const link = new PrimaryLink(process);
  const beginning = await link.begin();
  try {
    await prepare(link, beginning);
  } catch (error) {
    await giveUp(link, error);
  }
}

async function prepare(link: PrimaryLink, beginning: Beginning): Promise<void> {
  const settings = loadSettings(beginning.environment);
  const logger = loggerOf(settings, beginning);
  const siblings = new WorkerSiblings(link, beginning);
  const app = await createApp({ settings, clock: new SystemClock(), logger, siblings });
  endOnBugs(logger);
  stopWhenTold(link, { app, logger, drainSeconds: settings.drainSeconds });
  await app.init();
  answer(link, app);
  link.on('listen', () => {
    listen(app, settings).then(
      (url) => link.tell({ type: 'listening', url }),
      (error: unknown) => giveUp(link, error),
    );
  });
  await link.tell({ type: 'prepared' });
}

function loggerOf(settings: Settings, { namingKey, worker }: Beginning): Logger {
  const { environment, logLevel: level } = settings;
  // One address has one name in the log, whichever worker writes of it.
  const addressName = addressNames(settings, () => Buffer.from(namingKey, 'hex'));
  return Logger.create({ level, json: environment === 'production', addressName, worker });
}

/**
 * A supervisor may signal the whole group, so that the signal comes here too, before or after the primary's word: both mean
 * one stop. Only the primary ends this process at once.
 */
function stopWhenTold(
  link: PrimaryLink,
  { app, logger, drainSeconds }: { app: App; logger: Logger; drainSeconds: number },
): void {
  const begin = stopping({
    logger,
    drainSeconds,
    close: () => app.close(),
    exit: (code) => process.exit(code),
    after: (delayMs, run) => void setTimeout(run, delayMs).unref(),
  });
  let isTold = false;
  const stop = (signal: string): void => {
    if (isTold) return;
    isTold = true;
    begin(signal);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  link.on('stop', ({ signal }) => stop(signal));
  const isAlone = (): void => {
    logger.error('the primary has gone, and the port with it');
    process.exit(1);
  };
  cluster.worker?.on('disconnect', isAlone);
  // Of a channel that ends in the midst of a message Node tells nothing.
  setInterval(() => {
    if (!process.connected) isAlone();
  }, PRIMARY_CHECK_MS).unref();
}

function answer(link: PrimaryLink, app: App): void {
  const [health, metrics] = [app.get(OwnHealth, { strict: false }), app.get(MetricsService, { strict: false })];
  link.answer('ping', () => Promise.resolve(null));
  link.answer('state', () => Promise.resolve(health.state()));
  link.answer('health', () => health.read());
  link.answer('metrics', () => metrics.json());
  link.on('pass on', ({ isOn }) => {
    const server = app.getHttpServer() as Server;
    if (isOn) server.maxConnections = NONE;
    else server.maxConnections = Infinity;
  });
}

/** The primary says why, for all workers once. */
async function giveUp(link: PrimaryLink, error: unknown): Promise<never> {
  if (error instanceof SettingsError) {
    await link.tell({ type: 'failed', exitCode: EXIT_CONFIGURATION, reasons: error.problems });
  } else if (error instanceof StartError) {
    await link.tell({ type: 'failed', exitCode: error.exitCode, reasons: error.reasons });
  } else {
    throw error;
  }
  process.exit(error instanceof StartError ? error.exitCode : EXIT_CONFIGURATION);
}
