import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const CLIENT = fileURLToPath(new URL('../', import.meta.url));
const MODULES = join(CLIENT, '..', 'node_modules');

/** Installed alone: the packed files and the packages that package.json names, nothing else of this repository. */
describe('the packed package', () => {
  let folder: string;
  let installed: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'relay-pack-'));
    const options = { cwd: CLIENT, encoding: 'utf8' } as const;
    const packed = spawnSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], options);
    expect(packed.stderr).not.toMatch(/npm error/);
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
    installed = join(folder, 'node_modules', '@relay', 'client');
    mkdirSync(installed, { recursive: true });
    spawnSync('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components=1']);
    for (const name of ['@noble', 'ws']) symlinkSync(join(MODULES, name), join(folder, 'node_modules', name));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const filesOf = (path: string): string[] =>
    readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? filesOf(join(path, entry.name)) : [join(path, entry.name)],
    );

  it('has what package.json exports', () => {
    const { exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      exports: Record<string, { types: string; default: string }>;
    };
    const named = Object.values(exports).flatMap((entry) => [entry.types, entry.default]);
    expect(named.filter((path) => !existsSync(join(installed, path)))).toEqual([]);
  });

  it('imports nothing but its own files, Node and what it depends on', () => {
    const foreign = filesOf(join(installed, 'dist')).flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*["']([\w@./:-]+)["']/g)]
        .map(([, target]) => target!)
        .filter((target) => !/^(\.|node:|@noble\/|ws$)/.test(target)),
    );
    expect(foreign).toEqual([]);
  });

  it('has pages whose links lead somewhere: into the package, or to an address', () => {
    const pages = filesOf(installed).filter((file) => file.endsWith('.md'));
    expect(pages.length).toBeGreaterThan(1);
    const dead = pages.flatMap((page) =>
      [...readFileSync(page, 'utf8').matchAll(/\]\(([^)#\s]+)/g)]
        .map(([, target]) => target!)
        .filter((target) => !/^https?:/.test(target) && !existsSync(join(dirname(page), target)))
        .map((target) => `${page}: ${target}`),
    );
    expect(dead).toEqual([]);
  });

  it('begins with an example of at most 15 lines', () => {
    const [, example = ''] = /```js\n([^]*?)```/.exec(readFileSync(join(installed, 'README.md'), 'utf8')) ?? [];
    expect(example).toContain('encryption.send');
    expect(example.trimEnd().split('\n').length).toBeLessThanOrEqual(15);
  });

  it('runs', () => {
    const script = join(folder, 'try.mjs');
    writeFileSync(
      script,
      `import { CLOSE_CODES, MemoryStore } from '@relay/client';
       import { FileStore, nodeWebSocket, open } from '@relay/client/node';
       import { newIdentity } from '@relay/client/identity';
       import { Encryption } from '@relay/client/encryption';
       const client = await open({ url: 'ws://127.0.0.1:9', identity: newIdentity(), onMessage() {} });
       await Encryption.open(client);
       await client.send(client.address, 'waits');
       console.log(typeof FileStore, typeof MemoryStore, typeof (await nodeWebSocket()), client.outboxSize, CLOSE_CODES[4409].reconnect);`,
    );
    const { stdout, stderr } = spawnSync(process.execPath, [script], { cwd: folder, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout.trim()).toBe('function function function 1 false');
  });
});
