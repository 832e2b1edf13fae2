import { type Address, RelayError } from '@relay/protocol';
import type { RedisClient } from '../redis/redis-client.redis.js';
import { LocalConnections, type Registry } from './local-connections.js';
import { type EndedNode, NodeLeases } from './node-leases.redis.js';
import { type Marks, PresenceHashes } from './presence-hashes.redis.js';
import { type OnlinePage, PresenceRepository, type PresenceStatus, SWEEP_EVERY_MS } from './presence.repository.js';

export interface RedisPresenceOptions {
  readonly client: RedisClient;
  /** ms since 1970, about the same for all nodes: they must agree within a third of the lease. */
  readonly clock: { now(): number };
  /** Names this start of this node among all; `[A-Za-z0-9_-]+`. */
  readonly node: string;
  /** How long it is remembered when somebody was last seen. */
  readonly lastSeenMs: number;
  /** How long people of a node look online at most after its last sweep. */
  readonly leaseMs?: number;
}

/** How many addresses are worked on at once where there may be many. */
const SLICE = 300;

/**
 * A node writes only whether it holds connections of an address; which they are it knows itself. What it wrote counts
 * while its lease lasts, which every reader judges on its own. Keys: see `PresenceHashes` and `NodeLeases`.
 */
export class RedisPresenceRepository extends PresenceRepository {
  private readonly hashes: PresenceHashes;
  private readonly nodes: NodeLeases;
  private readonly local: LocalConnections;
  /** Whose status may have changed in sweeps, as long as no sweep came to the point of saying so. */
  private readonly unsaid = new Set<Address>();
  private stopping: Promise<readonly Address[]> | null = null;

  constructor(private readonly options: RedisPresenceOptions) {
    super();
    const { client, clock, node, lastSeenMs, leaseMs = 3 * SWEEP_EVERY_MS } = options;
    this.hashes = new PresenceHashes(client, lastSeenMs);
    this.nodes = new NodeLeases({ client, clock, node, leaseMs, onLost: () => this.local.doubtAll() });
    this.local = new LocalConnections(this.registry());
  }

  override connected(address: Address, connection: string): Promise<boolean> {
    if (this.stopping !== null) return Promise.reject(new RelayError('store_unavailable', 'Shutting down'));
    return this.local.add(address, connection);
  }

  override disconnected(address: Address, connection: string): Promise<boolean> {
    return this.local.remove(address, connection);
  }

  override async setVisible(address: Address, visible: boolean): Promise<boolean> {
    const before = await this.hashes.setVisible(address, visible);
    return before.isHidden === visible && (await this.isAnyLive(before)) !== false;
  }

  override async statuses(addresses: readonly Address[]): Promise<readonly PresenceStatus[]> {
    // Sent in one turn, and so in one write.
    const marks = await Promise.all(addresses.map((address) => this.hashes.read(address)));
    await this.nodes.learn(marks.flatMap(({ nodes }) => nodes));
    return marks.map((one) => this.statusOf(one));
  }

  override async online(after: Address | null, limit: number): Promise<OnlinePage> {
    const nodes = await this.nodes.live();
    const lists = await Promise.all(nodes.map((name) => this.hashes.listed(name, after, limit + 1)));
    const listed = [...new Set(lists.flat())].sort();
    const page = listed.slice(0, limit);
    const statuses = await this.statuses(page);
    const addresses = page.filter((_, i) => statuses[i]!.online);
    return { addresses, next: listed.length > limit ? (page.at(-1) ?? null) : null };
  }

  override async sweep(): Promise<readonly Address[]> {
    if (this.stopping !== null) return [];
    await this.nodes.renew();
    await this.settleDoubts();
    for (let ended = await this.nodes.claim(); ended !== null; ended = await this.nodes.claim()) {
      await this.cleanUpAfter(ended);
    }
    return this.takeUnsaid();
  }

  override stop(): Promise<readonly Address[]> {
    this.stopping ??= this.end();
    return this.stopping;
  }

  private async end(): Promise<readonly Address[]> {
    await this.local.clear();
    const name = this.nodes.current;
    if (name === null) return [];
    await this.nodes.keepClaim(name);
    await this.cleanUpAfter({ name, endedAt: this.options.clock.now() });
    return this.takeUnsaid();
  }

  private async settleDoubts(): Promise<void> {
    const { doubts } = this.local;
    for (let i = 0; i < doubts.length; i += SLICE) {
      const slice = doubts.slice(i, i + SLICE);
      // A write that failed may have changed something all the same.
      for (const address of slice) this.unsaid.add(address);
      await Promise.all(slice.map((address) => this.local.settle(address)));
      await this.nodes.renewIfDue();
    }
  }

  /** In slices, since these may be many. If somebody else is at it too, each address is cleaned up, and said, by one. */
  private async cleanUpAfter(ended: EndedNode): Promise<void> {
    const { name } = ended;
    for (;;) {
      const slice = await this.hashes.listed(name, null, SLICE);
      if (slice.length === 0) break;
      await Promise.all(slice.map((address) => this.bury(address, ended)));
      await this.hashes.unlist(name, slice);
      await this.nodes.keepClaim(name);
      if (this.stopping === null) await this.nodes.renewIfDue();
    }
    await this.nodes.forget(name);
  }

  private async bury(address: Address, { name, endedAt }: EndedNode): Promise<void> {
    try {
      const left = await this.hashes.depart(address, name, endedAt);
      if (left !== null && (await this.isAlone(left))) this.unsaid.add(address);
    } catch (error) {
      this.unsaid.add(address);
      throw error;
    }
  }

  private takeUnsaid(): readonly Address[] {
    const addresses = [...this.unsaid];
    this.unsaid.clear();
    return addresses;
  }

  private registry(): Registry {
    const { hashes, nodes, options } = this;
    return {
      get name() {
        return nodes.current;
      },
      takeName: () => nodes.name(),
      arrive: async (address, name) => this.isAlone(await hashes.arrive(address, name)),
      depart: async (address, name) => {
        const left = await hashes.depart(address, name, options.clock.now());
        await hashes.unlist(name, [address]);
        return left !== null && this.isAlone(left);
      },
    };
  }

  private statusOf({ isHidden, nodes, lastSeen }: Marks): PresenceStatus {
    if (isHidden) return { online: false, lastSeen: null };
    if (nodes.some((name) => this.nodes.isLive(name))) return { online: true, lastSeen: null };
    const isForgotten = lastSeen !== null && lastSeen < this.options.clock.now() - this.options.lastSeenMs;
    return { online: false, lastSeen: isForgotten ? null : lastSeen };
  }

  /** True if others see a change when the first node comes or the last one goes; also where nobody can tell. */
  private async isAlone(others: Marks): Promise<boolean> {
    return !others.isHidden && (await this.isAnyLive(others)) !== true;
  }

  /** `undefined`: nobody can tell. The write is done by then: that its effect is unknown must not make it fail. */
  private async isAnyLive({ nodes }: Marks): Promise<boolean | undefined> {
    if (nodes.length === 0) return false;
    try {
      await this.nodes.learn(nodes);
    } catch {
      return undefined;
    }
    return nodes.some((name) => this.nodes.isLive(name));
  }
}
