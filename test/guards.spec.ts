import { readdirSync, readFileSync } from 'node:fs';
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

const files = ['test/', 'src/'].flatMap(specs);

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
