import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logger.js';
import { within } from '../common/within.js';
import type { ConnectionCensus } from '../relay/connections.js';
import type { Drain } from '../relay/drain.js';
import type { NodeMeter } from './node-meter.js';
import type {
  NodeConnections,
  NodeOrder,
  NodeReport,
  NodeRepository,
  NodeState,
  NodeStore,
} from './node.repository.js';
import type { ProcessMeter } from './process-meter.js';

/** What a node is, from its start to its end. */
export type NodeIdentity = Pick<NodeReport, 'node' | 'host' | 'pid' | 'version' | 'startedAt'> & {
  readonly storage: NodeStore['kind'];
};

export interface NodeBeatParts {
  readonly nodes: NodeRepository;
  readonly meter: NodeMeter;
  readonly process: ProcessMeter;
  readonly drain: Drain;
  readonly census: (now: number) => ConnectionCensus;
  /** Asks the store whether it answers. */
  readonly reach: () => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Without one nobody is told anything. */
  readonly hasOperator: boolean;
}

/** Longer than that and an operator should know that the store is slow, not wait for it. */
const STORE_WITHIN_MS = 1_000;

/** Tells operators every 2 s how this node is, and does what they ask of it. */
export class NodeBeat {
  private latest: NodeReport | null = null;
  private isOver = false;

  constructor(
    private readonly identity: NodeIdentity,
    private readonly parts: NodeBeatParts,
  ) {}

  /** Of this node, also where the store is away; `null` before the first beat. */
  get own(): NodeReport | null {
    return this.latest;
  }

  /** Rejects where the store did not take the report. */
  async beat(): Promise<void> {
    if (this.isOver || !this.parts.hasOperator) return;
    const report = await this.measure();
    const order = await this.parts.nodes.report(report);
    if (order !== null) this.obey(order);
  }

  /** The last word of this node, once its clients have gone. */
  async end(): Promise<void> {
    await this.parts.drain.run();
    this.isOver = true;
    if (this.latest === null) return;
    this.latest = { ...this.latest, state: 'stopped' };
    await within(this.parts.nodes.report(this.latest), STORE_WITHIN_MS);
  }

  private async measure(): Promise<NodeReport> {
    const { meter, process, clock, census } = this.parts;
    const now = clock.monotonic();
    const { byProtocol, slow, unacknowledged, lagMs } = census(now);
    const connections: NodeConnections = { ...byProtocol, slow, unacknowledged, lagMs: Math.round(lagMs) };
    meter.take(now, byProtocol.pending + byProtocol.classic + byProtocol.v2);
    const { storage, ...identity } = this.identity;
    this.latest = {
      ...identity,
      state: this.state,
      connections,
      rates: meter.rates(),
      history: meter.history(),
      process: process.read(),
      store: await this.askStore(storage),
    };
    return this.latest;
  }

  private async askStore(kind: NodeStore['kind']): Promise<NodeStore> {
    const startedAt = performance.now();
    try {
      await within(this.parts.reach(), STORE_WITHIN_MS);
      return { kind, ok: true, roundTripMs: Math.round((performance.now() - startedAt) * 100) / 100 };
    } catch {
      return { kind, ok: false, roundTripMs: null };
    }
  }

  private get state(): NodeState {
    return this.parts.drain.state;
  }

  /** The same word comes with every beat until another one replaces it. */
  private obey(order: NodeOrder): void {
    const { drain, logger } = this.parts;
    if (order === 'drain' && drain.state === 'up') {
      logger.info('draining, as an operator asked');
      drain.begin().then(
        (cut) => logger.info('drained', { cut }),
        (error: unknown) => logger.error('drain failed', error),
      );
    }
    if (order === 'resume' && drain.resume()) logger.info('letting clients in again, as an operator asked');
  }
}
