// @ts-check
/**
 * Drives one server from outside, checks every message, and reads what the server's processes used.
 * One result as JSON on stdout. Exit 1: something was lost, doubled, out of order, corrupt or unconfirmed; 2: not measured.
 */
import { randomFillSync } from 'node:crypto';
import { parseArgs } from 'node:util';
import { maskingKey } from './frames.mjs';
import { idle } from './idle.mjs';
import { offline } from './offline.mjs';
import { pairs } from './pairs.mjs';
import { storm } from './storm.mjs';

const SCENARIOS = { pairs, idle, offline, storm };

const USAGE = `usage: node bench/load.mjs pairs|idle|offline|storm ws://127.0.0.1:3002/[,ws://…] --pid SERVER[,SERVER…] [options]

  pairs     --pairs 50 --window 32 --size 300 --warmup 2 --seconds 5
            --rate R          open loop: R messages/s on schedule, latency from the scheduled time to the receipt
            --fan-in          all senders to one recipient
  idle      --connections 10000
            --settle 12       seconds without traffic before memory is looked at
  storm     --connections 2000
  offline   --pairs 50 --messages 1000 --window 32 --size 300
            --rehearsals 0    so many times before, unmeasured, between others
  all       --mask            a masking key that is not zero, which servers must undo
            --redis-pid PID   the server's Redis, whose CPU is then measured too
            --patience 12     seconds in which nothing moves before what is missing counts as lost

mqtt://… is driven as a broker. The server must have its limits raised (sends, connections per address, waiting messages):
see bench/README.md.
`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    pid: { type: 'string', default: '0' },
    'redis-pid': { type: 'string', default: '0' },
    pairs: { type: 'string', default: '50' },
    window: { type: 'string', default: '32' },
    size: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '5' },
    warmup: { type: 'string', default: '2' },
    rate: { type: 'string', default: '0' },
    connections: { type: 'string', default: '10000' },
    settle: { type: 'string', default: '12' },
    messages: { type: 'string', default: '1000' },
    rehearsals: { type: 'string', default: '0' },
    patience: { type: 'string', default: '12' },
    'fan-in': { type: 'boolean', default: false },
    mask: { type: 'boolean', default: false },
  },
});

const [scenario, addresses = ''] = positionals;
const run = Object.entries(SCENARIOS).find(([name]) => name === scenario)?.[1];
const { pid, ...others } = values;
const pids = pid.split(',').map(Number);
if (run === undefined || addresses === '' || ![...Object.values(others).map(Number), ...pids].every((n) => n >= 0)) {
  process.stderr.write(USAGE);
  process.exit(2);
}

if (values.mask) randomFillSync(maskingKey);
const options = {
  urls: addresses.split(',').map((address) => new URL(address)),
  pids,
  redisPid: Number(values['redis-pid']),
  pairs: Number(values.pairs),
  window: Number(values.window),
  size: Number(values.size),
  seconds: Number(values.seconds),
  warmup: Number(values.warmup),
  rate: Number(values.rate),
  connections: Number(values.connections),
  settleMs: Number(values.settle) * 1000,
  messages: Number(values.messages),
  rehearsals: Number(values.rehearsals),
  patienceMs: Number(values.patience) * 1000,
  fanIn: values['fan-in'],
};

try {
  const { figures, ledger } = await run(options);
  const faults = ledger.faults();
  const { sent, received, queued, delivered, repeatedVerdicts, notes } = ledger;
  const counts = { sent, received, queued, delivered, repeatedVerdicts };
  console.log(JSON.stringify({ scenario, figures, counts, faults, notes }));
  process.exit(ledger.hasFaults ? 1 : 0);
} catch (error) {
  console.error(`load: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(2);
}
