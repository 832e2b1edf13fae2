// @ts-check
/**
 * Which fault happens when, made from a seed alone.
 *
 * @typedef {import('./random.mjs').Random} Random
 * @typedef {{ what: string, atMs: number, forMs: number, target: number, count: number }} PlannedFault  `target`: which node; `count`: how many clients or copies
 * @typedef {{ kinds: readonly string[], untilMs: number, everyMs: number, nodes: number }} Wishes
 */

/**
 * `place`: one fault at a time happens in one of them, so that somebody is left to answer. `forMs`: how long, where it lasts.
 * @type {Record<string, { place: 'nodes' | 'store' | 'wake-ups' | 'clients', needs: 'nodes' | 'redis' | 'clients' | 'version 2' | 'two builds', forMs: [number, number], count: [number, number] }>}
 */
export const KINDS = {
  'kill-node': { place: 'nodes', needs: 'nodes', forMs: [200, 3_000], count: [1, 1] },
  'term-node': { place: 'nodes', needs: 'nodes', forMs: [6_000, 6_000], count: [1, 1] },
  'upgrade-node': { place: 'nodes', needs: 'two builds', forMs: [6_000, 6_000], count: [1, 1] },
  'stop-node': { place: 'nodes', needs: 'nodes', forMs: [1_000, 30_000], count: [1, 1] },
  'kill-redis': { place: 'store', needs: 'redis', forMs: [100, 2_000], count: [1, 1] },
  'pause-redis': { place: 'store', needs: 'redis', forMs: [500, 10_000], count: [1, 1] },
  'drop-subscriptions': { place: 'wake-ups', needs: 'redis', forMs: [3_000, 10_000], count: [1, 1] },
  'cut-clients': { place: 'clients', needs: 'clients', forMs: [0, 0], count: [1, 50] },
  'same-message': { place: 'clients', needs: 'clients', forMs: [1_000, 1_000], count: [10, 50] },
  'same-device': { place: 'clients', needs: 'version 2', forMs: [8_000, 8_000], count: [10, 50] },
};

const BREATH_MS = 1_000;

/**
 * Every kind in turn, in an order that changes, at gaps of about `everyMs`; all of them over at `untilMs`.
 * @type {(random: Random, wishes: Wishes) => PlannedFault[]}
 */
export function planFaults(random, { kinds, untilMs, everyMs, nodes }) {
  /** @type {PlannedFault[]} */
  const plan = [];
  /** @type {Map<string, number>} */
  const freeAt = new Map();
  /** @type {string[]} */
  let turn = [];
  for (let atMs = everyMs / 2; kinds.length > 0; atMs += everyMs * (0.5 + random.next())) {
    if (turn.length === 0) turn = random.shuffle(kinds);
    const what = turn.pop() ?? '';
    const { place, forMs: range, count } = kindOf(what);
    const startMs = Math.round(Math.max(atMs, freeAt.get(place) ?? 0));
    // No single fault fills the run.
    const forMs = random.between(range[0], Math.max(range[0], Math.min(range[1], Math.floor(untilMs / 5))));
    const fault = { what, atMs: startMs, forMs, target: random.below(nodes), count: random.between(...count) };
    if (atMs > untilMs) break;
    if (startMs + forMs > untilMs) continue;
    freeAt.set(place, startMs + forMs + BREATH_MS);
    plan.push(fault);
  }
  return plan.sort((a, b) => a.atMs - b.atMs);
}

/**
 * Kill -9 a random node every 6 s for two minutes; SIGTERM all in turn; kill -9 Redis and restart it, three times.
 * @type {(random: Random, nodes: number) => PlannedFault[]}
 */
export function planIssue(random, nodes) {
  /** @type {PlannedFault[]} */
  const plan = [];
  const add = (/** @type {string} */ what, /** @type {number} */ atMs, /** @type {number} */ target) =>
    plan.push({ what, atMs, forMs: 1_000, target, count: 1 });
  for (let atMs = 6_000; atMs <= 120_000; atMs += 6_000) add('kill-node', atMs, random.below(nodes));
  for (let node = 0; node < nodes; node++) add('term-node', 126_000 + node * 27_000, node);
  const redisFromMs = 126_000 + nodes * 27_000;
  for (let time = 0; time < 3; time++) add('kill-redis', redisFromMs + time * 10_000, 0);
  return plan;
}

const LEADS_IN_MS = 5_000;
/** Each begins when the one before it is done; between two of them clients find their places. */
const EVERY_MS = 8_000;

/**
 * All nodes in turn, twice. With an upgrade: to the next version, and then back, so that each mix of the two has run.
 * @type {(what: 'term-node' | 'upgrade-node', nodes: number) => PlannedFault[]}
 */
export function planRolling(what, nodes) {
  return Array.from({ length: 2 * nodes }, (_, i) => {
    return { what, atMs: LEADS_IN_MS + i * EVERY_MS, forMs: 0, target: i % nodes, count: 1 };
  });
}

/** @param {string} what */
export function kindOf(what) {
  const kind = KINDS[what];
  if (kind === undefined) throw new Error(`no fault is called ${what}: ${Object.keys(KINDS).join(', ')}`);
  return kind;
}
