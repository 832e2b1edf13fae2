import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ROOT } from '../support/relay-process.js';

/** Other suites run beside this one, so how long a send waits is judged where the drill runs alone: `npm run drill`. */
const LOAD = '--send-p99-ms 0 --seconds 15 --nodes 2 --rate 80 --addresses 40 --two-devices 10'.split(' ');

/** Two builds on one Redis, under load: this one, and one that keeps one place more in each state and each device. */
describe('an upgrade node by node, and back', () => {
  it('loses nothing, cuts nobody, and leaves each version what only that one knows', async () => {
    const args = [join(ROOT, 'test/drill/run.mjs'), '--plan', 'upgrade', '--strict', '--json', '--seed', '3', ...LOAD];
    const drill = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { out: '', progress: '' };
    drill.stdout.on('data', (data) => (output.out += String(data)));
    drill.stderr.on('data', (data) => (output.progress += String(data)));
    const [code] = (await once(drill, 'close')) as [number | null];
    if (output.out === '') throw new Error(output.progress);
    const { violations, faults, cuts, accepted } = JSON.parse(output.out) as Record<string, unknown>;
    expect(violations).toEqual([]);
    expect({ code, cuts, faults }).toEqual({ code: 0, cuts: 0, faults: { 'upgrade-node': 4 } });
    expect(accepted).toBeGreaterThan(200);
  });
});
