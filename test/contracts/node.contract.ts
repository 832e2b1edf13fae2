import { type NodeReport, type NodeRepository, REPORT_KEPT_MS } from '../../src/admin/node.repository.js';
import type { ManualClock } from '../support/manual-clock.js';

export interface NodesUnderTest {
  readonly nodes: NodeRepository;
  readonly clock: ManualClock;
  readonly close: () => Promise<void>;
}

/** A report as a node makes it. */
export function reportOf(node: string, startedAt = 1, more: Partial<NodeReport> = {}): NodeReport {
  return {
    node,
    host: 'host.example',
    pid: 7,
    version: '1.2.3',
    startedAt,
    state: 'up',
    connections: { pending: 1, classic: 2, v2: 3, slow: 0, unacknowledged: 4, lagMs: 5 },
    rates: { stored: 1.5, delivered: 1, refused: 0, opened: 0.1, signIns: 0.1 },
    history: { stored: [1, 2], delivered: [1, 1], connections: [5, 6] },
    process: { cpu: 0.25, rssBytes: 1e8, heapBytes: 5e7, loopP99Ms: 1.5, loopMaxMs: 9 },
    store: { kind: 'memory', ok: true, roundTripMs: 0.3 },
    ...more,
  };
}

/** The rules of `NodeRepository`, for every implementation. */
export function nodeContract(name: string, open: () => Promise<NodesUnderTest>): void {
  describe(`NodeRepository: ${name}`, () => {
    let nodes: NodeRepository;
    let clock: ManualClock;
    let close: () => Promise<void>;

    beforeEach(async () => {
      ({ nodes, clock, close } = await open());
    });

    afterEach(() => close());

    it('lists each node with its latest report and when that came, first started first', async () => {
      await nodes.report(reportOf('second', 20));
      const first = reportOf('first', 10);
      await nodes.report(first);
      clock.advance(2_000);
      const later = reportOf('second', 20, { state: 'draining' });
      await nodes.report(later);
      expect(await nodes.list()).toEqual([
        { report: first, heardAt: nodes.now() - 2_000 },
        { report: later, heardAt: nodes.now() },
      ]);
    });

    it('forgets a node that has said nothing for long, at its instant, also where another one comes', async () => {
      await nodes.report(reportOf('gone'));
      await nodes.order('gone', 'drain');
      clock.advance(REPORT_KEPT_MS);
      expect((await nodes.list()).length).toBe(1);
      clock.advance(1);
      expect(await nodes.list()).toEqual([]);
      await nodes.report(reportOf('new'));
      expect((await nodes.list()).map(({ report }) => report.node)).toEqual(['new']);
      expect(await nodes.report(reportOf('gone'))).toBeNull();
    });

    it('gives a node what was asked of it last, again and again, and no other', async () => {
      expect(await nodes.report(reportOf('a'))).toBeNull();
      await nodes.report(reportOf('b'));
      expect(await nodes.order('a', 'drain')).toBe(true);
      expect(await nodes.report(reportOf('a'))).toBe('drain');
      expect(await nodes.report(reportOf('a'))).toBe('drain');
      expect(await nodes.report(reportOf('b'))).toBeNull();
      expect(await nodes.order('a', 'resume')).toBe(true);
      expect(await nodes.report(reportOf('a'))).toBe('resume');
    });

    it('takes no order for a node that nobody knows', async () => {
      expect(await nodes.order('a', 'drain')).toBe(false);
      expect(await nodes.report(reportOf('a'))).toBeNull();
    });
  });
}
