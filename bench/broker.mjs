// @ts-check
/** Mosquitto, set up for the relay's job: sessions that outlive a connection, QoS 1, no bound on what waits, as many under way as the relay allows. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, onCore } from './redis.mjs';
import { startProcess } from './server-process.mjs';

/** The relay's own window of a connection. */
const MESSAGES_UNDER_WAY = 64;
const PROGRAMS = ['mosquitto', '/usr/sbin/mosquitto'];

/** Its name, where it is installed. `-h` says the version and ends with 3. */
export function brokerCommand() {
  return PROGRAMS.find((program) =>
    spawnSync(program, ['-h'], { encoding: 'utf8' }).stdout?.includes('mosquitto version'),
  );
}

/** @type {(port: number, folder: string) => string} */
function configuration(port, folder) {
  return [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence true',
    `persistence_location ${folder}/`,
    'max_queued_messages 0',
    `max_inflight_messages ${MESSAGES_UNDER_WAY}`,
    'set_tcp_nodelay true',
    'log_dest stderr',
    'log_type error',
    ...(process.getuid?.() === 0 ? ['user root'] : []), // it would give up its rights, and then not write to our folder
    '',
  ].join('\n');
}

/** On core 0, with its file in a folder that goes with it. */
export async function startBroker() {
  const program = brokerCommand();
  if (program === undefined)
    throw new Error('no mosquitto is installed: apt-get install mosquitto (Debian), brew install mosquitto');
  const folder = mkdtempSync(join(tmpdir(), 'relay-bench-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const removeNow = () => {
    process.off('exit', remove);
    remove();
  };
  const port = await freePort();
  const file = join(folder, 'mosquitto.conf');
  writeFileSync(file, configuration(port, folder));
  const command = [...onCore(0), program, '-c', file];
  try {
    const running = await startProcess({ name: 'mosquitto', url: `mqtt://127.0.0.1:${port}`, command, env: {} });
    return { ...running, stop: () => running.stop().finally(removeNow) };
  } catch (error) {
    removeNow();
    throw error;
  }
}
