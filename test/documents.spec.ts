import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { renderEnvExample, renderTable, withTable } from '../scripts/render-settings.mjs';
import { loadSettings } from '../src/common/load-settings.js';
import { SETTING_ROWS } from '../src/common/setting.decorator.js';

const ROOT = new URL('../', import.meta.url);
const MARKERS = '<!-- settings:start -->\n<!-- settings:end -->\n';
const ROWS = [
  { name: 'PORT', unit: 'TCP port', fallback: '3002', meaning: 'Where it listens.' },
  { name: 'ADMIN_TOKEN', unit: 'text', fallback: '', meaning: 'One | two.' },
];

const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

describe('documents', () => {
  it('.env.example says what the code says: `npm run docs` writes it', () => {
    expect(read('.env.example')).toBe(renderEnvExample(SETTING_ROWS));
  });

  it('README.md says what the code says: `npm run docs` writes its table', () => {
    const readme = read('README.md');
    expect(readme).toBe(withTable(readme, SETTING_ROWS));
  });

  it('.env.example changes nothing where every # is taken off', () => {
    const values = parseEnv(read('.env.example').replace(/^#(?=[A-Z])/gm, ''));
    expect(Object.keys(values).sort()).toEqual(SETTING_ROWS.map(({ name }) => name).sort());
    expect(loadSettings(values)).toEqual(loadSettings({}));
  });
});

describe('what documents point at', () => {
  const documents = spawnSync('git', ['ls-files', '*.md'], { cwd: ROOT, encoding: 'utf8' }).stdout.trim().split('\n');
  /** From a document's folder, or from the root as commands are. */
  const isThere = (document: string, path: string): boolean =>
    [new URL(path, new URL(document, ROOT)), new URL(path, ROOT)].some((url) => existsSync(url));
  const proseOf = (document: string): string => read(document).replace(/```[^]*?```/g, '');
  /** As GitHub makes it of a heading. */
  const anchorOf = (heading: string): string =>
    heading
      .trim()
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-');
  const anchorsIn = (document: string): string[] =>
    [...proseOf(document).matchAll(/^#{1,6} (.*)$/gm)].map(([, heading]) => anchorOf(heading!));

  const deadLinksOf = (document: string): string[] =>
    [...proseOf(document).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link]) => link!)
      .filter((link) => !/^(https?|mailto):/.test(link))
      .filter((link) => {
        const [path = '', anchor] = link.split('#');
        const target = new URL(path === '' ? document : path, new URL(path === '' ? '' : document, ROOT));
        if (!existsSync(target)) return true;
        return anchor !== undefined && target.pathname.endsWith('.md') && !anchorsIn(target.href).includes(anchor);
      });

  it('is there: every link to a file, and to a heading of it', () => {
    expect(documents.length).toBeGreaterThan(40);
    expect(documents.flatMap((document) => deadLinksOf(document).map((link) => `${document}: ${link}`))).toEqual([]);
  });

  it('can be run: every script of npm and every program that a command names', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: object };
    const missing = documents.flatMap((document) => {
      const text = read(document);
      const runs = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name!);
      const programs = [...text.matchAll(/\bnode (?:--[\w=-]+ )*((?:[\w.-]+\/)+[\w.-]+\.m?js)/g)].map(
        ([, path]) => path!,
      );
      return [
        ...runs.filter((name) => !Object.hasOwn(scripts, name)),
        ...programs.filter((path) => !path.startsWith('dist/') && !isThere(document, path)),
      ].map((name) => `${document}: ${name}`);
    });
    expect(missing).toEqual([]);
  });
});

describe('rendered settings', () => {
  it('have meaning, unit and default above the name, which is commented out', () => {
    expect(renderEnvExample(ROWS)).toContain(
      '\n# Where it listens.\n# Unit: TCP port. Default: 3002\n#PORT=3002\n' +
        '\n# One | two.\n# Unit: text. Default: none\n#ADMIN_TOKEN=\n',
    );
  });

  it('are a table with columns as wide as their widest cell', () => {
    expect(renderTable(ROWS).split('\n')).toEqual([
      '| Name          | Default | Unit     | Meaning           |',
      '| ------------- | ------- | -------- | ----------------- |',
      '| `PORT`        | `3002`  | TCP port | Where it listens. |',
      '| `ADMIN_TOKEN` | none    | text     | One \\| two.       |',
    ]);
  });

  it('replace what stood between the markers, and nothing else', () => {
    const before = `# Title\n\n${MARKERS}\nThe rest\n`;
    const once = withTable(before, ROWS);
    expect(once).toBe(
      `# Title\n\n<!-- settings:start -->\n\n${renderTable(ROWS)}\n\n<!-- settings:end -->\n\nThe rest\n`,
    );
    expect(withTable(once, ROWS)).toBe(once);
    expect(withTable(once, ROWS.slice(1))).not.toContain('PORT');
  });

  it.each(['# Title\n', '<!-- settings:start -->', '<!-- settings:end --><!-- settings:start -->'])(
    'are not written into a text without both markers in order: %j',
    (readme) => {
      expect(() => withTable(readme, ROWS)).toThrow('<!-- settings:end -->');
    },
  );
});

describe('npm run docs', () => {
  let project: string;

  beforeEach(() => {
    project = mkdtempSync(join(tmpdir(), 'relay-docs-'));
    for (const script of ['scripts/settings-table.mjs', 'scripts/render-settings.mjs']) {
      cpSync(new URL(script, ROOT), join(project, script));
    }
    writeFileSync(join(project, 'README.md'), MARKERS);
  });

  afterEach(() => rmSync(project, { recursive: true }));

  const run = () => spawnSync(process.execPath, ['scripts/settings-table.mjs'], { cwd: project, encoding: 'utf8' });

  it('writes both files from what was built', () => {
    mkdirSync(join(project, 'dist/common'), { recursive: true });
    writeFileSync(join(project, 'package.json'), '{"type":"module"}');
    writeFileSync(join(project, 'dist/common/setting.decorator.js'), 'export const SETTING_ROWS = [];');
    writeFileSync(
      join(project, 'dist/common/settings.js'),
      `import { SETTING_ROWS } from './setting.decorator.js'; SETTING_ROWS.push(...${JSON.stringify(ROWS)});`,
    );
    expect(run()).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(join(project, '.env.example'), 'utf8')).toBe(renderEnvExample(ROWS));
    expect(readFileSync(join(project, 'README.md'), 'utf8')).toBe(withTable(MARKERS, ROWS));
  });

  it('says what to do where nothing was built, and writes nothing', () => {
    expect(run()).toMatchObject({ status: 1, stderr: expect.stringContaining('npm run build') as string });
    expect(readFileSync(join(project, 'README.md'), 'utf8')).toBe(MARKERS);
  });
});
