import type { RedisClient } from '../redis/redis-client.redis.js';
import { CLAIM, KEEP_CLAIM, RENEW } from './scripts.redis.js';

export interface NodeLeasesOptions {
  readonly client: RedisClient;
  /** ms since 1970, about the same for all nodes: they must agree within a third of the lease. */
  readonly clock: { now(): number };
  /** Names this start of this node among all; `[A-Za-z0-9_-]+`. */
  readonly node: string;
  readonly leaseMs: number;
  /** Everything that was done under the name that this node had is void. */
  readonly onLost: () => void;
}

/** A name that nobody speaks for any more. */
export interface EndedNode {
  readonly name: string;
  readonly endedAt: number;
}

/**
 * Which nodes live. Each holds a name as long as it renews its lease; one that comes too late, because it was frozen or
 * cut off, takes a new name: whoever cleans up after the old one then never touches what it does from there on.
 *
 * | key       | type | holds                                                             | goes away                      |
 * |-----------|------|-------------------------------------------------------------------|--------------------------------|
 * | `{nodes}` | zset | name → end of its lease in ms; below 0: dead, and being cleaned up | by whoever has cleaned up after it |
 * |           |      | after until −score                                                |                                |
 */
export class NodeLeases {
  private ends: ReadonlyMap<string, number> = new Map();
  private readAt = -Infinity;
  private renewedAt = -Infinity;
  private starts = 0;
  private taken: string | null = null;
  private taking: Promise<string> | null = null;

  constructor(private readonly options: NodeLeasesOptions) {}

  /** This node's name, if it has one. */
  get current(): string | null {
    return this.taken;
  }

  /** This node's name; takes one first where it has none. */
  name(): Promise<string> {
    if (this.taken !== null) return Promise.resolve(this.taken);
    this.taking ??= this.take().finally(() => {
      this.taking = null;
    });
    return this.taking;
  }

  /** Where the lease has ended, takes a new name, after `onLost`. */
  async renew(): Promise<void> {
    if (this.taken !== null) {
      if (await this.write(this.taken, false)) return;
      this.taken = null;
      this.options.onLost();
    }
    await this.name();
  }

  /** For those who are busy for long. */
  async renewIfDue(): Promise<void> {
    const age = Math.abs(this.options.clock.now() - this.renewedAt);
    if (age >= this.options.leaseMs / 3) await this.renew();
  }

  /** From now on `isLive` has a word on each of these. */
  async learn(names: readonly string[]): Promise<void> {
    const age = Math.abs(this.options.clock.now() - this.readAt);
    // A name that is not known may be younger than what is known; one that is gone left nothing behind, as a rule.
    if (age >= this.options.leaseMs / 2 || !names.every((name) => this.ends.has(name))) await this.read();
  }

  isLive(name: string): boolean {
    return name === this.taken || (this.ends.get(name) ?? 0) > this.options.clock.now();
  }

  async live(): Promise<readonly string[]> {
    await this.read();
    return [...this.ends.keys()].filter((name) => this.isLive(name));
  }

  /** One of those whose lease ended, for this node to clean up after, within the time of a lease. */
  async claim(): Promise<EndedNode | null> {
    const now = this.options.clock.now();
    const claimed = await this.options.client.run(CLAIM, [this.key], [now, now + this.options.leaseMs]);
    if (claimed === null) return null;
    const [name, endedAt] = claimed as [string, string];
    return { name, endedAt: Number(endedAt) };
  }

  /** The claim lasts the time of a lease from now on. Ends the lease of one that lives. */
  async keepClaim(name: string): Promise<void> {
    const until = this.options.clock.now() + this.options.leaseMs;
    await this.options.client.run(KEEP_CLAIM, [this.key], [name, until]);
  }

  /** Nothing is left of it. */
  async forget(name: string): Promise<void> {
    await this.options.client.command('ZREM', this.key, name);
  }

  private async read(): Promise<void> {
    const reply = await this.options.client.command('ZRANGE', this.key, 0, -1, 'WITHSCORES');
    // RESP3 gives pairs; RESP2 a flat list, as scripts do.
    this.remember((reply as (string | number)[][]).flat());
  }

  private async take(): Promise<string> {
    for (;;) {
      const name = `${this.options.node}.${++this.starts}`;
      if (!(await this.write(name, true))) continue;
      this.taken = name;
      return name;
    }
  }

  private async write(name: string, isNew: boolean): Promise<boolean> {
    const now = this.options.clock.now();
    const args = [name, now, now + this.options.leaseMs, isNew ? 1 : 0];
    const [holds, ...reply] = (await this.options.client.run(RENEW, [this.key], args)) as [number, ...string[]];
    this.remember(reply);
    if (holds === 1) this.renewedAt = now;
    return holds === 1;
  }

  private remember(reply: readonly (string | number)[]): void {
    const names = reply.filter((_, i) => i % 2 === 0);
    this.ends = new Map(names.map((name, i) => [String(name), Number(reply[i * 2 + 1])]));
    this.readAt = this.options.clock.now();
  }

  private get key(): string {
    return `${this.options.client.prefix}{nodes}`;
  }
}
