import type { RedisClient } from '../redis/redis-client.redis.js';
import { scriptFile } from '../redis/script-file.redis.js';
import { type KnownNode, type NodeOrder, type NodeReport, NodeRepository, REPORT_KEPT_MS } from './node.repository.js';

const REPORT = scriptFile(import.meta.url, 'report-node');
const ORDER = scriptFile(import.meta.url, 'order-node');

/**
 * | key    | type | holds                                                                              | goes away                          |
 * |--------|------|------------------------------------------------------------------------------------|------------------------------------|
 * | `beat` | hash | `r:<node>` → `<ms> <its report as JSON>`; `o:<node>` → what the operator asked of it | 10 minutes after a node's last word |
 */
export class RedisNodeRepository extends NodeRepository {
  constructor(
    private readonly client: RedisClient,
    private readonly clock: { now(): number },
  ) {
    super();
  }

  override async report(report: NodeReport): Promise<NodeOrder | null> {
    const args = [report.node, this.clock.now(), JSON.stringify(report), REPORT_KEPT_MS];
    return orderOf(await this.client.run(REPORT, [this.key], args));
  }

  override async list(): Promise<readonly KnownNode[]> {
    const fields = (await this.client.command('HGETALL', this.key)) as string[];
    const since = this.clock.now() - REPORT_KEPT_MS;
    const nodes = fields.flatMap((name, i) => (i % 2 === 0 && name.startsWith('r:') ? parse(fields[i + 1] ?? '') : []));
    return nodes.filter(({ heardAt }) => heardAt >= since).sort((a, b) => a.report.startedAt - b.report.startedAt);
  }

  override async order(node: string, order: NodeOrder): Promise<boolean> {
    return (await this.client.run(ORDER, [this.key], [node, order])) === 1;
  }

  override now(): number {
    return this.clock.now();
  }

  private get key(): string {
    return `${this.client.prefix}beat`;
  }
}

function orderOf(value: unknown): NodeOrder | null {
  return value === 'drain' || value === 'resume' ? value : null;
}

/** Nothing for what cannot be read: an operator sees the other nodes. */
function parse(value: string): KnownNode[] {
  const space = value.indexOf(' ');
  try {
    return [{ report: JSON.parse(value.slice(space + 1)) as NodeReport, heardAt: Number(value.slice(0, space)) }];
  } catch {
    return [];
  }
}
