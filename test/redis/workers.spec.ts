import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { WebSocket } from 'ws';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { Device } from '../support/device.js';
import { eventually, type RedisServer, usesRedis } from '../support/redis-server.js';
import { isAlive, WorkerGroup } from '../support/worker-group.js';

const PATIENCE_MS = 45_000;
const ALICE = addressOf(1);
const BOB = addressOf(2);
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

describe('several workers', () => {
  const shared = usesRedis();
  let redis: RedisServer;
  let group: WorkerGroup;

  beforeAll(async () => (redis = await shared));

  function launch(env: Record<string, string> = {}): WorkerGroup {
    const prefix = `${randomBytes(6).toString('hex')}:`;
    return (group = WorkerGroup.launch({ STORAGE: 'redis', REDIS_URL: redis.url, REDIS_KEY_PREFIX: prefix, ...env }));
  }

  afterEach(() => group.kill());

  const until = (what: string, check: () => Promise<boolean>) => eventually(what, check, PATIENCE_MS);
  const signInMany = async (count: number, first = 1): Promise<ClassicClient[]> => {
    const url = await group.wsUrl();
    return Promise.all(range(count).map((i) => ClassicClient.signIn(url, addressOf(first + i - 1))));
  };
  const status = async (path: string): Promise<number> =>
    (await fetch(`${await group.url()}${path}`, { headers: { connection: 'close' } })).status;

  /** Once both have told how they are. */
  const bothPids = (): Promise<number[]> =>
    eventually('two nodes', async () => {
      const pids = await group.pids();
      return pids.length === 2 && pids;
    });

  /** One client at least on each worker. */
  async function spread(): Promise<ClassicClient[]> {
    const clients = await signInMany(6);
    await until('clients on both workers', async () =>
      (await group.nodes()).every(({ connections }) => connections.classic > 0),
    );
    return clients;
  }

  describe('that run', () => {
    it('are one relay on one port: everybody reaches everybody, and each worker is a node', async () => {
      launch();
      const clients = await spread();
      for (const from of clients) for (const to of clients) from.message(to.address, `${from.address}-${to.address}`);
      for (const client of clients) {
        await client.waitForCount('message', clients.length);
        await client.waitForCount('delivered', clients.length);
      }
      const nodes = await group.nodes();
      expect(new Set(nodes.map(({ node }) => node)).size).toBe(2);
      expect(new Set(nodes.map(({ pid }) => pid)).size).toBe(2);
      expect(nodes.map(({ pid }) => pid)).not.toContain(group.process.pid);
      const health = (await (await fetch(`${await group.url()}/health`)).json()) as object;
      expect(health).toMatchObject({ status: 'ok', connections: 6, workers: 2 });
      expect(group.log[0]).toMatchObject({ level: 30, msg: 'starting workers', workers: 2 });
      for (const client of clients) await client.close();
      await group.logged('connection ended', 6);
      expect(new Set(group.linesOf('connection ended').map(({ worker }) => worker))).toEqual(new Set([1, 2]));
      expect(await (await fetch(`${await group.url()}/health/ready`)).json()).toMatchObject({
        info: { workers: { status: 'up', wanted: 2, running: 2 } },
      });
    });

    it('count connections of an IP address together, also those of a worker that is killed', async () => {
      launch({ MAX_CONNECTIONS_PER_IP: '4' });
      const clients = await signInMany(4);
      const refused = async (): Promise<boolean> => {
        const more = await ClassicClient.connect(await group.wsUrl()).catch((error: unknown) => String(error));
        if (typeof more === 'string') return more.includes('429');
        more.kill();
        return false;
      };
      await until('a refusal', refused);
      await clients[0]!.close();
      await until('a place', async () => !(await refused()));
      // One by one: with the last of them the port would go, which is any free one here.
      for (const [i, pid] of (await bothPids()).entries()) {
        process.kill(pid, 'SIGKILL');
        await group.logged('worker replaced', i + 1);
      }
      await Promise.all(clients.map((client) => client.closed()));
      const again = await signInMany(4);
      await until('a refusal', refused);
      for (const client of again) client.kill();
    });

    it('have one page of metrics, on which nothing that is counted ever falls', async () => {
      launch();
      const clients = await spread();
      for (const client of clients) client.message(BOB, `to-bob-${client.address}`);
      for (const client of clients) await client.waitFor('delivered');
      // A reading of the ledger is good for a second.
      const ledgerOf = async () => (await group.metrics()).get('relay_ledger_messages{state="accepted"}');
      await until('the ledger', async () => (await ledgerOf()) === 6);
      const before = await group.metrics();
      expect(before.get('relay_sends_total{outcome="stored"}')).toBe(6);
      expect(before.get('relay_connections{protocol="classic"}')).toBe(6);
      expect(before.get('relay_accept_seconds_count')).toBe(6);
      expect(before.get('relay_accept_seconds_bucket{le="+Inf"}')).toBe(6);
      // Of the store, not once for each worker.
      expect(before.get('relay_ledger_messages{state="accepted"}')).toBe(6);
      expect(before.get('relay_store_up')).toBe(1);
      expect(before.get('relay_draining')).toBe(0);
      expect([...before.keys()].filter((name) => name.startsWith('relay_build_info'))).toHaveLength(1);
      expect(before.get('relay_workers')).toBe(2);
      expect(before.get('process_start_time_seconds')).toBeGreaterThan(1e9);
      process.kill((await group.pids())[0]!, 'SIGKILL');
      await group.logged('worker replaced');
      const after = await group.metrics();
      expect(after.get('relay_sends_total{outcome="stored"}')).toBe(6);
      expect(after.get('relay_accept_seconds_count')).toBe(6);
      expect(after.get('relay_workers_replaced_total')).toBe(1);
      expect(after.get('relay_connections{protocol="classic"}')).toBeLessThan(6);
    });

    it('serve TLS, and each takes a new certificate', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'relay-workers-'));
      const file = (name: string): string => join(folder, name);
      for (const name of ['first', 'second']) {
        const pair = ['-keyout', file(`${name}.key`), '-out', file(`${name}.pem`), '-nodes', '-days', '1'];
        const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-subj', `/CN=${name}`];
        expect(spawnSync('openssl', ['req', '-x509', ...kind, ...pair]).status).toBe(0);
      }
      const use = (name: string): void => {
        copyFileSync(file(`${name}.key`), file('key'));
        copyFileSync(file(`${name}.pem`), file('cert'));
      };
      use('first');
      launch({ TLS_CERT_FILE: file('cert'), TLS_KEY_FILE: file('key') });
      const { port } = new URL(await group.url());
      const certificates = async (): Promise<string> => {
        const names = range(6).map(async () => {
          const socket = connect({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false });
          await once(socket, 'secureConnect');
          const name = String(socket.getPeerCertificate().subject.CN);
          socket.destroy();
          return name;
        });
        return [...new Set(await Promise.all(names))].join();
      };
      expect(await certificates()).toBe('first');
      use('second');
      await group.logged('new TLS certificate', 2);
      await until('the second certificate', async () => (await certificates()) === 'second');
      rmSync(folder, { recursive: true });
    });
  });

  describe('of which one ends', () => {
    const CHUNK = 10;
    const openAs = async (address: string): Promise<{ client: ClassicClient; closed: Promise<unknown> }> => {
      const url = await group.wsUrl();
      const { client } = await eventually('a sign-in', () => Device.open(url, address, 'phone'), PATIENCE_MS);
      const isClosed = client.socket.readyState === client.socket.CLOSED;
      return { client, closed: isClosed ? Promise.resolve() : once(client.socket, 'close') };
    };

    /** Sends messages until `isOver`, each again and again until it is confirmed. Gives all ids. */
    async function sendUntil(isOver: () => boolean, confirmed: () => void): Promise<string[]> {
      const ids: string[] = [];
      const left = new Set<string>();
      while (!isOver() || left.size > 0) {
        const { client, closed } = await openAs(ALICE);
        client.socket.on('message', (data: Buffer) => {
          const { type, messageId } = JSON.parse(data.toString()) as { type: string; messageId: string };
          if ((type === 'queued' || type === 'delivered') && left.delete(messageId)) confirmed();
        });
        while (client.socket.readyState === client.socket.OPEN && (!isOver() || left.size > 0)) {
          for (let i = 0; i < CHUNK && !isOver(); i++) left.add(`m${ids.push(`m${ids.length + 1}`)}`);
          for (const id of left) client.message(BOB, id);
          await Promise.race([closed, until('verdicts', () => Promise.resolve(left.size === 0))]);
        }
        client.kill();
      }
      return ids;
    }

    /** Everything that came to Bob until `isOver`, wherever he was connected. */
    async function takeUntil(isOver: () => boolean, taken: Set<unknown>): Promise<void> {
      while (!isOver()) {
        const { client, closed } = await openAs(BOB);
        client.socket.on('message', () => client.messageIds.forEach((id) => taken.add(id)));
        client.messageIds.forEach((id) => taken.add(id));
        await Promise.race([closed, until('the end', () => Promise.resolve(isOver()))]);
        client.kill();
      }
    }

    it('lose nothing where one after the other is killed with -9 under traffic', async () => {
      const limits = { SEND_RATE_PER_SECOND: '100000', SEND_BURST: '100000', SEND_RATE_PER_IP: '0' };
      launch({ ...limits, MAX_OFFLINE_MESSAGES: '100000', SENDER_SHARE: '1' });
      await group.url();
      const [first, second] = await bothPids();
      const taken = new Set<unknown>();
      let [areKilled, isDone, count] = [false, false, 0];
      const taking = takeUntil(() => isDone, taken);
      const sending = sendUntil(
        () => areKilled,
        () => count++,
      );
      await until('traffic', () => Promise.resolve(count > 100));
      process.kill(first!, 'SIGKILL');
      await group.logged('worker replaced');
      const before = count;
      await until('traffic', () => Promise.resolve(count > before + 100));
      process.kill(second!, 'SIGKILL');
      await group.logged('worker replaced', 2);
      areKilled = true;
      const ids = await sending;
      await until('everything to come', () => Promise.resolve(taken.size >= ids.length));
      isDone = true;
      await taking;
      expect([...taken].sort()).toEqual([...ids].sort());
      expect(group.linesOf('worker ended').map(({ signal }) => signal)).toEqual(['SIGKILL', 'SIGKILL']);
      expect(group.hasEnded).toBe(false);
    });

    it('leave nobody without an answer who comes while one is killed', async () => {
      launch({ MAX_CONNECTIONS_PER_IP: '1000' });
      const url = await group.wsUrl();
      await bothPids();
      let [isOver, comings] = [false, 0];
      const come = async (): Promise<void> => {
        while (!isOver) {
          const socket = new WebSocket(url);
          // Refused or cut off is an answer too.
          await once(
            socket.on('error', () => undefined),
            'open',
          ).catch(() => undefined);
          socket.terminate();
          comings++;
        }
      };
      const all = range(20).map(come);
      for (const kill of range(5)) {
        const before = comings;
        await until('many to come', () => Promise.resolve(comings > before + 100));
        process.kill((await bothPids())[kill % 2]!, 'SIGKILL');
        await group.logged('worker replaced', kill);
      }
      isOver = true;
      await Promise.all(all);
    });

    it('drain it on a SIGTERM of its own, and replace it', async () => {
      launch();
      const clients = await spread();
      const [pid] = await group.pids();
      process.kill(pid!, 'SIGTERM');
      await group.logged('worker replaced');
      expect(isAlive(pid!)).toBe(false);
      await until('clients to be sent away', () =>
        Promise.resolve(clients.some(({ socket }) => socket.readyState === socket.CLOSED)),
      );
      const gone = clients.filter(({ socket }) => socket.readyState === socket.CLOSED);
      expect(gone.length).toBeLessThan(clients.length);
      for (const client of gone) expect([await client.closed(), client.ofType('going_away').length]).toEqual([1012, 1]);
      expect(await status('/health/ready')).toBe(200);
    });

    it('drain it where an operator asks, and nobody who comes is refused; all of them, and everybody is', async () => {
      launch();
      const clients = await spread();
      const [first, second] = await group.nodes();
      expect((await group.admin('PUT', `/nodes/${first!.node}/drain`)).status).toBe(200);
      const stateOf = async (node: string) => (await group.nodes()).find((each) => each.node === node)?.state;
      await until('one to be drained', async () => (await stateOf(first!.node)) === 'drained');
      const gone = clients.filter(({ socket }) => socket.readyState === socket.CLOSED);
      expect(gone.length).toBeGreaterThan(0);
      expect(gone.length).toBeLessThan(6);
      expect((await signInMany(12, 101)).every(({ socket }) => socket.readyState === socket.OPEN)).toBe(true);
      expect(await status('/health/ready')).toBe(200);
      expect((await group.metrics()).get('relay_draining')).toBe(1);

      await group.admin('PUT', `/nodes/${second!.node}/drain`);
      await until('both to be drained', async () => (await stateOf(second!.node)) === 'drained');
      expect(await status('/health/ready')).toBe(503);
      expect(await status('/health/live')).toBe(200);
      await expect(ClassicClient.connect(await group.wsUrl())).rejects.toThrow('503');

      await group.admin('DELETE', `/nodes/${first!.node}/drain`);
      await until('one to be up', async () => (await stateOf(first!.node)) === 'up');
      await until('to be ready', async () => (await status('/health/ready')) === 200);
      expect((await signInMany(6, 201)).every(({ socket }) => socket.readyState === socket.OPEN)).toBe(true);
    });
  });

  describe('that stop', () => {
    it.each([
      ['the primary alone, as Docker does', false],
      ['all of the group, as systemd and a terminal do', true],
    ])('drain all clients and exit 0 where %s is signalled', async (_, isGroup) => {
      launch();
      const clients = await spread();
      const pids = await group.pids();
      for (const pid of isGroup ? pids : []) process.kill(pid, 'SIGTERM');
      group.process.kill('SIGTERM');
      expect(await Promise.all(clients.map((client) => client.closed()))).toEqual(Array(6).fill(1012));
      for (const client of clients) expect(client.ofType('going_away')).toHaveLength(1);
      expect(await group.exitCode()).toBe(0);
      expect(pids.filter(isAlive)).toEqual([]);
      expect(group.log.filter(({ level }) => level > 40)).toEqual([]);
    });

    it('end at once, all of them, on a second signal', async () => {
      launch();
      const clients = await spread();
      const pids = await group.pids();
      // Reads nothing any more, so it does not answer the closing handshake and holds the drain up.
      for (const client of clients.slice(0, 3)) client.socket.pause();
      group.process.kill('SIGTERM');
      await clients[5]!.waitFor('going_away');
      group.process.kill('SIGTERM');
      expect(await group.exitCode()).toBe(1);
      await until('workers to end', () => Promise.resolve(!pids.some(isAlive)));
      for (const client of clients) client.kill();
    });

    it('end by themselves where the primary is killed', async () => {
      launch();
      await group.url();
      const pids = await bothPids();
      group.process.kill('SIGKILL');
      await until('workers to end', () => Promise.resolve(!pids.some(isAlive)));
    });
  });

  describe('that cannot start', () => {
    it('say every wrong setting once, that of memory among them, and exit 78', async () => {
      group = WorkerGroup.launch({ STORAGE: 'memory', PORT: 'x' });
      expect(await group.exitCode()).toBe(78);
      expect(group.stderr).toMatch(
        /^Settings refused:\n {2}- PORT must be .*\n {2}- WORKERS=2 needs STORAGE=redis: .*\n$/,
      );
      expect(group.stdout).toBe('');
    });

    it.each([
      ['PORT', {}],
      ['METRICS_PORT', { PORT: '0' }],
    ])('say once that %s is taken, and exit 69', async (name, more) => {
      const holder = createServer().listen(0, '127.0.0.1').unref();
      await once(holder, 'listening');
      const { port } = holder.address() as AddressInfo;
      launch({ ...more, [name]: String(port) });
      expect(await group.exitCode()).toBe(69);
      expect(group.stderr).toMatch(new RegExp(`^Cannot start:\\n {2}- ${name} ${port} is taken on 127.0.0.1 .*\\n$`));
      expect(group.log.filter(({ level }) => level > 40)).toEqual([]);
      holder.close();
    });

    it.each([
      [69, 'Redis does not answer', { REDIS_URL: 'redis://127.0.0.1:1', REDIS_WAIT_SECONDS: '0' }],
      [78, 'TLS_CERT_FILE and TLS_KEY_FILE cannot be used', { TLS_CERT_FILE: '/none', TLS_KEY_FILE: '/none' }],
    ])('exit %i with one message: %s', async (code, message, more) => {
      launch(more);
      expect(await group.exitCode()).toBe(code);
      expect(group.stderr.split(message)).toHaveLength(2);
      expect(group.stderr).toMatch(/^Cannot start:\n {2}- .*\n$/);
    });
  });
});
