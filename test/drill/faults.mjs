// @ts-check
import { setTimeout as sleep } from 'node:timers/promises';
import { kindOf } from './fault-plan.mjs';

/**
 * @typedef {import('./fault-plan.mjs').PlannedFault} PlannedFault
 * @typedef {import('./world.mjs').World} World
 * @typedef {import('./population.mjs').Population} Population
 * @typedef {import('./link.mjs').Link} Link
 * @typedef {{ world: World, population: Population, load: import('./load.mjs').Load, history: import('./history.mjs').History, random: import('./random.mjs').Random }} Stage
 * @typedef {(fault: PlannedFault, stage: Stage) => Promise<string>} Act  answers what came of it
 */

const DROP_EVERY_MS = 500;
const OPEN_WITHIN_MS = 4_000;
const ANSWERED_WITHIN_MS = 12_000;
/** More than two pings of a link: who is alive has been heard from. */
const CONTEST_MS = 5_000;
const HEARD_WITHIN_MS = 2_500;

/** @type {Record<string, { touches: import('./history.mjs').Touched, act: Act }>} */
const ACTS = {
  'kill-node': {
    touches: 'node',
    act: async ({ forMs, target }, { world }) => {
      const node = nodeOf(world, target);
      const result = await node.stop('SIGKILL');
      await sleep(forMs);
      await node.start();
      return result;
    },
  },
  'term-node': {
    touches: 'node',
    act: async ({ target }, { world }) => {
      const node = nodeOf(world, target);
      const result = await node.stop('SIGTERM');
      await node.start();
      return result;
    },
  },
  'upgrade-node': {
    touches: 'node',
    act: async ({ target }, { world }) => {
      const node = nodeOf(world, target);
      const result = await node.stop('SIGTERM');
      await node.changeVersion();
      return result;
    },
  },
  'stop-node': {
    touches: 'node',
    act: async ({ forMs, target }, { world }) => {
      const node = nodeOf(world, target);
      node.pause();
      await sleep(forMs);
      node.resume();
      return `stood still ${forMs} ms`;
    },
  },
  'kill-redis': {
    touches: 'store',
    act: async ({ forMs }, { world }) => {
      await world.redis?.kill();
      await sleep(forMs);
      await world.redis?.start();
      return `away ${forMs} ms`;
    },
  },
  'pause-redis': {
    touches: 'store',
    act: async ({ forMs }, { world }) => {
      world.redis?.pause();
      await sleep(forMs);
      world.redis?.resume();
      return `stood still ${forMs} ms`;
    },
  },
  'drop-subscriptions': {
    touches: 'wake-ups',
    act: async ({ forMs }, { world, history }) => {
      const until = history.now() + forMs;
      let dropped = 0;
      while (history.now() < until) {
        dropped += (await world.redis?.dropSubscribers()) ?? 0;
        await sleep(DROP_EVERY_MS);
      }
      return `dropped ${dropped}`;
    },
  },
  'cut-clients': {
    touches: 'client',
    act: async ({ count }, { population, random }) => {
      const online = population.clients.filter(({ isOnline }) => isOnline);
      const cut = random.shuffle(online).slice(0, count);
      for (const client of cut) client.cut();
      return Promise.resolve(`cut ${cut.length}`);
    },
  },
  'same-message': { touches: 'client', act: sendManyTimes },
  'same-device': { touches: 'client', act: connectManyTimes },
};

/** Runs a plan; resolves when the last fault is over and healed. @type {(plan: readonly PlannedFault[], stage: Stage) => Promise<void>} */
export async function runFaults(plan, stage) {
  /** The last one in each place: the plan only guesses how long a fault lasts. @type {Map<string, Promise<void>>} */
  const last = new Map();
  await Promise.all(
    plan.map(async (fault) => {
      await sleep(fault.atMs);
      const { place } = kindOf(fault.what);
      const before = last.get(place) ?? Promise.resolve();
      const turn = before.then(() => run(fault, stage));
      last.set(place, turn);
      await turn;
    }),
  );
}

/** @type {(fault: PlannedFault, stage: Stage) => Promise<void>} */
async function run(fault, stage) {
  const { what, target: number } = fault;
  const { touches, act } = ACTS[what] ?? { touches: 'client', act: () => Promise.reject(new Error(`no act ${what}`)) };
  const target = touches === 'node' ? nodeOf(stage.world, number).url : touches === 'client' ? 'clients' : 'redis';
  const from = stage.history.now();
  const result = await act(fault, stage);
  stage.history.add({ kind: 'fault', what, target, from, to: stage.history.now(), touches, result });
}

/** @type {(world: World, target: number) => import('./relay-node.mjs').RelayNode} */
function nodeOf({ nodes }, target) {
  const node = nodes[target];
  if (node === undefined) throw new Error(`there is no node ${target}`);
  return node;
}

/** One message on many connections of its sender at once, over all nodes. @type {Act} */
async function sendManyTimes({ count }, { world, population, load, history, random }) {
  const client = random
    .shuffle(population.steady)
    .find(({ isOnline, identity }) => isOnline && identity.protocol === 1);
  if (client === undefined) return 'nobody was there';
  const links = Array.from({ length: count }, () => client.openAnother(random.pick(world.urls)));
  await until(history, OPEN_WITHIN_MS, () => links.every(isDecided));
  const { to, messageId, content } = load.nextMessage(client);
  client.sendOnAll(links, to, messageId, content);
  const copies = links.filter(({ isOpen }) => isOpen).length;
  await until(history, ANSWERED_WITHIN_MS, () => links.every((link) => !link.isOpen || !link.pending.has(messageId)));
  for (const link of links) if (link.closeCode === null) link.close();
  return `${messageId} ${copies + 1} times`;
}

/** One device on many connections at once, over all nodes. @type {Act} */
async function connectManyTimes({ count }, { world, population, history, random }) {
  const isFit = (/** @type {import('./client.mjs').Client} */ { isOnline, isContested, identity }) =>
    isOnline && !isContested && identity.protocol === 2;
  const client = random.shuffle(population.steady).find(isFit);
  if (client === undefined) return 'nobody was there';
  client.beginContest();
  const { address, device } = client.identity;
  const first = client.link === null ? [] : [client.link];
  const links = [...first, ...Array.from({ length: count }, () => client.openAnother(random.pick(world.urls)))];
  await until(history, OPEN_WITHIN_MS, () => links.every(isDecided));
  await sleep(CONTEST_MS);
  const open = links.filter(({ isOpen }) => isOpen);
  const survivors = open.filter(({ heardAt }) => history.now() - heardAt < HEARD_WITHIN_MS);
  const codes = links.flatMap(({ closeCode }) => (closeCode === null ? [] : [closeCode]));
  history.add({
    kind: 'contest',
    address,
    device,
    survivors: survivors.length,
    silent: open.length - survivors.length,
    codes,
  });
  const survivor = survivors.at(-1) ?? null;
  for (const link of links) if (link !== survivor && link.closeCode === null) link.close();
  client.settleContest(survivor);
  return `${links.length} connections of ${address} ${device}, ${survivors.length} survived`;
}

/** @param {Link} link */
const isDecided = ({ isOpen, closeCode }) => isOpen || closeCode !== null;

/** @type {(history: import('./history.mjs').History, withinMs: number, condition: () => boolean) => Promise<void>} */
async function until(history, withinMs, condition) {
  const deadline = history.now() + withinMs;
  while (!condition() && history.now() < deadline) await sleep(20);
}
