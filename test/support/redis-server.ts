import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export interface RedisServerOptions {
  /** Keeps an append-only file and syncs it so often; without it nothing outlives the process. */
  readonly appendfsync?: 'always' | 'everysec' | 'no';
  /** As in redis.conf: `8mb`. Writes are refused beyond it. */
  readonly maxmemory?: string;
  readonly password?: string;
  /** An ACL user with all rights; the default user is off then. */
  readonly username?: string;
  readonly replicaOf?: RedisServer;
  /** A cluster's node without slots or neighbours; see `RedisCluster`. */
  readonly cluster?: boolean;
  /** No server but a sentinel that watches this one; see `RedisSentinels`. */
  readonly sentinelOf?: RedisServer;
  /** Lines of redis.conf that win over ours: `{ 'notify-keyspace-events': 'Ex' }`. */
  readonly extra?: Readonly<Record<string, string>>;
  /** How long `command` waits. */
  readonly answerWithinMs?: number;
}

const SENTINEL_NAME = 'relay';
const SENTINEL_QUORUM = 2;
const CLUSTER_SLOTS = 16_384;
/** Of one wait, on a machine that does much else. */
const PATIENCE_MS = 60_000;

/** A redis-server of the test's own, on a free loopback port. Whatever happens to this process, neither it nor its data stays. */
export class RedisServer {
  private child!: ChildProcess;
  private isPaused = false;
  private readonly guard: Guard;

  private constructor(
    readonly port: number,
    private readonly options: RedisServerOptions & { readonly command: string },
    private readonly directory: string,
  ) {
    this.guard = new Guard(directory);
  }

  /** Resolves when it answers. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const command = redisCommand();
    for (let attempt = 1; ; attempt++) {
      const [port, busPort] = await Promise.all([freePort(), freePort()]);
      const directory = mkdtempSync(join(tmpdir(), 'relay-redis-'));
      const server = new RedisServer(port, { ...options, command }, directory);
      writeFileSync(server.file('redis.conf'), configOf(options, { port, busPort, directory }).join('\n'));
      try {
        await server.spawn();
        return server;
      } catch (error) {
        await server.close();
        // Somebody took the port since it was looked at.
        if (attempt === 5 || !String(error).includes('Address already in use')) throw error;
      }
    }
  }

  /** `redis://[user:password@]127.0.0.1:port` */
  get url(): string {
    const { username = '', password } = this.options;
    const access = password === undefined ? '' : `${encodeURIComponent(username)}:${encodeURIComponent(password)}@`;
    return `redis://${access}${this.address}`;
  }

  /** `127.0.0.1:port` */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Neither killed nor paused. */
  get isRunning(): boolean {
    return !this.hasEnded && !this.isPaused;
  }

  /** Everything that it wrote to its log so far. */
  log(): string {
    return readFileSync(this.file('log'), 'utf8');
  }

  /** It keeps its sockets and its port, and does nothing. */
  pause(): void {
    this.isPaused = true;
    this.child.kill('SIGSTOP');
  }

  resume(): void {
    this.isPaused = false;
    this.child.kill('SIGCONT');
  }

  /** As `kill -9` and the OOM killer do; resolves when it has ended. */
  async kill(): Promise<void> {
    if (this.hasEnded) return;
    const ended = once(this.child, 'exit');
    this.child.ref();
    this.child.kill('SIGKILL');
    await ended;
    this.guard.watch(null);
  }

  /** On the same port and data; resolves when those are loaded. Kills it first where that was not done. */
  async restart(): Promise<void> {
    await this.kill();
    await this.spawn();
  }

  /** One command on a connection of its own. Rejects with Redis' own words for an error, or when no answer comes. */
  command(...args: string[]): Promise<unknown> {
    const { username, password, answerWithinMs = 10_000 } = this.options;
    const access = username === undefined ? ['AUTH', password ?? ''] : ['AUTH', username, password ?? ''];
    const commands = password === undefined ? [args] : [access, args];
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(commands.map(encode).join('')));
      const timer = setTimeout(() => socket.destroy(new Error(`no answer to ${args.join(' ')}`)), answerWithinMs);
      let received: Buffer = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        const replies = decode(received);
        const error = replies.find((reply) => reply instanceof Error);
        if (error === undefined && replies.length < commands.length) return;
        if (error === undefined) resolve(replies.at(-1));
        else reject(error);
        socket.destroy();
      });
      socket.on('error', reject);
      socket.on('close', () => {
        clearTimeout(timer);
        reject(new Error(`the connection ended before an answer to ${args.join(' ')}`));
      });
    });
  }

  /** A value of INFO: `info('connected_clients')`. */
  async info(field: string): Promise<string | undefined> {
    const text = (await this.command('INFO', 'all')) as string;
    return new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(text)?.[1];
  }

  /** How often it was called: `callsOf('hget')`. */
  async callsOf(command: string): Promise<number> {
    return Number(/^calls=(\d+)/.exec((await this.info(`cmdstat_${command}`)) ?? '')?.[1] ?? 0);
  }

  /** Ends it, whatever state it is in, and removes its directory. */
  async close(): Promise<void> {
    await this.kill();
    await this.guard.close();
  }

  private get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  private file(name: string): string {
    return join(this.directory, name);
  }

  private async spawn(): Promise<void> {
    const log = openSync(this.file('log'), 'a');
    const mode = this.options.sentinelOf === undefined ? [] : ['--sentinel'];
    this.child = spawn(this.options.command, [this.file('redis.conf'), ...mode], { stdio: ['ignore', log, log] });
    closeSync(log);
    this.isPaused = false;
    this.guard.watch(this.child.pid!);
    // A test that forgets to close it still ends.
    this.child.unref();
    const pid = String(this.child.pid);
    // It refuses PING while it loads; somebody else on that port has another process id.
    const isReady = async () => (await this.command('PING')) === 'PONG' && (await this.info('process_id')) === pid;
    await eventually('redis-server to answer', async () => this.hasEnded || (await isReady()));
    if (this.hasEnded) throw new Error(`redis-server ended at its start:\n${this.log().slice(-2_000)}`);
  }
}

/**
 * A shell that outlives this process, however it ends, and then kills the server and removes its directory.
 * Not `process.on('exit')`: jest gives tests a `process` of their own that emits no `exit`, and ends slow workers with SIGKILL.
 */
class Guard {
  private readonly shell: ChildProcess;

  constructor(directory: string) {
    const script = 'while read -r line; do pid=$line; done; [ -z "$pid" ] || kill -9 "$pid"; rm -rf "$0"';
    this.shell = spawn('/bin/sh', ['-c', script, directory], {
      stdio: ['pipe', 'ignore', 'ignore'],
      // Ctrl-C reaches the whole foreground group, and this has to clean up after it.
      detached: true,
    });
    this.shell.stdin?.on('error', () => undefined);
    this.shell.unref();
  }

  watch(pid: number | null): void {
    this.shell.stdin?.write(`${pid ?? ''}\n`);
  }

  async close(): Promise<void> {
    if (this.shell.exitCode !== null) return;
    const ended = once(this.shell, 'exit');
    this.shell.ref();
    this.shell.stdin?.end();
    await ended;
  }
}

export interface RedisSentinelsOptions {
  readonly replicas?: number;
  /** Of the primary and its replicas. */
  readonly server?: RedisServerOptions;
  readonly sentinelPassword?: string;
}

/** A primary, its replicas and three sentinels that fail over within seconds. All real. */
export class RedisSentinels {
  readonly name = SENTINEL_NAME;
  /** The first primary, then the first replicas. */
  readonly servers: RedisServer[] = [];
  readonly sentinelServers: RedisServer[] = [];

  /** Resolves when the sentinels know each other and every replica. */
  static async start(options: RedisSentinelsOptions = {}): Promise<RedisSentinels> {
    const sentinels = new RedisSentinels();
    await sentinels.form(options).catch(async (error) => {
      await sentinels.close();
      throw error;
    });
    return sentinels;
  }

  /** `127.0.0.1:port` of each. */
  get sentinels(): string[] {
    return this.sentinelServers.map(({ address }) => address);
  }

  /** The running server that every running sentinel calls the primary; waits while a failover is under way. */
  primary(): Promise<RedisServer> {
    return eventually('a primary', async () => {
      const sentinels = this.sentinelServers.filter(({ isRunning }) => isRunning);
      const asked = sentinels.map((each) => each.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', this.name));
      const ports = new Set(((await Promise.all(asked)) as string[][]).map(([, port]) => Number(port)));
      const server = this.servers.find(({ port, isRunning }) => isRunning && ports.size === 1 && ports.has(port));
      return server !== undefined && (await server.info('role')) === 'master' && server;
    });
  }

  /** The server that it killed. */
  async killPrimary(): Promise<RedisServer> {
    const primary = await this.primary();
    await primary.kill();
    return primary;
  }

  async close(): Promise<void> {
    await closeAll([...this.sentinelServers, ...this.servers]);
  }

  private async form({ replicas = 1, server, sentinelPassword }: RedisSentinelsOptions): Promise<void> {
    const primary = await RedisServer.start(server);
    this.servers.push(primary);
    this.servers.push(...(await startAll(replicas, { ...server, replicaOf: primary })));
    await eventually('the replicas', () => allTrue(this.servers.slice(1), linkIsUp));
    const access = sentinelPassword === undefined ? {} : { password: sentinelPassword };
    this.sentinelServers.push(...(await startAll(3, { ...access, sentinelOf: primary })));
    // Sentinels say hello every 2 s and look for replicas every 10 s, unless they are hurried.
    const hurry = ['SENTINEL', 'DEBUG', 'publish-period', '200', 'info-period', '1000'];
    await Promise.all(this.sentinelServers.map((each) => each.command(...hurry)));
    const expected = { 'num-other-sentinels': this.sentinelServers.length - 1, 'num-slaves': this.servers.length - 1 };
    await eventually('sentinels to find each other', () =>
      allTrue(this.sentinelServers, async (sentinel) => {
        const flat = (await sentinel.command('SENTINEL', 'MASTER', this.name)) as string[];
        return Object.entries(expected).every(([name, value]) => flat[flat.indexOf(name) + 1] === String(value));
      }),
    );
  }
}

export interface RedisClusterOptions {
  /** Of each of the three primaries. */
  readonly replicas?: 0 | 1;
  readonly server?: RedisServerOptions;
}

/** Three primaries with a third of the slots each, and their replicas: nodes 0 to 2, and 3 to 5 in the same order. */
export class RedisCluster {
  private constructor(readonly nodes: readonly RedisServer[]) {}

  /** Resolves when every node says that the cluster is well. */
  static async start({ replicas = 1, server }: RedisClusterOptions = {}): Promise<RedisCluster> {
    const cluster = new RedisCluster(await startAll(3 * (1 + replicas), { ...server, cluster: true }));
    await cluster.form().catch(async (error) => {
      await cluster.close();
      throw error;
    });
    return cluster;
  }

  get urls(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  /** `127.0.0.1:port` of each. */
  get addresses(): string[] {
    return this.nodes.map(({ address }) => address);
  }

  /** The running node that every running node believes to serve this slot; waits while a failover is under way. */
  primaryOf(slot: number): Promise<RedisServer> {
    return eventually(`a primary of slot ${slot}`, async () => {
      const running = this.nodes.filter(({ isRunning }) => isRunning);
      const ports = new Set(await Promise.all(running.map((node) => portOfSlot(node, slot))));
      const primary = running.find(({ port }) => ports.size === 1 && ports.has(port));
      return (await allTrue(running, isWell)) && primary;
    });
  }

  /** The node that it killed. */
  async killPrimaryOf(slot: number): Promise<RedisServer> {
    const primary = await this.primaryOf(slot);
    await primary.kill();
    return primary;
  }

  async close(): Promise<void> {
    await closeAll(this.nodes);
  }

  private async form(): Promise<void> {
    const primaries = this.nodes.slice(0, 3);
    const share = (index: number) => String(Math.ceil((index * CLUSTER_SLOTS) / 3));
    for (const [index, node] of this.nodes.entries()) {
      await node.command('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
      if (index < 3) {
        await node.command('CLUSTER', 'ADDSLOTSRANGE', share(index), String(Number(share(index + 1)) - 1));
      }
      // Everybody to everybody: gossip alone takes seconds.
      for (const other of this.nodes.slice(0, index)) await meet(node, other);
    }
    for (const [index, replica] of this.nodes.slice(3).entries()) {
      const id = (await primaries[index]!.command('CLUSTER', 'MYID')) as string;
      await eventually('a replica', async () => (await replica.command('CLUSTER', 'REPLICATE', id)) === 'OK');
    }
    await eventually('the replicas', () => allTrue(this.nodes.slice(3), linkIsUp));
    await eventually('the cluster', async () => {
      const known = await Promise.all(this.nodes.map(async (node) => shardSizes(node)));
      const expected = primaries.map(() => this.nodes.length / 3).join();
      return known.every((sizes) => sizes.join() === expected) && (await allTrue(this.nodes, isWell));
    });
  }
}

let shared: Promise<RedisServer> | undefined;
let users = 0;

/** One server for a spec file, which is closed after its tests. To be called outside of tests and hooks. */
export function usesRedis(): Promise<RedisServer> {
  users += 1;
  afterAll(async () => {
    users -= 1;
    if (users > 0) return;
    const server = await shared;
    shared = undefined;
    await server?.close();
  });
  const server = sharedRedis();
  // Whoever awaits it hears of it.
  server.catch(() => undefined);
  return server;
}

/** The server of `usesRedis`, for tests and hooks. */
export function sharedRedis(): Promise<RedisServer> {
  shared ??= RedisServer.start();
  return shared;
}

/** What `check` gives once that is something; a check that throws says not yet. */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | undefined | false>,
  withinMs = PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const [value, reason] = await check().then(
      (value) => [value, value] as const,
      (error: unknown) => [undefined, error] as const,
    );
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`waited for ${what}`, { cause: reason });
    await wait(20);
  }
}

function configOf(
  options: RedisServerOptions,
  { port, busPort, directory }: { port: number; busPort: number; directory: string },
): string[] {
  const { appendfsync, maxmemory, username, password, replicaOf, cluster = false, sentinelOf, extra = {} } = options;
  const extras = Object.entries(extra).map(([name, value]) => `${name} ${value}`);
  const lines = ['bind 127.0.0.1', `port ${port}`, `dir ${quote(directory)}`, 'daemonize no'];
  if (password !== undefined && username === undefined) lines.push(`requirepass ${quote(password)}`);
  if (password !== undefined && username !== undefined) {
    lines.push(`user ${username} on ${quote(`>${password}`)} ~* &* +@all`, 'user default off');
  }
  if (sentinelOf !== undefined) return [...lines, ...sentinelConfigOf(options, sentinelOf), ...extras];
  lines.push('save ""', 'maxmemory-policy noeviction', 'stream-node-max-bytes 512');
  lines.push('repl-diskless-sync-delay 0', 'enable-debug-command local');
  if (appendfsync !== undefined) lines.push('appendonly yes', `appendfsync ${appendfsync}`);
  if (maxmemory !== undefined) lines.push(`maxmemory ${maxmemory}`);
  if (password !== undefined) lines.push(`masterauth ${quote(password)}`);
  if (username !== undefined) lines.push(`masteruser ${username}`);
  if (replicaOf !== undefined) lines.push(`replicaof 127.0.0.1 ${replicaOf.port}`);
  if (cluster) lines.push('cluster-enabled yes', `cluster-port ${busPort}`, 'cluster-node-timeout 2000');
  // CLUSTER SLOTS does not name a replica before it has got something, if only a ping; 10 s by default.
  if (cluster) lines.push('cluster-allow-replica-migration no', 'repl-ping-replica-period 1');
  return [...lines, ...extras];
}

function sentinelConfigOf({ password, username }: RedisServerOptions, watched: RedisServer): string[] {
  const { username: user, password: pass } = new URL(watched.url);
  const lines = [
    `sentinel monitor ${SENTINEL_NAME} 127.0.0.1 ${watched.port} ${SENTINEL_QUORUM}`,
    `sentinel down-after-milliseconds ${SENTINEL_NAME} 1000`,
    `sentinel failover-timeout ${SENTINEL_NAME} 3000`,
  ];
  if (pass !== '') lines.push(`sentinel auth-pass ${SENTINEL_NAME} ${quote(decodeURIComponent(pass))}`);
  if (user !== '') lines.push(`sentinel auth-user ${SENTINEL_NAME} ${decodeURIComponent(user)}`);
  if (password !== undefined) lines.push(`sentinel sentinel-pass ${quote(password)}`);
  if (username !== undefined) lines.push(`sentinel sentinel-user ${username}`);
  return lines;
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

async function linkIsUp(replica: RedisServer): Promise<boolean> {
  return (await replica.info('master_link_status')) === 'up';
}

async function isWell(node: RedisServer): Promise<boolean> {
  return ((await node.command('CLUSTER', 'INFO')) as string).includes('cluster_state:ok');
}

async function meet(node: RedisServer, other: RedisServer): Promise<void> {
  const [, busPort] = (await other.command('CONFIG', 'GET', 'cluster-port')) as [string, string];
  await node.command('CLUSTER', 'MEET', '127.0.0.1', String(other.port), busPort);
}

/** CLUSTER SLOTS gives ranges: the first slot, the last, the primary, then its replicas. */
type SlotRange = [number, number, [string, number], ...unknown[]];

async function portOfSlot(node: RedisServer, slot: number): Promise<number | undefined> {
  const ranges = (await node.command('CLUSTER', 'SLOTS')) as SlotRange[];
  return ranges.find(([first, last]) => first <= slot && slot <= last)?.[2][1];
}

/** How many nodes each range of slots has. */
async function shardSizes(node: RedisServer): Promise<number[]> {
  return ((await node.command('CLUSTER', 'SLOTS')) as SlotRange[]).map((range) => range.length - 2);
}

async function allTrue(
  servers: readonly RedisServer[],
  check: (server: RedisServer) => Promise<boolean>,
): Promise<boolean> {
  return (await Promise.all(servers.map(check))).every(Boolean);
}

/** All of them, or none. */
async function startAll(count: number, options: RedisServerOptions): Promise<RedisServer[]> {
  const started = await Promise.allSettled(Array.from({ length: count }, () => RedisServer.start(options)));
  const servers = started.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
  const failed = started.find((each) => each.status === 'rejected');
  if (failed === undefined) return servers;
  await closeAll(servers);
  throw failed.reason;
}

async function closeAll(servers: readonly RedisServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.close()));
}

let foundCommand: string | undefined;

/** Valkey began at 7.2. */
function redisCommand(): string {
  foundCommand ??= ['redis-server', 'valkey-server'].find((command) => {
    const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
    return Number(/ v=(\d+)/.exec(stdout ?? '')?.[1] ?? 0) >= 7;
  });
  if (foundCommand === undefined) throw new Error('no redis-server 7.0 or newer on PATH: npm run setup:test');
  return foundCommand;
}

/** Below those that outgoing connections get: one of them could take the port of a server that is killed and to be restarted. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(15_000, 32_000);
    const listener = createServer();
    listener.listen(port, '127.0.0.1');
    const isFree = await once(listener, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    listener.close();
    await once(listener, 'close');
    return port;
  }
  throw new Error('no free port');
}

function encode(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`;
}

/** The complete replies in RESP2; errors as `Error`. */
function decode(bytes: Buffer): unknown[] {
  const replies: unknown[] = [];
  for (let reply = decodeAt(bytes, 0); reply !== undefined; reply = decodeAt(bytes, reply.end)) {
    replies.push(reply.value);
  }
  return replies;
}

function decodeAt(bytes: Buffer, start: number): { value: unknown; end: number } | undefined {
  const lineEnd = bytes.indexOf('\r\n', start);
  if (lineEnd < 0) return undefined;
  const line = bytes.toString('utf8', start + 1, lineEnd);
  const end = lineEnd + 2;
  const size = Number(line);
  switch (bytes.toString('latin1', start, start + 1)) {
    case '+':
      return { value: line, end };
    case '-':
      return { value: new Error(line), end };
    case ':':
      return { value: size, end };
    case '$':
      if (size < 0) return { value: null, end };
      if (bytes.length < end + size + 2) return undefined;
      return { value: bytes.toString('utf8', end, end + size), end: end + size + 2 };
    case '*':
      return size < 0 ? { value: null, end } : decodeArray(bytes, { start: end, size });
    default:
      throw new Error(`not RESP2: ${line}`);
  }
}

function decodeArray(bytes: Buffer, { start, size }: { start: number; size: number }): ReturnType<typeof decodeAt> {
  const value: unknown[] = [];
  let end = start;
  while (value.length < size) {
    const item = decodeAt(bytes, end);
    if (item === undefined) return undefined;
    value.push(item.value);
    end = item.end;
  }
  return { value, end };
}
