import { element } from '../dom.js';
import { count, counted, duration, ms, rate } from './format.js';
import { sparkline } from './sparkline.js';
import type { NodeView, Overview } from './views.js';

type Series = keyof NodeView['history'];

/** The whole relay in a few numbers. */
export function figures({ nodes, at, ledger }: Overview): HTMLElement[] {
  const present = nodes.filter(({ state, isAway }) => state !== 'stopped' && !isAway);
  const sum = (of: (node: NodeView) => number): number => present.reduce((total, node) => total + of(node), 0);
  const connections = sum((node) => openOf(node));
  const slow = sum((node) => node.connections.slow);
  const pending = sum((node) => node.connections.pending);
  const worstLag = Math.max(0, ...present.map((node) => node.process.loopP99Ms));
  const stores = present.map((node) => node.store);
  const away = stores.filter(({ ok }) => !ok).length;
  const slowest = Math.max(0, ...stores.map(({ roundTripMs }) => roundTripMs ?? 0));
  const oldest = Math.min(at, ...present.map(({ startedAt }) => startedAt));
  return [
    tile('Connections', count(connections), `${count(pending)} signing in, ${count(slow)} slow to read`, {
      spark: sparkline(added(present, 'connections'), 'Connections over two minutes'),
    }),
    tile('Accepted', `${rate(sum(({ rates }) => rates.stored))}/s`, 'messages, in the last minute', {
      spark: sparkline(added(present, 'stored'), 'Accepted messages per second over two minutes'),
    }),
    tile('Delivered', `${rate(sum(({ rates }) => rates.delivered))}/s`, 'messages that a device has', {
      spark: sparkline(added(present, 'delivered'), 'Delivered messages per second over two minutes'),
    }),
    tile(
      'Refused',
      `${rate(sum(({ rates }) => rates.refused))}/s`,
      `messages; ${rate(sum(({ rates }) => rates.signIns))} sign-ins/s let in`,
    ),
    tile(
      'Waiting',
      ledger === null ? '—' : count(ledger.pending),
      ledger === null ? 'the store is away' : `messages, in ${counted(ledger.mailboxes, 'mailbox', 'mailboxes')}`,
    ),
    tile('Event loop', ms(worstLag), '99 of 100 turns begin within this', { isBad: worstLag > 200 }),
    tile('Store', away > 0 ? 'away' : ms(slowest), storeText(stores), { isBad: away > 0 }),
    tile('Up', duration(at - oldest), `version ${present[0]?.version ?? '—'}`),
  ];
}

function storeText([first]: readonly NodeView['store'][]): string {
  return first?.kind === 'redis' ? 'until Redis answers' : 'in memory: a restart forgets all';
}

export function openOf({ connections }: NodeView): number {
  return connections.classic + connections.v2 + connections.pending;
}

interface TileDetails {
  readonly spark?: SVGElement;
  readonly isBad?: boolean;
}

function tile(name: string, value: string, detail: string, { spark, isBad = false }: TileDetails = {}): HTMLElement {
  const made = element(
    'div',
    { class: isBad ? 'card tile is-bad' : 'card tile', 'data-figure': name.toLowerCase().replace(' ', '-') },
    element('h2', {}, name),
    element('p', { class: 'value' }, value),
    element('p', { class: 'hint' }, detail),
  );
  if (spark !== undefined) made.append(spark);
  return made;
}

/** Of all nodes, the newest at the same end. */
function added(nodes: readonly NodeView[], series: Series): number[] {
  const all = nodes.map(({ history }) => history[series]);
  const length = Math.max(0, ...all.map((values) => values.length));
  return Array.from({ length }, (_, i) => all.reduce((sum, values) => sum + (values.at(i - length) ?? 0), 0));
}
