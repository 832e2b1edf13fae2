import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addressOf, ClassicClient } from '../support/classic-client.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** Of one step, on a machine that does much else. */
const PATIENCE_MS = 60_000;
const PRODUCTION = {
  NODE_ENV: 'production',
  AUTH_MODE: 'open',
  PUBLIC_DOMAIN: 'relay.example',
  PORT: '0',
  HOST: '127.0.0.1',
  METRICS_PORT: '0',
};

import.meta.jest.setTimeout(5 * PATIENCE_MS);

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** The built relay, as an operator starts it, whether it comes up or not. */
class LaunchedRelay {
  stdout = '';
  stderr = '';
  private readonly ended: Promise<void>;
  private code: number | null = null;
  private hasEnded = false;
  private readonly watchers = new Set<() => void>();

  constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
      this.notify();
    });
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    // When it has ended and all that it wrote has been read.
    this.ended = once(child, 'close').then(([code]) => {
      this.code = code as number | null;
      this.hasEnded = true;
      this.notify();
    });
  }

  /** Its JSON log so far. */
  get log(): LogLine[] {
    const lines = this.stdout.split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as LogLine);
  }

  /** The line with that text, whether it has been written or is to be. */
  async logged(msg: string): Promise<LogLine> {
    const find = () => this.log.find((line) => line.msg === msg);
    await this.until(() => find() !== undefined, msg);
    return find()!;
  }

  /** Where it listens. */
  async url(): Promise<string> {
    return (await this.logged('relay listening')).url as string;
  }

  /** Rejects where it does not end by itself. */
  async exitCode(): Promise<number | null> {
    await this.until(() => this.hasEnded, 'the end');
    return this.code;
  }

  /** Resolves when the condition holds, which is looked at after each output; rejects with what did come. */
  async until(condition: () => boolean, what: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (done: () => void): void => {
        clearTimeout(timer);
        this.watchers.delete(look);
        done();
      };
      const giveUp = () => settle(() => reject(new Error(`waited for: ${what}\n${this.stdout}${this.stderr}`)));
      const look = (): void => {
        if (condition()) settle(resolve);
        else if (this.hasEnded) giveUp();
      };
      const timer = setTimeout(giveUp, PATIENCE_MS);
      this.watchers.add(look);
      look();
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  private notify(): void {
    for (const watch of [...this.watchers]) watch();
  }
}

describe('the built relay', () => {
  let directory: string;
  let started: LaunchedRelay[];

  beforeAll(() => {
    if (!existsSync(MAIN)) throw new Error('dist/main.js is missing: run `npm run build` first');
  });

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'relay-start-'));
    started = [];
  });

  afterEach(async () => {
    await Promise.all(started.map((relay) => relay.kill()));
    rmSync(directory, { recursive: true });
  });

  /** In an empty working directory, and with nothing of this shell's environment but the path. */
  function start(environment: Readonly<Record<string, string>>): LaunchedRelay {
    const env = { PATH: process.env.PATH, ...environment };
    const child = spawn(process.execPath, [MAIN], { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const relay = new LaunchedRelay(child);
    started.push(relay);
    return relay;
  }

  const dotEnv = (text: string): void => writeFileSync(join(directory, '.env'), text);

  /** Two settings, as they are in force. */
  async function bounds(relay: LaunchedRelay): Promise<unknown> {
    const response = await fetch(`${await relay.url()}/api/messages/stats/all`);
    const { maxMessagesPerUser, retentionHours } = (await response.json()) as Record<string, unknown>;
    return { maxMessagesPerUser, retentionHours };
  }

  async function signInMany(url: string, count: number): Promise<ClassicClient[]> {
    return Promise.all(
      Array.from({ length: count }, (_, i) => ClassicClient.signIn(url.replace('http', 'ws'), addressOf(i + 1))),
    );
  }

  describe('starting', () => {
    it('says in JSON where it listens, and warns that addresses are believed and memory forgets', async () => {
      const relay = start(PRODUCTION);
      const line = await relay.logged('relay listening');
      expect(line).toMatchObject({ level: 30, url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string });
      expect(await fetch(`${line.url as string}/health/ready`)).toMatchObject({ status: 200 });
      const warnings = relay.log.filter(({ level }) => level === 40).map(({ msg }) => msg);
      expect(warnings).toEqual([expect.stringContaining('AUTH_MODE=open'), expect.stringContaining('STORAGE=memory')]);
      expect(relay.stderr).toBe('');
    });

    it('warns of what browsers get by a link, where that is switched on', async () => {
      const relay = start({ ...PRODUCTION, BROWSER_SIGN_IN: 'true' });
      expect(await relay.logged('relay listening')).toBeDefined();
      expect(relay.stdout).toContain('BROWSER_SIGN_IN=true');
    });

    it('writes for people outside of production', async () => {
      const relay = start({ PORT: '0', HOST: '127.0.0.1', METRICS_PORT: '0' });
      await relay.until(() => relay.stdout.includes('relay listening'), 'relay listening');
      expect(relay.stdout).toMatch(/WARN: AUTH_MODE=open/);
    });

    it('with a wrong configuration prints every mistake on stderr and exits 78', async () => {
      const relay = start({ ...PRODUCTION, PORT: 'x', MAX_CONNECTIONS: '-1', SENDR_SHARE: '0.5' });
      expect(await relay.exitCode()).toBe(78);
      expect(relay.stderr.trimEnd().split('\n')).toEqual([
        'Settings refused:',
        '  - SENDR_SHARE is not a setting; did you mean SENDER_SHARE?',
        '  - PORT must be a whole number from 0 to 65535 (it is "x")',
        '  - MAX_CONNECTIONS must be a whole number of at least 0 (it is "-1")',
      ]);
      expect(relay.stdout).toBe('');
    });

    it('in production without a name to sign exits 78 and says what to set', async () => {
      const relay = start({ ...PRODUCTION, AUTH_MODE: '', PUBLIC_DOMAIN: '' });
      expect(await relay.exitCode()).toBe(78);
      expect(relay.stderr).toMatch(/^ {2}- PUBLIC_DOMAIN .*AUTH_MODE=open/m);
    });

    it.each([
      ['PORT', {}],
      ['METRICS_PORT', { PORT: '0' }],
    ])('on a %s in use exits 69, and one line on stderr says which and why', async (name, more) => {
      const holder = createServer().listen(0, '127.0.0.1').unref();
      await once(holder, 'listening');
      const { port } = holder.address() as AddressInfo;
      const relay = start({ ...PRODUCTION, ...more, [name]: String(port) });
      expect(await relay.exitCode()).toBe(69);
      expect(relay.stderr).toMatch(
        new RegExp(`^Cannot start:\\n {2}- ${name} ${port} is taken on 127\\.0\\.0\\.1 \\(EADDRINUSE\\): .*\\n$`),
      );
      // Nothing else is said about it: no second line, no stack.
      expect(relay.log.filter(({ level }) => level > 40)).toEqual([]);
      expect(relay.log.map(({ msg }) => msg)).not.toContain('relay listening');
      holder.close();
    });

    it.each([['REDIS_URL'], ['REDIS_SENTINELS'], ['REDIS_CLUSTER_NODES']])(
      'with %s and no STORAGE does not run in memory in silence: it exits 78 and says what to set',
      async (name) => {
        const value = name === 'REDIS_URL' ? 'redis://127.0.0.1:1' : '127.0.0.1:1';
        const relay = start({ ...PRODUCTION, [name]: value });
        expect(await relay.exitCode()).toBe(78);
        expect(relay.stderr).toMatch(new RegExp(`^Settings refused:\\n {2}- ${name} is set.*STORAGE=redis.*\\n$`));
      },
    );

    it('on an address of another machine exits 69 and says so', async () => {
      const relay = start({ ...PRODUCTION, HOST: '192.0.2.1' });
      expect(await relay.exitCode()).toBe(69);
      expect(relay.stderr).toMatch(/^Cannot start:\n {2}- HOST 192\.0\.2\.1 is not an address of this machine.*\n$/);
    });
  });

  describe('the environment', () => {
    const defaults = { maxMessagesPerUser: 1000, retentionHours: 168 };

    it('counts an empty value as none', async () => {
      const empty = { MAX_OFFLINE_MESSAGES: '', MESSAGE_RETENTION_HOURS: ' ', LOG_LEVEL: '', TRUST_PROXY: '' };
      expect(await bounds(start({ ...PRODUCTION, ...empty }))).toEqual(defaults);
    });

    it('wins over .env, which is read from the working directory', async () => {
      dotEnv('MAX_OFFLINE_MESSAGES=7\n# a comment\nMESSAGE_RETENTION_HOURS=5\n');
      const relay = start({ ...PRODUCTION, MESSAGE_RETENTION_HOURS: '6' });
      expect(await bounds(relay)).toEqual({ maxMessagesPerUser: 7, retentionHours: 6 });
    });

    it('leaves .env its word where a value is empty, which is none', async () => {
      dotEnv('MAX_OFFLINE_MESSAGES=7\nMESSAGE_RETENTION_HOURS=\n');
      const relay = start({ ...PRODUCTION, MAX_OFFLINE_MESSAGES: '' });
      expect(await bounds(relay)).toEqual({ ...defaults, maxMessagesPerUser: 7 });
    });

    it('and .env are checked alike', async () => {
      dotEnv('PORT=x\nMAX_CONNECTION_PER_IP=5\n');
      const { NODE_ENV, AUTH_MODE } = PRODUCTION;
      const relay = start({ NODE_ENV, AUTH_MODE });
      expect(await relay.exitCode()).toBe(78);
      expect(relay.stderr).toContain('PORT must be');
      expect(relay.stderr).toContain('did you mean MAX_CONNECTIONS_PER_IP?');
    });
  });

  describe('stopping', () => {
    it.each(['SIGTERM', 'SIGINT'] as const)('exits 0 on %s where nobody is connected', async (signal) => {
      const relay = start(PRODUCTION);
      await relay.url();
      relay.signal(signal);
      expect(await relay.exitCode()).toBe(0);
      expect(await relay.logged('stopping')).toMatchObject({ signal });
    });

    it('tells each of 100 clients that it is going away, closes with 1012, and exits 0', async () => {
      const relay = start(PRODUCTION);
      const clients = await signInMany(await relay.url(), 100);
      relay.signal('SIGTERM');
      const codes = await Promise.all(clients.map((client) => client.closed()));
      expect(codes).toEqual(Array<number>(100).fill(1012));
      for (const client of clients) {
        expect(client.ofType('going_away')).toHaveLength(1);
        const reconnectAfterMs = client.frames.at(-1)?.reconnectAfterMs;
        expect(Number.isInteger(reconnectAfterMs) && Number(reconnectAfterMs) > 0).toBe(true);
      }
      expect(await relay.exitCode()).toBe(0);
    });

    it('does not wait for a client that answers nothing', async () => {
      const relay = start(PRODUCTION);
      const [stuck] = await signInMany(await relay.url(), 1);
      stuck!.socket.pause();
      relay.signal('SIGTERM');
      expect(await relay.exitCode()).toBe(0);
      stuck!.kill();
    });

    it.each([
      ['nothing yet', ''],
      ['half a request', 'GET /health HTTP/1.1\r\nHost: relay\r\n'],
    ])('does not wait for ever for somebody who connected and sent %s', async (_, text) => {
      const relay = start(PRODUCTION);
      const { port } = new URL(await relay.url());
      const stranger = connect(Number(port), '127.0.0.1').on('error', () => undefined);
      await once(stranger, 'connect');
      stranger.write(text);
      // Whatever came before is known to the relay once it has answered this.
      await fetch(`${await relay.url()}/health`);
      relay.signal('SIGTERM');
      expect(await relay.exitCode()).toBe(0);
      stranger.destroy();
    });

    it('ends at once on a second signal during the drain, and says so by its exit code', async () => {
      const relay = start(PRODUCTION);
      const [stuck, polite] = await signInMany(await relay.url(), 2);
      // Reads nothing any more, so it does not answer the closing handshake and holds the drain up.
      stuck!.socket.pause();
      relay.signal('SIGTERM');
      await polite!.waitFor('going_away');
      relay.signal('SIGTERM');
      expect(await relay.exitCode()).toBe(1);
      expect(await relay.logged('stopped at once')).toMatchObject({ signal: 'SIGTERM' });
      stuck!.kill();
    });
  });
});
