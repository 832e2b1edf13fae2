import type { Question } from './confirm.js';
import { counted } from './format.js';
import type { NodeView } from './views.js';

/** What an operator is asked before a node of `nodes` is drained: where its clients go, or that they go nowhere. */
export function drainQuestion({ node, connections, isThis }: NodeView, nodes: readonly NodeView[]): Question {
  const others = nodes.filter((other) => other.node !== node && other.state === 'up' && !other.isAway).length;
  const clients = counted(connections.classic + connections.v2, 'client', 'clients');
  return {
    title: `Drain node ${node}?`,
    text: [
      others > 0
        ? `It sends its ${clients} to ${counted(others, 'other node', 'other nodes')}, and lets nobody in until it is resumed or stopped.`
        : `It is the only node that is up: it cuts off its ${clients}, and nobody can connect until it lets clients in again or another node starts.`,
      ...(isThis ? ['It is the node that serves this page; the page stays.'] : []),
    ].join(' '),
    yes: others > 0 ? 'Drain it' : 'Drain the only node',
  };
}
