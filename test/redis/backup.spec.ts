import type { Address } from '@relay/protocol';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { backUp, type BackupOptions } from '../../src/backup/backup.redis.js';
import { type Line, writeLine } from '../../src/backup/backup-lines.js';
import { KEY_KINDS, parseKey } from '../../src/backup/key-kinds.js';
import { restore, type RestoreOptions } from '../../src/backup/restore.redis.js';
import { RedisSessionRepository } from '../../src/auth/session.repository.redis.js';
import { RedisBanRepository } from '../../src/bans/ban.repository.redis.js';
import { RedisKeyRepository } from '../../src/keys/key.repository.redis.js';
import { MailboxAudit } from '../../src/queue/mailbox-audit.redis.js';
import type { NewMessage } from '../../src/queue/queue.repository.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import { bucketOf } from '../../src/redis/redis-key.redis.js';
import { addressOf } from '../support/classic-client.js';
import { Device } from '../support/device.js';
import { ManualClock } from '../support/manual-clock.js';
import { HOUR_MS, message as plainMessage, ROOMY } from '../support/one-mailbox.js';
import { type OpenQueue, openQueue } from '../support/redis-queue.js';
import { RedisCluster, type RedisServer, usesRedis } from '../support/redis-server.js';
import { startRelay } from '../support/relay.js';
import { ROOT } from '../support/relay-process.js';

const RULES = { retentionMs: HOUR_MS, historyMs: 0, maxReceipts: 20, maxDevices: 4 };
const ALICE = addressOf(900) as Address;

const { jest } = import.meta;

const box = (n: number): Address => addressOf(n) as Address;
const message = (messageId: string, more: Partial<NewMessage> = {}): NewMessage =>
  plainMessage(messageId, { from: ALICE, ...more });

describe('backup and restore', () => {
  const shared = usesRedis();
  let redis: RedisServer;
  let clock: ManualClock;
  let node: OpenQueue;
  let folder: string;
  let path: string;

  beforeEach(async () => {
    redis = await shared;
    clock = new ManualClock();
    node = await openQueue(redis, clock, RULES);
    folder = mkdtempSync(join(tmpdir(), 'relay-backup-'));
    path = join(folder, 'backup');
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await node.close();
    rmSync(folder, { recursive: true });
  });

  const save = (more: Partial<BackupOptions> = {}, client = node.client) =>
    backUp(client, { path, id: 'one', relayVersion: '1', now: () => 'now', ...more });

  const bring = (client: RedisClient, more: Partial<RestoreOptions> = {}) =>
    restore(client, { path, mode: 'empty', nowMs: clock.now(), wait: () => Promise.resolve(), ...more });

  const elsewhere = (): Promise<OpenQueue> => openQueue(redis, clock, RULES);

  async function fill(mailboxes: number, messages: number, name = 'm'): Promise<void> {
    for (let n = 1; n <= mailboxes; n++) {
      for (let i = 1; i <= messages; i++) await node.queue.append(box(n), message(`${name}${n}-${i}`), ROOMY);
    }
  }

  async function idsIn({ queue }: OpenQueue, mailbox: Address): Promise<string[]> {
    const { entries } = await queue.read(mailbox, null, 10_000, 1_000_000_000);
    return entries.map((entry) => (entry.kind === 'message' ? entry.messageId : entry.kind));
  }

  async function expectBalance({ client }: OpenQueue): Promise<void> {
    expect((await new MailboxAudit(client, { clock }).run()).differences).toEqual([]);
  }

  async function keysOf(client: RedisClient): Promise<string[]> {
    const keys = (await client.command('KEYS', `${client.prefix}*`)) as string[];
    return keys.map((key) => key.slice(client.prefix.length)).sort();
  }

  it('brings everything back as it was: bytes, times, devices, counts', async () => {
    await fill(3, 4);
    const keys = new RedisKeyRepository(node.client, clock);
    await keys.put(box(1), 'a key');
    await node.queue.append(box(1), message('lone', { content: 'lone \ud800, 𝔘, \u0000' }), ROOMY);
    const { entries } = await node.queue.read(box(1), null, 2, 1_000_000);
    await node.queue.open(box(1), 'phone');
    await node.queue.open(box(1), 'laptop');
    await node.queue.acknowledge(box(1), { device: 'phone', upTo: entries[1]!.id });
    await node.queue.appendReceipts(ALICE, [{ kind: 'read', peer: box(1), messageId: 'x', timestamp: 1 }]);
    await node.contacts.put('blocked', box(2), box(3));
    expect(await node.queue.append(box(2), message('ghost', { from: box(3) }), ROOMY)).toEqual({ kind: 'blocked' });
    await save();
    const other = await elsewhere();
    const { messages, kept } = await bring(other.client);
    expect([messages, kept]).toEqual([11, 0]);
    const fleeting = KEY_KINDS.filter(({ backup }) => backup === 'fleeting').map(({ name }) => name);
    const lasting = async (client: RedisClient) =>
      (await keysOf(client)).filter((key) => !fleeting.includes(parseKey(key).kind.name));
    const names = await lasting(node.client);
    expect(await lasting(other.client)).toEqual(names);
    const digest = (client: RedisClient, key: string) =>
      client.command('DEBUG', 'DIGEST-VALUE', `${client.prefix}${key}`);
    for (const key of names) {
      expect([key, await digest(other.client, key)]).toEqual([key, await digest(node.client, key)]);
      const until = await node.client.command('PEXPIRETIME', `${node.client.prefix}${key}`);
      expect([key, await other.client.command('PEXPIRETIME', `${other.client.prefix}${key}`)]).toEqual([key, until]);
    }
    expect(await other.queue.ledger()).toEqual(await node.queue.ledger());
    expect(await new RedisKeyRepository(other.client, clock).count()).toBe(1);
    await expectBalance(other);
    // A repeat is known, and what comes next goes on in order.
    expect(await other.queue.append(box(1), message('m1-3'), ROOMY)).toMatchObject({ kind: 'repeat' });
    expect(await other.queue.append(box(1), message('next'), ROOMY)).toMatchObject({ kind: 'stored' });
    await expectBalance(other);
    await other.close();
  });

  it.each(['', '.gz'])('is right while sends and acknowledgements go on (backup%s)', async (ending) => {
    path += ending;
    const [mailboxes, before] = [25, 12];
    await fill(mailboxes, before);
    const sent = new Map<Address, string[]>();
    let isBusy = true;
    const busy = (async () => {
      for (let i = 0; isBusy; i++) {
        const mailbox = box(1 + (i % mailboxes));
        const id = `live${i}`;
        await node.queue.append(mailbox, message(id), ROOMY);
        sent.set(mailbox, [...(sent.get(mailbox) ?? []), id]);
        if (i % 7 === 0) {
          const { entries } = await node.queue.read(mailbox, null, 1, 1_000_000);
          await node.queue.acknowledge(mailbox, { device: 'phone', upTo: entries[0]!.id });
        }
      }
    })();
    const counts = await save({ sliceEntries: 3, maxUnits: 5 });
    isBusy = false;
    await busy;
    const other = await elsewhere();
    const { messages } = await bring(other.client);
    expect(messages).toBe(counts.messages);
    await expectBalance(other);
    let total = 0;
    for (let n = 1; n <= mailboxes; n++) {
      const ids = await idsIn(other, box(n));
      total += ids.length;
      const all = [...Array.from({ length: before }, (_, i) => `m${n}-${i + 1}`), ...(sent.get(box(n)) ?? [])];
      // One stretch of what was sent, in order: what was acknowledged is gone in front, what came later behind.
      const from = all.indexOf(ids[0]!);
      expect(ids).toEqual(all.slice(from, from + ids.length));
      expect(from + ids.length).toBeGreaterThanOrEqual(before);
    }
    expect(total).toBe(messages);
    await other.close();
  });

  /** Something happens right before the calls of a script. */
  function disturb(client: RedisClient, script: string, disturbance: (time: number) => Promise<unknown>): void {
    const run = client.run.bind(client);
    let time = 0;
    jest.spyOn(client, 'run').mockImplementation(async (...call) => {
      if (call[0].name === script) await disturbance(time++);
      return run(...call);
    });
  }

  it('reads a mailbox again that changes between two slices', async () => {
    await fill(1, 60);
    const reader = await openQueue(redis, clock, RULES, node.client.prefix);
    disturb(reader.client, 'read-unit', (time) => node.queue.append(box(1), message(`later${time}`), ROOMY));
    await save({ sliceEntries: 16 }, reader.client);
    await reader.close();
    const other = await elsewhere();
    await bring(other.client);
    await expectBalance(other);
    const ids = await idsIn(other, box(1));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(60);
    await other.close();
  });

  it.each(['', '.gz'])('goes on where a backup was interrupted (backup%s)', async (ending) => {
    path += ending;
    for (let n = 1; n <= 40; n++) {
      for (let i = 1; i <= 3; i++) {
        await node.queue.append(box(n), message(`m${n}-${i}`, { content: randomBytes(10_000).toString('hex') }), ROOMY);
      }
    }
    const reader = await openQueue(redis, clock, RULES, node.client.prefix);
    disturb(reader.client, 'read-unit', (time) =>
      time === 900 ? Promise.reject(new Error('cut')) : Promise.resolve(),
    );
    await expect(save({}, reader.client)).rejects.toThrow('cut');
    await reader.close();
    expect(existsSync(path)).toBe(false);
    // And as a machine that went down leaves it.
    truncateSync(`${path}.partial`, statSync(`${path}.partial`).size - 7);
    const resumed = jest.fn();
    const counts = await save({ onResume: resumed });
    expect(resumed).toHaveBeenCalledTimes(1);
    expect((resumed.mock.calls[0] as [{ units: number }])[0].units).toBeGreaterThan(0);
    expect([counts.messages, counts.entries, existsSync(`${path}.partial`)]).toEqual([120, 120, false]);
    const other = await elsewhere();
    expect((await bring(other.client)).messages).toBe(120);
    await expectBalance(other);
    await other.close();
  });

  it('goes on where a restore was interrupted, and no relay starts before that', async () => {
    await fill(30, 5);
    await save({ sliceEntries: 2 });
    const other = await elsewhere();
    disturb(other.client, 'write-unit', (time) => (time === 20 ? Promise.reject(new Error('cut')) : Promise.resolve()));
    await expect(bring(other.client)).rejects.toThrow('cut');
    jest.restoreAllMocks();
    const env = { STORAGE: 'redis', REDIS_URL: redis.url, REDIS_KEY_PREFIX: other.client.prefix };
    await expect(startRelay({ clock, env })).rejects.toThrow(`a restore of ${path} into this Redis is not finished`);
    expect(await bring(other.client)).toMatchObject({ wasResumed: true });
    await expectBalance(other);
    expect((await other.queue.ledger()).pending).toBe(150);
    expect(await keysOf(other.client)).not.toContainEqual(expect.stringMatching(/^(restoring|added|staged)/));
    await other.close();
  });

  it('refuses a prefix with data; --merge keeps what is there, --force removes it', async () => {
    await fill(3, 2);
    await save();
    const other = await elsewhere();
    await other.queue.append(box(1), message('here'), ROOMY);
    const before = await keysOf(other.client);
    await expect(bring(other.client)).rejects.toThrow('--merge');
    expect(await keysOf(other.client)).toEqual(before);
    expect(await bring(other.client, { mode: 'merge' })).toMatchObject({ messages: 4, kept: 2 });
    expect([await idsIn(other, box(1)), await idsIn(other, box(2))]).toEqual([['here'], ['m2-1', 'm2-2']]);
    await expectBalance(other);
    expect(await bring(other.client, { mode: 'force' })).toMatchObject({ messages: 6, kept: 0 });
    expect(await idsIn(other, box(1))).toEqual(['m1-1', 'm1-2']);
    await expectBalance(other);
    await other.close();
  });

  describe('--merge beside relays that run', () => {
    let other: OpenQueue;

    beforeEach(async () => (other = await elsewhere()));
    afterEach(() => other.close());

    const merge = () => bring(other.client, { mode: 'merge' });

    it.each(['the list', 'the mailbox'])('keeps out who is blocked, where the backup brings %s', async (brought) => {
      const [withList, withMailbox] = brought === 'the list' ? [node, other] : [other, node];
      await withList.contacts.put('blocked', box(2), box(3));
      await withMailbox.queue.append(box(2), message('before'), ROOMY);
      await save();
      const version = `${other.client.prefix}blv:{${bucketOf(box(2))}}`;
      const before = Number(await other.client.command('GET', version));
      await merge();
      expect(await other.queue.append(box(2), message('after', { from: box(3) }), ROOMY)).toEqual({ kind: 'blocked' });
      expect(await idsIn(other, box(2))).toEqual(['before']);
      // Whoever knows the list as it was reads it again.
      expect(Number(await other.client.command('GET', version)) - before).toBe(brought === 'the list' ? 1 : 0);
      await expectBalance(other);
    });

    it('bans who was banned beside those who are, and nodes hear of it', async () => {
      const [from, to] = [node, other].map(({ client }) => new RedisBanRepository(client, clock));
      await from!.put(box(1), 'of the backup');
      await from!.put(box(2), 'of the backup');
      await save();
      await to!.put(box(2), 'here');
      await to!.put(box(3), 'here');
      const { mark } = (await to!.since(null))!;
      expect(await merge()).toMatchObject({ kept: 1 });
      const list = await to!.since(mark);
      const notes = [...(list?.bans ?? [])].map(([address, { note }]) => [address, note]).sort();
      expect(notes).toEqual([
        [box(1), 'of the backup'],
        [box(2), 'here'],
        [box(3), 'here'],
      ]);
      await merge();
      expect(await to!.since(list!.mark)).toBeNull();
    });

    it('brings back no session of an address that signed in there: it may have been ended since', async () => {
      const [from, to] = [node, other].map(({ client }) => new RedisSessionRepository(client, clock));
      const ended = await from!.create(box(1), 'phone');
      const lasting = await from!.create(box(2), 'phone');
      await save();
      await to!.create(box(1), 'phone');
      await to!.revoke(box(1), 'phone');
      await merge();
      expect(await to!.use(ended.token)).toBeNull();
      expect(await to!.use(lasting.token)).toMatchObject({ address: box(2), device: 'phone' });
    });
  });

  it('refuses while a relay runs, unless it only adds', async () => {
    await fill(2, 2);
    await save();
    const other = await elsewhere();
    await other.client.command('ZADD', `${other.client.prefix}{nodes}`, clock.now() + 1000, 'n');
    for (const mode of ['empty', 'force'] as const)
      await expect(bring(other.client, { mode })).rejects.toThrow('stop them');
    expect(await bring(other.client, { mode: 'merge' })).toMatchObject({ messages: 4 });
    await other.close();
  });

  describe('a file that is not as it was written', () => {
    let lines: string[];
    let other: OpenQueue;

    beforeEach(async () => {
      await fill(4, 3);
      await save();
      lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
      other = await elsewhere();
    });
    afterEach(() => other.close());

    async function refusal(text: string | Buffer): Promise<string> {
      writeFileSync(path, text);
      const error: unknown = await bring(other.client).catch((error: unknown) => error);
      expect(await keysOf(other.client)).toEqual([]);
      return (error as Error).message;
    }
    const joined = (changed: readonly string[]): string => changed.map((line) => `${line}\n`).join('');

    it('is as it is read here', async () => {
      expect(lines.length).toBeGreaterThan(8);
      writeFileSync(path, joined(lines));
      expect(await bring(other.client)).toMatchObject({ messages: 12 });
    });

    it('names each line in which anything was changed', async () => {
      for (const [i, line] of lines.entries()) {
        const at = Math.floor(line.length / 2);
        const changed = line.slice(0, at) + (line[at] === 'x' ? 'y' : 'x') + line.slice(at + 1);
        expect(await refusal(joined(lines.with(i, changed)))).toMatch(new RegExp(`^line ${i + 1}: `));
      }
    });

    it('names the line where one is missing, comes twice, or two are exchanged', async () => {
      for (let i = 0; i < lines.length; i++) {
        expect(await refusal(joined(lines.toSpliced(i, 1)))).toMatch(/^line \d+: /);
        expect(await refusal(joined(lines.toSpliced(i, 0, lines[i]!)))).toMatch(/^line \d+: /);
      }
      expect(await refusal(joined(lines.with(3, lines[4]!).with(4, lines[3]!)))).toMatch(/^line \d+: /);
    });

    it('names the line at which it was cut, wherever that is', async () => {
      const text = joined(lines);
      for (let size = 0; size < text.length; size += 487) {
        const line = text.slice(0, size).split('\n').length;
        expect(await refusal(text.slice(0, size))).toMatch(new RegExp(`^line ${line}: .*cut`));
      }
    });

    it('says so of a compressed one', async () => {
      path += '.gz';
      await save();
      const bytes = readFileSync(path);
      expect(gunzipSync(bytes).toString().split('\n')).toHaveLength(lines.length + 1);
      expect(await refusal(bytes.subarray(0, bytes.length - 30))).toMatch(/^line \d+: .*cut/);
      const altered = Buffer.from(bytes);
      altered[200]! ^= 0xff;
      expect(await refusal(altered)).toMatch(/^line \d+: /);
    });

    it.each([
      ['something else', 'hello\n', 'line 1: this is no line of a backup'],
      ['nothing', '', 'line 1: the file ends here, before the backup does: it was cut'],
      [
        'a later format',
        writeLine({ t: 'backup', format: 2 } as Line),
        'line 1: the format is 2; this version reads 1',
      ],
    ])('is %s', async (_, text, expected) => {
      expect(await refusal(text)).toBe(expected);
    });
  });

  it('moves from one Redis to a Cluster', async () => {
    await fill(40, 3);
    await save();
    const cluster = await RedisCluster.start({ replicas: 0 });
    try {
      const target = { url: cluster.urls[0]!, clusterNodes: cluster.addresses };
      const other = await openQueue(target, clock, RULES);
      expect(await bring(other.client)).toMatchObject({ messages: 120, kept: 0 });
      await expectBalance(other);
      for (let n = 1; n <= 40; n++) expect(await idsIn(other, box(n))).toEqual([1, 2, 3].map((i) => `m${n}-${i}`));
      // And back.
      path += '2';
      await save({}, other.client);
      await other.close();
      const back = await elsewhere();
      expect(await bring(back.client)).toMatchObject({ messages: 120 });
      await expectBalance(back);
      await back.close();
    } finally {
      await cluster.close();
    }
  });

  it('restores what a relay serves: every device gets its mail once', async () => {
    const env = (prefix: string) => ({ STORAGE: 'redis', REDIS_URL: redis.url, REDIS_KEY_PREFIX: prefix });
    const prefix = `${randomBytes(6).toString('hex')}:`;
    await redis.command('SET', `${prefix}clock`, String(clock.now()));
    const relay = await startRelay({ clock, env: env(prefix) });
    const [bob, eve] = [addressOf(1), addressOf(2)];
    for (const id of ['phone', 'laptop']) {
      const device = await Device.open(relay.wsUrl, bob, id);
      await device.synced();
      device.client.socket.terminate();
      await device.client.closed();
    }
    const phone = await Device.open(relay.wsUrl, bob, 'phone');
    const alice = await relay.signIn(ALICE);
    await phone.synced();
    alice.message(bob, 'm1');
    await phone.client.waitFor('message');
    await alice.waitFor('delivered', { messageId: 'm1' });
    phone.client.socket.terminate();
    await phone.client.closed();
    for (const id of ['m2', 'm3']) alice.message(bob, id);
    alice.message(eve, 'm4');
    await alice.settled();
    clock.advance(300);
    await relay.run('answer sends');
    await alice.waitForCount('queued', 3);
    const client = await RedisClient.connect(redis.url, prefix);
    await save({}, client);
    await client.close();
    await relay.stop();

    const other = `${randomBytes(6).toString('hex')}:`;
    const target = await RedisClient.connect(redis.url, other);
    await bring(target);
    await target.close();
    const second = await startRelay({ clock, env: env(other) });
    const drained = async (address: string, id: string): Promise<unknown[]> => {
      const device = await Device.open(second.wsUrl, address, id);
      await device.synced();
      return device.messageIds;
    };
    expect(await drained(bob, 'phone')).toEqual(['m2', 'm3']);
    expect(await drained(bob, 'laptop')).toEqual(['m1', 'm2', 'm3']);
    expect(await drained(eve, 'phone')).toEqual(['m4']);
    await second.stop();
  });

  describe('kinds of keys', () => {
    it('are all known, of whatever the relay writes', async () => {
      await fill(2, 2);
      await node.queue.append(box(1), message('short', { ttlMs: 10 }), ROOMY);
      clock.advance(20);
      while (await node.queue.purge());
      await new RedisKeyRepository(node.client, clock).put(box(1), 'a key');
      const unknown = new Set<string>();
      await save({ onUnknownKind: (name) => unknown.add(name) });
      expect([...unknown]).toEqual([]);
    });

    /** `${prefix}kind:{…` and `'kind:'`-like parts of keys in the sources. Add a row to src/backup/key-kinds.ts for a new one. */
    it('are all in the registry, by the sources', () => {
      const sources = (folder: string): string[] =>
        readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith('.redis.ts'))
          .map((name) => join(ROOT, folder, name));
      const found = sources('src').flatMap((file) => {
        const text = readFileSync(file, 'utf8');
        const written = [...text.matchAll(/[pP]refix\}\{?([a-z]+)(?=[:{}`$])/g)].map(([, name]) => name!);
        const documented = [
          ...text.matchAll(/^ *\* \| `\{?([a-z]+)(?=[:}`])[^|]*\| *(?:stream|hash|zset|string|set|list)/gm),
        ].map(([, name]) => name!);
        return [...written, ...documented];
      });
      const known = KEY_KINDS.map(({ name }) => name);
      expect(new Set(found).size).toBeGreaterThan(8);
      expect([...new Set(found)].filter((name) => !known.includes(name))).toEqual([]);
    });

    it('that nobody knows are saved as they are, and told', async () => {
      const key = (name: string): string => `${node.client.prefix}${name}`;
      await node.client.command('HSET', key(`new:{7}:${box(1)}`), 'a', '1');
      await node.client.command('SADD', key('other'), 'x', 'y');
      await node.client.command('RPUSH', key('list:{3}'), 'x', 'y');
      const unknown = new Set<string>();
      await save({ onUnknownKind: (name) => unknown.add(name) });
      expect([...unknown].sort()).toEqual(['list', 'new', 'other']);
      const other = await elsewhere();
      await bring(other.client);
      expect(await keysOf(other.client)).toEqual(['list:{3}', `new:{7}:${box(1)}`, 'other']);
      expect(await other.client.command('LRANGE', `${other.client.prefix}list:{3}`, '0', '-1')).toEqual(['x', 'y']);
      await other.close();
    });
  });

  it('keeps what a bucket has counted', async () => {
    await fill(1, 3);
    const { entries } = await node.queue.read(box(1), null, 2, 1_000_000);
    await node.queue.acknowledge(box(1), { device: 'phone', upTo: entries[1]!.id });
    await save();
    const other = await elsewhere();
    await bring(other.client);
    expect(await other.queue.ledger()).toMatchObject({ accepted: 3, acknowledged: 2, pending: 1 });
    expect(await other.client.command('HGET', `${other.client.prefix}tot:{${bucketOf(box(1))}}`, 'b')).toBe('1');
    await other.close();
  });

  describe('as commands', () => {
    async function relay(env: Record<string, string>, ...args: string[]) {
      const child = spawn(process.execPath, [join(ROOT, 'dist', 'cli.js'), ...args], {
        cwd: folder,
        env: { PATH: process.env.PATH, STORAGE: 'redis', REDIS_URL: redis.url, ...env },
      });
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      const [code] = (await once(child, 'close')) as [number];
      return { code, stdout, stderr };
    }

    it('save, restore, verify, and refuse', async () => {
      await fill(5, 2);
      const from = { REDIS_KEY_PREFIX: node.client.prefix };
      const saved = await relay(from, 'backup', 'b.gz', '--json');
      expect(saved).toMatchObject({ code: 0, stderr: '' });
      expect(JSON.parse(saved.stdout)).toMatchObject({ file: 'b.gz', messages: 10, units: 5 });
      expect(statSync(join(folder, 'b.gz')).mode & 0o777).toBe(0o600);
      expect(await relay(from, 'backup', 'b.gz')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('exists') as string,
      });
      const to = { REDIS_KEY_PREFIX: `${randomBytes(6).toString('hex')}:` };
      const restored = await relay(to, 'restore', 'b.gz');
      expect(restored).toMatchObject({ code: 0, stderr: '' });
      expect(restored.stdout).toMatch(/^10 messages of 5 addresses.*; the file has 10\nin balance\n$/);
      expect((await relay(to, 'verify')).code).toBe(0);
      expect((await relay(to, 'restore', 'b.gz')).code).toBe(1);
      expect((await relay(to, 'restore', 'b.gz', '--merge', '--force')).code).toBe(2);
      expect(await relay(to, 'restore', 'nowhere')).toMatchObject({
        code: 1,
        stderr: 'nowhere: there is no such file\n',
      });
      expect(await relay(from, 'backup', 'nowhere/b.gz')).toMatchObject({
        code: 1,
        stderr: 'nowhere/b.gz: there is no directory nowhere\n',
      });
      writeFileSync(join(folder, 'bad'), 'x\n');
      const bad = await relay(to, 'restore', 'bad', '--force');
      expect(bad).toEqual({ code: 1, stdout: '', stderr: 'bad is refused, line 1: this is no line of a backup\n' });
    });
  });
});
