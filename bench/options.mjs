// @ts-check
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { requireDescriptors } from './proc.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { SERVERS, missingFor } from './servers.mjs';

/** @typedef {import('./scenarios.mjs').Sizes} Sizes */
/** @typedef {{ scenarios: string[], servers: string[], rounds: number, sizes: Sizes, isMasked: boolean, isChecked: boolean, isComplete: boolean, skipped: string[] }} Plan  `isComplete`: nothing was left out, so that its results may stand for all */

/** @type {{ rounds: string } & Sizes} */
const FULL = {
  rounds: '5',
  seconds: '2',
  warmup: '2',
  slow: '8',
  rate: '2000',
  connections: '10000',
  // Some seconds after the last allocation newer versions of Node collect once more and give memory back.
  settle: '12',
  storm: '2000',
  messages: '2000',
  mailboxes: '1000000',
};
const QUICK = {
  ...FULL,
  rounds: '1',
  seconds: '0.5',
  warmup: '0.5',
  slow: '0.5',
  connections: '1000',
  settle: '2',
  storm: '500',
  messages: '100',
  mailboxes: '10000',
};

export const USAGE = `usage: npm run bench -- [options]

  --quick               a short look: one round, small sizes, about two minutes
  --only LIST           of ${Object.keys(SCENARIOS).join(',')}
  --servers LIST        of ${Object.keys(SERVERS).join(',')}
  --check               exit 1 when a bound of bench/bounds.mjs is missed
  --mask                client frames with a masking key that is not zero
  --rounds ${FULL.rounds}            how often every server is measured, in turn
  --seconds ${FULL.seconds}           measured time where messages flow, after --warmup ${FULL.warmup}, or --slow ${FULL.slow} where few flow through each process
  --rate ${FULL.rate}           messages/s of latency
  --connections ${FULL.connections}   of idle, whose memory is looked at after --settle ${FULL.settle} seconds
  --storm ${FULL.storm}          connections of storm
  --messages ${FULL.messages}       per mailbox, of offline
  --mailboxes ${FULL.mailboxes}   mailboxes goes from 1000 to this many by tens

Where a microsecond goes: node bench/profile.mjs --help. What Redis holds: node bench/store.mjs --help.
`;

/** Names given by hand, or all. @type {(given: string | undefined, all: string[]) => string[]} */
function listed(given, all) {
  const names = given?.split(',') ?? all;
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}\n\n${USAGE}`);
  return names;
}

/**
 * Everything that would otherwise be found out minutes later. What cannot run here is left out with its reason, unless it
 * was asked for by name.
 * @param {string[]} args
 * @returns {Plan}
 */
export function planOf(args) {
  const text = /** @type {const} */ ({ type: 'string' });
  const flag = /** @type {const} */ ({ type: 'boolean', default: false });
  const sizes = Object.fromEntries(Object.keys(FULL).map((name) => [name, text]));
  const { values } = parseArgs({
    args,
    options: { ...sizes, only: text, servers: text, quick: flag, mask: flag, check: flag, help: flag },
  });
  const { help, quick, mask, check, only, servers: named, ...given } = values;
  const { rounds, ...chosen } = { ...(quick ? QUICK : FULL), ...given };
  if (help || ![rounds, ...Object.values(chosen)].every((size) => Number(size) > 0)) throw new Error(USAGE);
  const scenarios = listed(/** @type {string | undefined} */ (only), Object.keys(SCENARIOS));
  const wanted = listed(/** @type {string | undefined} */ (named), Object.keys(SERVERS));
  const missing = wanted.flatMap((name) => missingFor(name) ?? []);
  if (named !== undefined && missing[0] !== undefined) throw new Error(missing[0]);
  requireBuild(wanted);
  if (scenarios.includes('idle')) requireDescriptors('self', Number(chosen.connections));
  const servers = wanted.filter((name) => missingFor(name) === null);
  const hasRedis = servers.includes('everysec');
  return {
    scenarios: scenarios.filter((name) => takingPart(name, servers).length > 0 || (name === 'mailboxes' && hasRedis)),
    servers,
    rounds: Number(rounds),
    sizes: /** @type {Sizes} */ (chosen),
    isMasked: mask === true,
    isChecked: check === true,
    isComplete: args.every((arg) => arg === '--check'),
    skipped: wanted.filter((name) => !servers.includes(name)).map((name) => `without ${name}: ${missingFor(name)}`),
  };
}

/** Whom a scenario measures. @param {string} scenario @param {string[]} servers */
export function takingPart(scenario, servers) {
  return (SCENARIOS[scenario]?.rows ?? []).filter((server) => servers.includes(server));
}

/** @param {string[]} servers */
function requireBuild(servers) {
  const needsBuild = servers.some((name) => SERVERS[name]?.script?.startsWith('dist/'));
  if (!needsBuild || existsSync(new URL('../dist/main.js', import.meta.url))) return;
  throw new Error(
    'dist/main.js is missing: `npm run build` first, or leave the relay out with --servers router,batched',
  );
}
