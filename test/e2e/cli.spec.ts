import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SETTING_ROWS } from '../../src/common/setting.decorator.js';
import { loadSettings } from '../../src/common/load-settings.js';
import { type CliOptions, runCli } from '../support/cli.js';
import { ROOT } from '../support/relay-process.js';

describe('the built command line', () => {
  let directory: string;

  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'relay-cli-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  const relay = (args: string[], env: CliOptions['env'] = {}) => runCli(args, { cwd: directory, env });

  describe('relay config', () => {
    const TOKEN = 'x'.repeat(40);

    it('shows every setting as the relay takes it, where it is from, and no secret', async () => {
      writeFileSync(join(directory, '.env'), 'MAX_CONNECTIONS=7\nLOG_LEVEL=warn\n');
      writeFileSync(join(directory, 'admin'), `${TOKEN}\n`);
      const redis = { STORAGE: 'redis', REDIS_URL: 'redis://:hunter2@redis' };
      const env = {
        ...redis,
        LOG_LEVEL: 'debug',
        TRUST_PROXY: '10.0.0.0/8,::1',
        ADMIN_TOKEN_FILE: join(directory, 'admin'),
      };
      const { code, stdout, stderr } = await relay(['config', '--json'], env);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const rows = JSON.parse(stdout) as { name: string; value: unknown; source: string }[];
      expect(rows.map(({ name }) => name)).toEqual(SETTING_ROWS.map(({ name }) => name));
      const given = rows.filter(({ source }) => source !== 'default');
      expect(Object.fromEntries(given.map(({ name, value, source }) => [name, [value, source]]))).toEqual({
        STORAGE: ['redis', 'environment'],
        REDIS_URL: ['(hidden)', 'environment'],
        LOG_LEVEL: ['debug', 'environment'],
        TRUST_PROXY: [['10.0.0.0/8', '::1'], 'environment'],
        ADMIN_TOKEN: ['(hidden)', 'file'],
        MAX_CONNECTIONS: [7, '.env'],
      });
      const defaults = rows.filter(({ source }) => source === 'default');
      const inForce = loadSettings({}) as unknown as Record<string, unknown>;
      for (const { name, value } of defaults) {
        expect([name, value]).toEqual([name, inForce[SETTING_ROWS.find((row) => row.name === name)!.property]]);
      }
      const text = (await relay(['config'], env)).stdout;
      expect(text).toMatch(/^LOG_LEVEL +debug +environment$/m);
      expect(text).toMatch(/^TRUST_PROXY +10\.0\.0\.0\/8,::1 +environment$/m);
      for (const secret of ['hunter2', TOKEN]) expect(stdout + text).not.toContain(secret);
    });

    it('refuses what the relay would refuse, with the same words and code', async () => {
      const { code, stdout, stderr } = await relay(['config'], { PORT: 'x', PROT: '3000' });
      expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
      expect(stderr).toBe(
        'Settings refused:\n  - PROT is not a setting; did you mean PORT?\n  - PORT must be a whole number from 0 to 65535 (it is "x")\n',
      );
    });
  });

  describe('relay health', () => {
    /** Answers that path with 200, and others with 503. */
    async function answering(path: string) {
      const server = createServer(({ url }, response) => response.writeHead(url === path ? 200 : 503).end());
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const { port } = server.address() as AddressInfo;
      return { port: String(port), url: `http://127.0.0.1:${port}`, end: () => server.close() };
    }

    it('asks whether it lives, or is ready: of HOST and PORT, .env, or --url', async () => {
      const live = await answering('/health/live');
      const well = { code: 0, stdout: 'ok\n', stderr: '' };
      expect(await relay(['health'], { PORT: live.port })).toEqual(well);
      expect(await relay(['health', '--url', live.url])).toEqual(well);
      const unready = { code: 1, stdout: '', stderr: `${live.url}/health/ready: HTTP 503\n` };
      expect(await relay(['health', '--ready'], { PORT: live.port })).toEqual(unready);
      writeFileSync(join(directory, '.env'), `PORT=${live.port}\n`);
      expect(await relay(['health'])).toEqual(well);
      live.end();
    });

    it('says in words that nobody is there, and what an address without http:// was to be', async () => {
      expect(await relay(['health'], { PORT: '1' })).toEqual({
        code: 1,
        stdout: '',
        stderr: 'http://127.0.0.1:1/health/live: nobody listens there (ECONNREFUSED)\n',
      });
      expect(await relay(['health', '--url', 'localhost:3200'])).toEqual({
        code: 2,
        stdout: '',
        stderr: '--url localhost:3200 does not begin with http:// or https://; did you mean http://localhost:3200?\n',
      });
      expect(await relay(['health'], { PORT: 'x' })).toMatchObject({ code: 78, stdout: '' });
    });

    it('gives up on one that says nothing', async () => {
      const server = createServer(() => undefined);
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const { port } = server.address() as AddressInfo;
      const { code, stderr } = await relay(['health', '--timeout', '50'], { PORT: String(port) });
      expect({ code, stderr }).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('no answer within 50 ms') as string,
      });
      server.close();
      server.closeAllConnections();
    });
  });

  it('relay doctor is well with a relay that is only tried out, and says what production needs', async () => {
    const { code, stdout, stderr } = await relay(['doctor'], { PORT: '0', METRICS_PORT: '0' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const name of [
      'NODE_ENV=development',
      'STORAGE=memory',
      'AUTH_MODE=open',
      'no PUBLIC_DOMAIN',
      'no ADMIN_TOKEN',
    ]) {
      expect(stdout).toMatch(new RegExp(`^warn {2}${name}`, 'm'));
    }
    expect(stdout).toContain('set STORAGE=redis and REDIS_URL');
    expect(stdout).toMatch(/^ok {4}settings: no contradictions$/m);
    expect(stdout).not.toMatch(/^fail/m);
  });

  it('relay doctor finds the ports taken, of the metrics too, which only production does not start without', async () => {
    const server = createServer((_, response) => response.writeHead(404).end());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const port = String((server.address() as AddressInfo).port);
    const found = async (env: Record<string, string>) => {
      const { stdout } = await relay(['doctor', '--json'], { HOST: '127.0.0.1', PORT: '0', METRICS_PORT: '0', ...env });
      const { findings } = JSON.parse(stdout) as { findings: { verdict: string; what: string; advice?: string }[] };
      return findings.find(({ what }) => what.includes(port));
    };
    expect(await found({ PORT: port })).toMatchObject({ verdict: 'fail', what: `PORT ${port}: taken` });
    expect(await found({ METRICS_PORT: port })).toMatchObject({
      verdict: 'warn',
      what: `METRICS_PORT ${port}: taken`,
      advice: expect.stringContaining('set METRICS_PORT') as string,
    });
    const production = { NODE_ENV: 'production', AUTH_MODE: 'open', METRICS_PORT: port };
    expect(await found(production)).toMatchObject({ verdict: 'fail' });
    server.close();
  });

  it('relay doctor takes metrics for another relay’s where none has PORT', async () => {
    const other = createServer((_, response) => response.end('relay_build_info{version="1"} 1\n'));
    await once(other.listen(0, '127.0.0.1'), 'listening');
    const port = String((other.address() as AddressInfo).port);
    const { stdout } = await relay(['doctor'], {
      HOST: '127.0.0.1',
      PORT: '0',
      METRICS_HOST: '127.0.0.1',
      METRICS_PORT: port,
    });
    expect(stdout).toMatch(new RegExp(`^warn {2}METRICS_PORT ${port}: taken$`, 'm'));
    other.close();
    other.closeAllConnections();
  });

  it('relay doctor says that it looked at nothing else where settings are wrong', async () => {
    const { code, stdout } = await relay(['doctor'], { PORT: 'many' });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^fail {2}settings: PORT/m);
    expect(stdout).toMatch(/^warn {2}nothing else was looked at$/m);
  });

  it.each([
    ['stats', ['stats'], /curl http:\/\/127\.0\.0\.1:3210\/health, and http:\/\/127\.0\.0\.1:9464\/metrics/],
    ['verify', ['verify'], /no bookkeeping/],
    ['backup', ['backup', 'new'], /nothing that can be saved/],
  ])(
    'relay %s without Redis exits 78, and says that it needs one and what to do instead',
    async (name, args, instead) => {
      const { code, stdout, stderr } = await relay(args, { PORT: '3210' });
      expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
      expect(stderr).toMatch(
        new RegExp(`^relay ${name} needs Redis, and STORAGE is memory here:\\n.*STORAGE=redis and REDIS_URL\\n`),
      );
      expect(stderr).toMatch(instead);
    },
  );

  it('relay restore says that there is no such file, or that it is none', async () => {
    const missing = { code: 1, stdout: '', stderr: 'nowhere.gz: there is no such file\n' };
    expect(await relay(['restore', 'nowhere.gz'])).toEqual(missing);
    expect(await relay(['restore', join('nowhere', 'a.gz')])).toMatchObject({
      code: 1,
      stderr: 'nowhere/a.gz: there is no such file\n',
    });
  });

  it.each([['--help'], ['config'], ['completion', 'bash']])(
    'relay %s %s into a pipe that nobody reads any more is silent and ends as always',
    async (...args) => {
      const child = spawn(process.execPath, [join(ROOT, 'dist', 'cli.js'), ...args.filter(Boolean)], {
        cwd: directory,
        env: { PATH: process.env.PATH },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      // As `| head` that has seen enough; here before the first byte.
      child.stdout.destroy();
      let stderr = '';
      child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      const [code] = (await once(child, 'close')) as [number];
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    },
  );
});
