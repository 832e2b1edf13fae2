import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = new URL('../', import.meta.url);

const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

interface Reference {
  readonly file: string;
  readonly name: string;
}

/** As documents name a test: `file.spec.ts` › _its name_, where a name is that of an `it` or a `describe`, with its `%s`. */
function referencesIn(markdown: string): Reference[] {
  const pattern = /`([\w.-]+\.spec\.ts)` › _(.+?)_(?=[,;.)\s|]|$)/gm;
  return [...markdown.matchAll(pattern)].map(([, file = '', name = '']) => ({ file, name }));
}

function specs(folder: string): string[] {
  return readdirSync(fileURLToPath(new URL(folder, ROOT)), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.spec.ts'))
    .map((entry) => `${entry.parentPath}/${entry.name}`);
}

const files = ['test/', 'src/', 'protocol/'].flatMap(specs);

/** What the tests of a file are called, as it is written there. */
function namesIn(path: string): Set<string> {
  const names = new Set<string>();
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /^(it|describe)\b(?!\.skip)/.test(node.expression.getText())) {
      const [name] = node.arguments;
      if (name !== undefined && ts.isStringLiteralLike(name)) names.add(name.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

/** The references that lead to no test. */
function dangling(references: readonly Reference[]): string[] {
  return references
    .filter(({ file, name }) => !files.some((path) => path.endsWith(`/${file}`) && namesIn(path).has(name)))
    .map(({ file, name }) => `${file} › ${name}`);
}

describe.each(['SECURITY.md', 'docs/hostile-input.md'])('%s', (document) => {
  it('names tests that exist', () => {
    expect(dangling(referencesIn(read(document)))).toEqual([]);
  });

  it('names a test in each row of its tables of guards', () => {
    const lines = read(document).split('\n');
    const rows = lines.filter((line, i) => line.startsWith('|') && headOf(lines, i).includes('| test'));
    const guards = rows.filter((row) => !/^\|[\s-|]+$/.test(row) && !/\| test\s+\|$/.test(row));
    expect(guards.length).toBeGreaterThan(10);
    expect(guards.filter((row) => referencesIn(row).length === 0)).toEqual([]);
  });
});

/** What docs/protocol.md calls some files. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  promises: 'test/e2e/promises.spec.ts',
  classic: 'test/e2e/classic-clients.spec.ts',
  'queue contract': 'test/contracts/queue.contract.ts',
};

interface Holder {
  readonly file: string;
  /** Of groups and tests in it; one that ends with … begins so. */
  readonly names: readonly string[];
}

/** As the protocol says what holds it: a file, then `› group › _test_; _test_` up to the end of the paragraph or list item. */
function holdersIn(markdown: string): Holder[] {
  const items = markdown.split(/\n(?=\s*(?:- |\d+\. |\n|#|\|))/).map((item) => item.replace(/\s*\n\s*/g, ' '));
  return items.flatMap((item) => {
    const [, short = '', path = '', rest = ''] =
      /(?:^|[\s(])(?:(promises|classic|queue contract)|`([\w/.-]+\.ts)`\)?) › (.*)/.exec(item) ?? [];
    const tests = [...rest.matchAll(/_(.+?)_(?=[,;.)\s]|$)/g)].map(([, name = '']) => name);
    const groups = rest
      .replace(/_(.+?)_(?=[,;.)\s]|$)/g, '')
      .split('›')
      .map((group) => group.replace(/\(all\)|[,;.()]/g, '').trim())
      .filter((group) => group !== '');
    return rest === '' ? [] : [{ file: SHORT_NAMES[short] ?? path, names: [...groups, ...tests] }];
  });
}

function missing({ file, names }: Holder): string[] {
  const known = [...namesIn(fileURLToPath(new URL(file, ROOT)))].map((name) => name.replace(/[,;.()]/g, ''));
  const isThere = (name: string): boolean => {
    const bare = name.replace(/[,;.()]/g, '');
    return bare.endsWith('…') ? known.some((one) => one.startsWith(bare.slice(0, -1).trim())) : known.includes(bare);
  };
  return names.filter((name) => !isThere(name)).map((name) => `${file} › ${name}`);
}

describe('docs/protocol.md', () => {
  it('names files that exist', () => {
    const named = [...read('docs/protocol.md').matchAll(/`((?:test|src)\/[\w/.-]+\.ts)`/g)].map(
      ([, path = '']) => path,
    );
    expect(named.length).toBeGreaterThan(8);
    expect(named.filter((path) => !existsSync(fileURLToPath(new URL(path, ROOT))))).toEqual([]);
  });

  it('names groups and tests that exist', () => {
    const holders = holdersIn(read('docs/protocol.md'));
    expect(holders.length).toBeGreaterThan(15);
    expect(holders.flatMap(missing)).toEqual([]);
  });

  it('says of each promise what holds it', () => {
    const [, promises = ''] = read('docs/protocol.md')
      .split(/^## (?=\d)/m)
      .filter((part) => /^[12]\./.test(part));
    const each = promises.split(/^(?=\d\. \*\*)/m).slice(1);
    expect(each).toHaveLength(9);
    expect(each.filter((promise) => !/^ +- /m.test(promise))).toEqual([]);
  });
});

describe('what holds the protocol', () => {
  it('is missed where it is not there, by file, group or test', () => {
    const text =
      '- classic › signing in › _handles what was sent along with the sign-in, after it and in order_; _nothing_';
    const [holder] = holdersIn(`Before\n${text}\n- after`);
    expect(missing(holder!)).toEqual(['test/e2e/classic-clients.spec.ts › nothing']);
    const [other] = holdersIn('Held (`test/guards.spec.ts`) › no group, › what holds … › _is missed\n  where it is_');
    expect(missing(other!)).toEqual(
      ['no group', 'is missed where it is'].map((name) => `test/guards.spec.ts › ${name}`),
    );
  });
});

/** The first line of the table that this line is in. */
function headOf(lines: readonly string[], at: number): string {
  let first = at;
  while (lines[first - 1]?.startsWith('|')) first--;
  return lines[first] ?? '';
}

describe('a test that a document names', () => {
  it('is missed where there is none of that name, or in another file', () => {
    const real = { file: 'fuzz.spec.ts', name: 'the search itself' };
    expect(dangling([real])).toEqual([]);
    expect(
      dangling([
        { ...real, name: 'the search' },
        { ...real, file: 'rest.spec.ts' },
      ]),
    ).toHaveLength(2);
  });

  it('is read as documents write it, also several in a line', () => {
    expect(referencesIn('| x | `a.spec.ts` › _one, two_, `b.spec.ts` › _with `proto` and %s_ |')).toEqual([
      { file: 'a.spec.ts', name: 'one, two' },
      { file: 'b.spec.ts', name: 'with `proto` and %s' },
    ]);
  });
});
