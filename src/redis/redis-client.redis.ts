import { type Cluster, type Command, Redis } from 'ioredis';
import { RelayError } from '@relay/protocol';
import type { Logger } from '../common/logger.js';
import { Metrics } from '../common/metrics.js';
import { NoTracing, type Tracing } from '../common/tracing.js';
import { firstConnection, SentinelsAsk } from './redis-connect.redis.js';
import { OneWriteRedis } from './one-write.redis.js';
import { PatientCommand } from './patient-command.redis.js';
import { demandPrimary, failureOf, keepAnswering } from './redis-connection.redis.js';
import { NotExecuted, translate } from './redis-error.redis.js';
import { slotOf } from './redis-key.redis.js';
import { traced } from './traced.redis.js';
import { type Script, ScriptCalls } from './script-calls.redis.js';
import type { Argument, ScriptArgument } from './script-command.redis.js';
import { backoff, createRedis, endpointOf, type Options, type RedisTarget } from './redis-target.redis.js';

export { NotExecuted } from './redis-error.redis.js';
export type { Script } from './script-calls.redis.js';
export type { Argument, Measured, ScriptArgument } from './script-command.redis.js';

export interface ConnectOptions {
  readonly logger?: Logger | undefined;
  /** How long to wait for a Redis that cannot be reached; 0: one attempt. */
  readonly waitMs?: number;
  readonly metrics?: Metrics | undefined;
  readonly tracing?: Tracing | undefined;
}

/** A Redis that hangs must not fill the memory: beyond these, nothing more is sent. */
const MAX_IN_FLIGHT = 50_000;
const MAX_UNSENT_BYTES = 64 * 1024 * 1024;
const QUIT_WITHIN_MS = 1000;
/** While a Cluster misses a primary. */
const TOPOLOGY_EVERY_MS = 500;

const AS_TEXT = { replyEncoding: 'utf8' } as const;

/**
 * The connection for commands to one primary (by URL or Sentinel) or to each primary of a Cluster. What one turn of the
 * event loop sends leaves in one write for each connection.
 *
 * Every rejection is a `RelayError('store_unavailable')`: a `NotExecuted` where Redis surely did nothing, a plain one where
 * nobody knows (no answer within 3 s, connection lost), so whatever is sent must be safe to repeat; in a Cluster it may be
 * repeated here. Mistakes of ours (a failing script, a wrong type, a missing permission) reject as Redis says them.
 */
export class RedisClient {
  readonly isCluster: boolean;
  private readonly scripts: ScriptCalls;
  private readonly readyListeners: (() => void)[] = [];
  private readonly watches = new Map<Redis, { stop(): void }>();
  /** Primaries whose connection is lost, by host and port; one has no name outside of a Cluster. */
  private readonly lost = new Set<string>();
  private lastError: unknown;
  private lostAt = 0;
  private isClosing = false;
  private inFlight = 0;
  private corked: Redis['stream'][] = [];
  private isTurnOpen = false;
  private isJammed = false;
  private atTurnEnd: (() => void)[] = [];

  constructor(
    private readonly redis: Redis | Cluster,
    readonly prefix: string,
    private readonly logger?: Logger,
    private readonly metrics = new Metrics(),
    private readonly tracing: Tracing = new NoTracing(),
  ) {
    this.isCluster = redis.isCluster;
    this.scripts = new ScriptCalls(redis, () => this.primaries());
    // Without a listener, ioredis writes each failed attempt to stderr.
    redis.on('error', (error: unknown) => (this.lastError = error));
    if (redis instanceof Redis) this.watch(redis, '');
    else this.watchNodes(redis);
  }

  /** Rejects with `StartError`. */
  static async connect(
    target: string | RedisTarget,
    prefix = '',
    { logger, metrics, tracing, waitMs = 0 }: ConnectOptions = {},
  ): Promise<RedisClient> {
    const where = typeof target === 'string' ? { url: target } : target;
    const open = async (sentinelsAsk: boolean): Promise<RedisClient> => {
      const redis = createRedis(where, sentinelsAsk);
      const client = new RedisClient(redis, prefix, logger, metrics, tracing);
      try {
        await firstConnection(redis, where, { waitMs, logger });
        // Each primary of a Cluster has its own connection.
        await client.commandEverywhere('PING');
      } catch (error) {
        await client.close();
        throw error;
      }
      // Not before: at the start, a replica is told apart from a Redis that is away.
      if (redis instanceof Redis) demandPrimary(redis);
      return client;
    };
    try {
      return await open(false);
    } catch (error) {
      if (!(error instanceof SentinelsAsk)) throw error;
      return await open(true);
    }
  }

  /** Whether commands can be sent now; what they meet is another matter. */
  get isReady(): boolean {
    return this.redis.status === 'ready';
  }

  /** Called on each return after a loss, in a Cluster when every primary is back or replaced. */
  onReady(listener: () => void): void {
    this.readyListeners.push(listener);
  }

  /** `weight`: how many calls this one stands for, where what waits for Redis is counted. */
  run(script: Script, keys: readonly string[], args: readonly ScriptArgument[], weight = 1): Promise<unknown> {
    const refused = this.beginSend();
    if (refused !== null) return refused;
    const answer = this.counted(this.scripts.run(script, keys, args), weight);
    return this.tracing.isOn ? traced(this.tracing, script.name, answer, weight) : answer;
  }

  /** Once, at the end of this turn of the event loop: what `work` sends leaves in the turn's write. It must not throw. */
  whenTurnEnds(work: () => void): void {
    if (!this.isTurnOpen) this.cork();
    this.atTurnEnd.push(work);
  }

  /** In a Cluster, one with a key goes to the key's primary, one without to any. */
  command(name: string, ...args: readonly Argument[]): Promise<unknown> {
    return this.beginSend() ?? this.send(new PatientCommand(name, [...args], AS_TEXT));
  }

  /** One without a key (WAIT, PUBSUB SHARDNUMSUB), sent where the commands of `key` go. */
  commandBeside(key: string, name: string, ...args: readonly Argument[]): Promise<unknown> {
    const refused = this.beginSend();
    if (refused !== null) return refused;
    const command = new PatientCommand(name, [...args], AS_TEXT);
    // What a Cluster goes by, and would work out from the command's own keys.
    (command as unknown as { slot: number | null }).slot = slotOf(key);
    return this.send(command);
  }

  /** One answer from each primary; one outside of a Cluster. */
  async commandEverywhere(name: string, ...args: readonly Argument[]): Promise<unknown[]> {
    const answers = this.primaries().map((node) => node.call(name, ...(args as string[])));
    return Promise.all(answers).catch((error: unknown) => {
      throw translate(error);
    });
  }

  /** Sends what is under way, and no more. */
  async close(): Promise<void> {
    this.isClosing = true;
    for (const watch of this.watches.values()) watch.stop();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, QUIT_WITHIN_MS)));
    await Promise.race([this.redis.quit().catch(() => undefined), late]);
    clearTimeout(timer);
    this.redis.disconnect();
  }

  /** The primary that serves the slot of `key`, as `host:port`; `''` outside of a Cluster, `undefined` while none is known. */
  primaryOf(key: string): string | undefined {
    return this.redis instanceof Redis ? '' : this.redis.slots[slotOf(key)]?.[0];
  }

  /** A connection of its own to one of them, for subscriptions; it reconnects by itself and resubscribes nothing. */
  createSubscriber(primary: string): Redis {
    const { redis } = this;
    const fixed = { connectionName: 'relay-subscriber', lazyConnect: true, autoResubscribe: false };
    if (redis instanceof Redis) {
      const subscriber = redis.duplicate({ ...fixed, reconnectOnError: null });
      demandPrimary(subscriber);
      return subscriber;
    }
    const options = redis.options.redisOptions as Options;
    return new Redis({ ...options, ...fixed, ...endpointOf(primary), retryStrategy: backoff });
  }

  /** Called whenever a Cluster said which primary serves what. */
  onTopology(listener: () => void): void {
    if (!(this.redis instanceof Redis)) this.redis.on('refresh', listener);
  }

  /** Asks the Cluster again. */
  refreshTopology(): void {
    if (this.redis instanceof Redis || this.redis.status !== 'ready') return;
    this.redis.refreshSlotsCache();
  }

  /** Opens the turn, or says why nothing can be sent. */
  private beginSend(): Promise<never> | null {
    if (!this.isTurnOpen) this.cork();
    const { redis } = this;
    if (this.isClosing || redis.status === 'end') return this.refuse('Storage is not connected');
    const isFull = redis instanceof OneWriteRedis ? redis.unsentBytes > MAX_UNSENT_BYTES : this.isJammed;
    if (this.inFlight < MAX_IN_FLIGHT && !isFull) return null;
    return this.refuse('Too much waits for storage');
  }

  private refuse(why: string): Promise<never> {
    this.metrics.storeCalls.add('refused');
    return Promise.reject(new NotExecuted(why));
  }

  private send(command: Command): Promise<unknown> {
    return this.counted(this.redis.sendCommand(command) as Promise<unknown>, 1);
  }

  private counted(answer: Promise<unknown>, weight: number): Promise<unknown> {
    this.inFlight += weight;
    const startedAt = performance.now();
    return answer.then(
      (value) => {
        this.inFlight -= weight;
        this.metrics.storeCalls.add('ok');
        this.metrics.storeRoundTrips.observe(performance.now() - startedAt);
        return value;
      },
      (error: unknown) => {
        this.inFlight -= weight;
        const translated = translate(error);
        this.metrics.storeCalls.add(outcomeOf(translated));
        throw translated;
      },
    );
  }

  private primaries(): readonly Redis[] {
    return this.redis instanceof Redis ? [this.redis] : this.redis.nodes('master');
  }

  private cork(): void {
    this.isTurnOpen = true;
    this.isJammed = false;
    setImmediate(this.endTurn);
    if (!this.isCluster) return;
    for (const { stream } of this.primaries()) {
      // One that was never used has no connection yet.
      if ((stream as Redis['stream'] | undefined) === undefined) continue;
      if (stream.writableLength > MAX_UNSENT_BYTES) this.isJammed = true;
      stream.cork();
      this.corked.push(stream);
    }
  }

  private readonly endTurn = (): void => {
    const works = this.atTurnEnd;
    this.atTurnEnd = [];
    for (const work of works) work();
    this.isTurnOpen = false;
    const streams = this.corked;
    this.corked = [];
    for (const stream of streams) stream.uncork();
    if (this.redis instanceof OneWriteRedis) this.redis.flush();
  };

  private watchNodes(cluster: Cluster): void {
    cluster.on('node error', (error: unknown) => (this.lastError = error));
    cluster.on('+node', (node: Redis) => {
      this.watch(node, `${node.options.host}:${node.options.port}`);
      if (cluster.status === 'ready') connectEarly(node);
    });
    // Not before: ioredis asks for the state of the Cluster, and takes a node that is connecting for one that is gone.
    cluster.on('ready', () => cluster.nodes('master').forEach(connectEarly));
    cluster.on('refresh', () => {
      if (this.lost.size === 0) return;
      // One that serves nothing any more has nothing to come back for.
      const serving = new Set(cluster.slots.map(([primary]) => primary));
      for (const name of this.lost) if (!serving.has(name)) this.cameBack(name);
    });
  }

  private watch(node: Redis, name: string): void {
    let wasReady = false;
    this.watches.set(node, keepAnswering(node));
    node.on('ready', () => {
      wasReady = true;
      this.scripts.loadAll(node);
      this.cameBack(name);
    });
    node.on('close', () => {
      if (wasReady && this.isMissed(node)) this.wentAway(name);
      wasReady = false;
    });
    node.on('end', () => this.ended(node));
  }

  /** Not one that we closed, or that the Cluster does not need. */
  private isMissed(node: Redis): boolean {
    if (this.isClosing || node.options.readOnly === true) return false;
    return this.redis instanceof Redis || this.redis.nodes('all').includes(node);
  }

  private wentAway(name: string): void {
    const isFirst = this.lost.size === 0;
    this.lost.add(name);
    if (!isFirst) return;
    this.lostAt = performance.now();
    const node = name === '' ? undefined : name;
    this.logger?.warn('Redis connection lost', { node, reason: failureOf(this.lastError) });
    if (this.isCluster) this.lookForReplacement();
  }

  private lookForReplacement(): void {
    this.refreshTopology();
    setTimeout(() => {
      if (this.lost.size > 0 && !this.isClosing) this.lookForReplacement();
    }, TOPOLOGY_EVERY_MS).unref();
  }

  private cameBack(name: string): void {
    this.lastError = undefined;
    if (!this.lost.delete(name) || this.lost.size > 0) return;
    this.logger?.info('Redis is back', { afterMs: Math.round(performance.now() - this.lostAt) });
    for (const listener of this.readyListeners) listener();
  }

  private ended(node: Redis): void {
    if (this.redis !== node) {
      this.watches.get(node)?.stop();
      this.watches.delete(node);
    } else if (!this.isClosing) {
      // ioredis gave up, which it does where a connection is ended while another is looked for.
      setTimeout(() => void node.connect().catch(() => undefined), backoff(Infinity)).unref();
    }
  }
}

/** A node of a Cluster would connect at its first command, which would have to wait. */
function connectEarly(node: Redis): void {
  if (node.options.readOnly !== true && node.status === 'wait') node.connect().catch(() => undefined);
}

function outcomeOf(error: unknown): 'refused' | 'unknown' | 'error' {
  if (error instanceof NotExecuted) return 'refused';
  return error instanceof RelayError ? 'unknown' : 'error';
}
