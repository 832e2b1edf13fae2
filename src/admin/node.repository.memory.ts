import type { Clock } from '../common/clock.js';
import { type KnownNode, type NodeOrder, type NodeReport, NodeRepository, REPORT_KEPT_MS } from './node.repository.js';

/** Of this process, and so mostly of one node. */
export class MemoryNodeRepository extends NodeRepository {
  private readonly nodes = new Map<string, KnownNode>();
  private readonly orders = new Map<string, NodeOrder>();

  constructor(private readonly clock: Pick<Clock, 'now'>) {
    super();
  }

  override report(report: NodeReport): Promise<NodeOrder | null> {
    this.nodes.set(report.node, { report, heardAt: this.clock.now() });
    return Promise.resolve(this.orders.get(report.node) ?? null);
  }

  override list(): Promise<readonly KnownNode[]> {
    const since = this.clock.now() - REPORT_KEPT_MS;
    for (const [node, { heardAt }] of this.nodes) {
      if (heardAt >= since) continue;
      this.nodes.delete(node);
      this.orders.delete(node);
    }
    return Promise.resolve([...this.nodes.values()].sort((a, b) => a.report.startedAt - b.report.startedAt));
  }

  override order(node: string, order: NodeOrder): Promise<boolean> {
    if (this.nodes.has(node)) this.orders.set(node, order);
    return Promise.resolve(this.nodes.has(node));
  }

  override now(): number {
    return this.clock.now();
  }
}
