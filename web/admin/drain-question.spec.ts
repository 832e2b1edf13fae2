import { drainQuestion } from './drain-question.js';
import type { NodeView } from './views.js';

const node = (name: string, more: Partial<NodeView> = {}): NodeView =>
  ({
    node: name,
    state: 'up',
    isAway: false,
    isThis: false,
    connections: { pending: 0, classic: 2, v2: 1, slow: 0, unacknowledged: 0, lagMs: 0 },
    ...more,
  }) as NodeView;

describe('whoever drains a node is told', () => {
  it('where its clients go', () => {
    const { text, yes } = drainQuestion(node('a'), [node('a'), node('b'), node('c')]);
    expect(text).toMatch(/^It sends its 3 clients to 2 other nodes/);
    expect([text.includes('only node'), yes]).toEqual([false, 'Drain it']);
  });

  it.each([
    ['alone', []],
    ['beside one that drains', [node('b', { state: 'draining' })]],
    ['beside one that was stopped', [node('b', { state: 'stopped' })]],
    ['beside one that is away', [node('b', { isAway: true })]],
  ] as const)('that nobody can connect any more where it is %s', (_, others) => {
    const { text, yes } = drainQuestion(node('a'), [node('a'), ...others]);
    expect(text).toMatch(/^It is the only node that is up: it cuts off its 3 clients, and nobody can connect/);
    expect(yes).toBe('Drain the only node');
  });

  it('that the page stays, where it comes from that node', () => {
    const { text } = drainQuestion(node('a', { isThis: true }), [node('a'), node('b')]);
    expect(text).toContain('serves this page');
  });
});
