// @ts-check
/** Where the time of a CPU profile went, by area of the program. */

/** @typedef {{ id: number, callFrame: { functionName: string, url: string, lineNumber: number }, children?: number[] }} Node */
/** @typedef {{ nodes: Node[], startTime: number, samples: number[], timeDeltas: number[] }} Profile  times in µs of the monotonic clock */
/** @typedef {{ area: string, share: number, hottest: { name: string, share: number }[] }} Area  shares of the time that was not idle */

const IDLE = 'idle';
const UNKNOWN = 'the rest';
const HOTTEST = 4;

/**
 * The first that fits the function's file, or for functions without one its name. What fits nothing is the work of whoever
 * called it: a hash is the store's, a buffer's text the protocol's.
 * @type {[area: string, fits: RegExp][]}
 */
const RULES = [
  [IDLE, /^\(idle\)$/],
  ['garbage', /^\(garbage collector\)$/],
  ['sockets: system calls', /^(\(program\)|writev|writeBuffer|writeUtf8String|writeLatin1String|shutdown)$/],
  ['sockets: Node', /^node:(net|tls|_http|http|internal\/(stream|net|js_stream))/],
  ['turns, timers, promises', /^node:(events|timers|internal\/(timers|process|async|promise|abort|event))/],
  ['WebSocket frames', /\/node_modules\/ws\/|\/dist\/relay\/(wire|link|turn|message-frame|frame)[^/]*\.js$/],
  ['protocol, JSON', /\/protocol\/(dist\/)?[^/]+\.js$/],
  ['store: the client of Redis', /\/node_modules\/(ioredis|redis-|@ioredis)|\/dist\/redis\//],
  ['store: mailboxes', /\/dist\/(queue|contacts|backplane)\//],
  ['relay', /\/dist\/relay\//],
  ['limits, metrics, sessions', /\/dist\//],
];

/** @param {Node['callFrame']} frame @returns {string | undefined} */
function areaOf({ functionName, url }) {
  return RULES.find(([, fits]) => fits.test(url === '' ? functionName : url))?.[0];
}

/** Each node with its area, its caller's where it has none. @param {Node[]} nodes */
function areasOf(nodes) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  /** @type {Map<number, string>} */
  const areas = new Map();
  /** @type {[Node, string][]} */
  const waiting = nodes[0] === undefined ? [] : [[nodes[0], UNKNOWN]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [node, callers] = next;
    const area = areaOf(node.callFrame) ?? callers;
    areas.set(node.id, area);
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child !== undefined) waiting.push([child, area]);
    }
  }
  return areas;
}

/** Time of each node itself, in µs, within the window. @param {Profile} profile @param {{ fromMicros: number, untilMicros: number }} window */
function ownTimes({ startTime, samples, timeDeltas }, { fromMicros, untilMicros }) {
  /** @type {Map<number, number>} */
  const times = new Map();
  let now = startTime;
  samples.forEach((id, i) => {
    const delta = timeDeltas[i] ?? 0;
    now += delta;
    if (now >= fromMicros && now < untilMicros) times.set(id, (times.get(id) ?? 0) + delta);
  });
  return times;
}

/** @param {Node['callFrame']} frame */
function nameOf({ functionName, url, lineNumber }) {
  const file = url.split('/').at(-1) ?? '';
  return file === '' ? functionName : `${functionName || 'anonymous'} (${file}:${lineNumber + 1})`;
}

/** @type {(totals: Map<string, number>, key: string, more: number) => void} */
function add(totals, key, more) {
  totals.set(key, (totals.get(key) ?? 0) + more);
}

/**
 * The busiest first.
 * @param {Profile} profile @param {{ fromMicros: number, untilMicros: number }} window
 * @returns {Area[]}
 */
export function summarise(profile, window) {
  const areas = areasOf(profile.nodes);
  /** @type {Map<string, Map<string, number>>} */
  const functions = new Map();
  let busy = 0;
  const times = ownTimes(profile, window);
  for (const node of profile.nodes) {
    const time = times.get(node.id) ?? 0;
    const area = areas.get(node.id) ?? UNKNOWN;
    if (area === IDLE || time === 0) continue;
    busy += time;
    /** @type {Map<string, number>} */
    const inArea = functions.get(area) ?? new Map();
    functions.set(area, inArea);
    add(inArea, nameOf(node.callFrame), time);
  }
  const found = [...functions].map(([area, inArea]) => {
    const hottest = [...inArea].sort(([, a], [, b]) => b - a).slice(0, HOTTEST);
    const sum = [...inArea.values()].reduce((total, time) => total + time, 0);
    return { area, share: sum / busy, hottest: hottest.map(([name, time]) => ({ name, share: time / busy })) };
  });
  return found.sort((a, b) => b.share - a.share);
}
