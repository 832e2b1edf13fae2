import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT } from './exit-codes.js';
import { fileFailure } from './file-failure.js';
import { run } from './program.js';
import { localUrl, relayUrl } from './relay-url.js';
import type { Terminal } from './terminal.js';

async function relay(...args: string[]) {
  let [out, err] = ['', ''];
  const terminal: Terminal = {
    out: (text) => (out += text),
    err: (text) => (err += text),
    isWatched: false,
    hasColor: false,
  };
  let seed = 0;
  const randomBytes = (size: number): Buffer => Buffer.alloc(size, ++seed);
  const code = await run(args, { terminal, environment: {}, randomBytes, start: () => Promise.resolve() });
  return { code, out, err };
}

describe('exit codes', () => {
  it('are those of docs/operations.md, and of the help', async () => {
    const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const table = /^\| exit code \|.*\n\| -.*\n((?:\|.*\n)+)/m.exec(page)?.[1] ?? '';
    const documented = [...table.matchAll(/^\| (\d+) +\| (.*\S) +\|$/gm)].map(([, code]) => Number(code));
    const codes = Object.values(EXIT).sort((a, b) => a - b);
    expect(documented).toEqual(codes);
    const { out } = await relay('--help');
    const [, inHelp = ''] = /Exit codes: ([^]*)$/.exec(out) ?? [];
    expect([...inHelp.matchAll(/(?:^|[,\n]) ?(\d+) /g)].map(([, code]) => Number(code))).toEqual(codes);
  });

  it.each([
    ['a command that is not there', ['nothing']],
    ['an option that is not there', ['verify', '--what']],
    ['a file that was not named', ['backup']],
    ['a shell without completion', ['completion', 'tcsh']],
    ['an address without http', ['health', '--url', 'localhost:3200']],
    ['no time', ['health', '--timeout', '2s']],
  ])('for %s: 2, and no stack', async (_, args) => {
    const { code, out, err } = await relay(...args);
    expect({ code, out }).toEqual({ code: EXIT.usage, out: '' });
    expect(err).not.toMatch(/^\s+at |inside/m);
  });
});

describe('relay token', () => {
  it('gives 256 bits on stdout alone, another each time, fit to be an ADMIN_TOKEN', async () => {
    const { loadSettings } = await import('../common/load-settings.js');
    const { code, out } = await relay('token');
    expect(code).toBe(0);
    expect(Buffer.from(out.trim(), 'base64url')).toHaveLength(32);
    expect(loadSettings({ ADMIN_TOKEN: out.trim() }).adminToken).toBe(out.trim());
    expect(out).toMatch(/^[\w-]{43}\n$/);
  });

  it('its advice leaves no moment in which others may read the file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'relay-token-'));
    const { err } = await relay('token');
    const [, advice = ''] = /(\(umask [^)]*\))/.exec(err) ?? [];
    expect(advice).toContain('relay token > admin');
    // What the shell makes of it, with another program in the place of ours.
    const script = `umask 000; ${advice.replace('relay token', 'echo secret')}; stat -c %a admin`;
    const { stdout } = spawnSync('sh', ['-c', script], { cwd: directory, encoding: 'utf8' });
    rmSync(directory, { recursive: true });
    expect(stdout.trim()).toBe('600');
  });
});

describe('--url', () => {
  it.each([
    ['http://localhost:3200', 'http://localhost:3200/'],
    ['HTTPS://relay.example/x', 'https://relay.example/x'],
  ])('%s is taken', (text, href) => expect(relayUrl(text).href).toBe(href));

  it.each([
    ['localhost:3200', 'http://localhost:3200'],
    ['127.0.0.1', 'http://127.0.0.1'],
    ['relay.example/path', 'http://relay.example/path'],
    ['ws://localhost:3002', 'http://localhost:3002'],
    ['wss://relay.example', 'https://relay.example'],
  ])('%s is refused, and %s is offered', (text, meant) => {
    expect(() => relayUrl(text)).toThrow(
      `--url ${text} does not begin with http:// or https://; did you mean ${meant}?`,
    );
  });

  it.each(['', ' ', 'ftp://a', 'http://', 'a b'])('%j is refused, and nothing is offered', (text) => {
    expect(() => relayUrl(text)).toThrow(/does not begin with http:\/\/ or https:\/\/$/);
  });

  it.each([
    ['0.0.0.0', 'http://127.0.0.1:1'],
    ['::', 'http://127.0.0.1:1'],
    ['', 'http://127.0.0.1:1'],
    ['::1', 'http://[::1]:1'],
    ['10.0.0.1', 'http://10.0.0.1:1'],
  ])('without one, a relay on HOST=%s is asked at %s', (host, url) => {
    expect(localUrl({ host, port: 1, isTls: false })).toBe(url);
    expect(localUrl({ host, port: 1, isTls: true })).toBe(url.replace('http', 'https'));
  });
});

describe('a file', () => {
  const failure = (code: string, syscall: string) => fileFailure(Object.assign(new Error(), { code, syscall }), '/a/b');

  it.each([
    ['ENOENT', 'stat', '/a/b: there is no such file'],
    ['ENOENT', 'open', '/a/b: there is no directory /a'],
    ['EACCES', 'open', '/a/b: this user may not open it (EACCES)'],
    ['EISDIR', 'read', '/a/b: that is a directory (EISDIR)'],
    ['ENOSPC', 'write', '/a/b: the disk is full (ENOSPC)'],
    ['EMFILE', 'open', '/a/b: EMFILE'],
  ])('%s of %s is told in words', (code, syscall, text) => expect(failure(code, syscall)).toBe(text));

  it('is not blamed for what a connection did', () => {
    expect(failure('ECONNREFUSED', 'connect')).toBeNull();
    expect(failure('ENOENT', 'connect')).toBeNull();
    expect(fileFailure(new Error('no code'), '/a/b')).toBeNull();
  });
});

/** In the shell itself, which `npm test` installs where it can. */
function withShell(shell: string, name: string, test: () => Promise<void>): void {
  it(name, async () => {
    const { status } = spawnSync(shell, ['-c', ':']);
    if (status !== 0) throw new Error(`${shell} is not installed; on Debian: sudo apt-get install ${shell}`);
    await test();
  });
}

describe('completion', () => {
  let directory: string;

  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'relay-completion-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  /** Sources the completion for that shell, between what comes before it and after it. */
  async function shell(name: string, args: string[], after: string, before = ':'): Promise<string> {
    const { code, out } = await relay('completion', name);
    expect(code).toBe(0);
    const file = join(directory, 'completion');
    writeFileSync(file, out);
    const script = `${before}\nsource ${file}\n${after}`;
    const { stdout, stderr } = spawnSync(name, [...args, '-c', script], { encoding: 'utf8' });
    expect(stderr).toBe('');
    return stdout;
  }

  for (const [name, flags] of [
    ['bash', ['-n']],
    ['zsh', ['-f', '-n']],
    ['fish', ['--no-config', '-n']],
  ] as const) {
    withShell(name, `what is written for ${name} is a script of it`, async () => {
      const { out } = await relay('completion', name);
      writeFileSync(join(directory, 'completion'), out);
      const { status, stderr } = spawnSync(name, [...flags, join(directory, 'completion')], { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    });
  }

  withShell('bash', 'bash offers commands, options and files', async () => {
    writeFileSync(join(directory, 'saved.gz'), '');
    const offers = (...words: string[]) =>
      shell(
        'bash',
        ['--norc'],
        `cd ${directory}; COMP_WORDS=(relay ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _relay; printf '%s\n' "\${COMPREPLY[@]}"`,
      );
    expect(await offers('st')).toBe('start\nstats\n');
    expect(await offers('restore', '--')).toBe('--merge\n--force\n--json\n');
    expect(await offers('restore', 'sav')).toBe('saved.gz\n');
    expect(await offers('completion', '')).toBe('bash\nzsh\nfish\n');
  });

  withShell('zsh', 'zsh offers commands, options and files', async () => {
    // Its own helpers draw menus; here they print what they were given.
    const helpers =
      'compdef() { print -r -- "compdef $*" }; _describe() { print -l -- ${(P)2} }; _arguments() { print -l -- "$@" }';
    const offers = (...words: string[]) =>
      shell(
        'zsh',
        ['-f'],
        `words=(relay ${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length + 1}; _relay`,
        helpers,
      );
    expect(await offers('st')).toMatch(/^compdef _relay relay\n[^]*^stats:the ledger/m);
    expect(await offers('restore', '--')).toMatch(/^--merge\[.*\]$[^]*^\*:file:_files$/m);
    expect(await offers('completion', '')).toContain('1:shell:(bash zsh fish)');
  });

  withShell('fish', 'fish offers commands, options and files', async () => {
    writeFileSync(join(directory, 'saved.gz'), '');
    const offers = async (line: string) => {
      const text = await shell('fish', ['--no-config'], `cd ${directory}; complete -C '${line}'`);
      return text
        .trimEnd()
        .split('\n')
        .map((offer) => offer.split('\t')[0]);
    };
    expect(await offers('relay st')).toEqual(['start', 'stats']);
    expect((await offers('relay restore --')).sort()).toEqual(['--force', '--json', '--merge']);
    expect(await offers('relay restore sav')).toEqual(['saved.gz']);
    expect((await offers('relay completion ')).sort()).toEqual(['bash', 'fish', 'zsh']);
  });

  it('knows every command of the program', async () => {
    const { out: help } = await relay('--help');
    const names = [...help.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name!).filter((name) => name !== 'help');
    expect(names.length).toBeGreaterThan(10);
    for (const name of ['bash', 'zsh', 'fish']) {
      const { out } = await relay('completion', name);
      expect(names.filter((command) => !new RegExp(`\\b${command}\\b`).test(out))).toEqual([]);
    }
  });
});
