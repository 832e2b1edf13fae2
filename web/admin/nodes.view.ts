import { element } from '../dom.js';
import { openOf } from './figures.view.js';
import { bytes, count, duration, ms, percent, rate } from './format.js';
import { sparkline } from './sparkline.js';
import type { NodeView } from './views.js';

export interface NodeActions {
  readonly drain: (node: NodeView) => void;
  readonly resume: (node: NodeView) => void;
}

export function nodeCards(nodes: readonly NodeView[], at: number, actions: NodeActions): HTMLElement[] {
  return nodes.map((node) => card(node, at, actions));
}

function card(node: NodeView, at: number, actions: NodeActions): HTMLElement {
  const state = node.isAway ? 'away' : node.state;
  const made = element(
    'article',
    { class: `node is-${state}`, 'data-node': node.node },
    element(
      'header',
      {},
      element(
        'h3',
        {},
        element('code', {}, node.node),
        node.isThis ? element('span', { class: 'tag' }, 'serves this page') : '',
      ),
      element('span', { class: `state is-${state}` }, state),
    ),
    element('p', { class: 'hint' }, `${node.host}, pid ${node.pid}, ${node.version}; ${since(node, at)}`),
  );
  if (state === 'stopped') return made;
  const { connections, process, rates, store } = node;
  made.append(
    sparkline(node.history.stored, `Accepted per second by node ${node.node} over two minutes`),
    element(
      'dl',
      {},
      ...fact('connections', count(openOf(node))),
      ...fact('accepted', `${rate(rates.stored)}/s`),
      ...fact('delivered', `${rate(rates.delivered)}/s`),
      ...fact('sent, not acknowledged', count(connections.unacknowledged)),
      ...fact('slowest client', ms(connections.lagMs)),
      ...fact('event loop, 99 of 100 turns', `within ${ms(process.loopP99Ms)}`),
      ...fact('event loop, the latest', ms(process.loopMaxMs)),
      ...fact('processor', `${percent(process.cpu)} of a core`),
      ...fact('memory', bytes(process.rssBytes)),
      ...fact('store answers in', store.ok ? ms(store.roundTripMs) : 'away'),
    ),
  );
  if (state === 'up') made.append(action('Drain', 'danger', node, actions.drain));
  if (state === 'drained') made.append(action('Let clients in again', 'primary', node, actions.resume));
  return made;
}

function since({ isAway, state, silentMs, startedAt }: NodeView, at: number): string {
  if (isAway) return `last heard of ${duration(silentMs)} ago`;
  return state === 'stopped' ? `stopped ${duration(silentMs)} ago` : `up for ${duration(at - startedAt)}`;
}

function fact(name: string, value: string): HTMLElement[] {
  return [element('dt', {}, name), element('dd', {}, value)];
}

function action(text: string, kind: string, node: NodeView, act: (node: NodeView) => void): HTMLElement {
  const button = element('button', { type: 'button', class: kind, 'data-key': `${text} ${node.node}` }, text);
  button.addEventListener('click', () => act(node));
  return button;
}
