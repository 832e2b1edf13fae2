import 'reflect-metadata';
import cluster from 'node:cluster';
import { readSettingsWithSources } from './app/read-settings.js';
import { SettingsError } from './common/load-settings.js';
import { EXIT_CONFIGURATION, StartError } from './common/start-error.js';

/** A primary loads nothing of the relay itself. */
async function run(): Promise<void> {
  if (cluster.isWorker) return (await import('./workers/run-worker.js')).runWorker();
  const { settings, environment } = await readSettingsWithSources();
  if (settings.workerCount === 1) return (await import('./app/run-alone.js')).runAlone(settings);
  return (await import('./workers/run-primary.js')).runPrimary(settings, environment);
}

try {
  await run();
} catch (error) {
  if (!(error instanceof SettingsError || error instanceof StartError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(error instanceof StartError ? error.exitCode : EXIT_CONFIGURATION);
}
