import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import ts from 'typescript';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const INPUT_LENGTH = 100 * 1024;
/** A linear pass over all inputs takes some milliseconds, a quadratic one over a single input many seconds. */
const PATIENCE_MS = 40_000;

interface Found {
  readonly where: string;
  readonly regex: RegExp;
}

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ['dist', 'node_modules'].includes(entry.name) ? [] : sources(path);
    return /(?<!\.spec|\.d)\.ts$/.test(entry.name) ? [path] : [];
  });
}

function regexesOf(file: string): Found[] {
  const found: Found[] = [];
  const source = ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      const [, pattern = '', flags = ''] = /^\/(.*)\/(\w*)$/s.exec(node.text) ?? [];
      found.push({ where: `${relative('.', file)}:${line + 1} ${node.text}`, regex: new RegExp(pattern, flags) });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Long runs of what the pattern may match, each with and without an end that it cannot. */
function attacksOn({ source }: RegExp): string[] {
  const literals = [...new Set(source.replace(/\\[dDwWsSbB]/g, ''))].filter(
    (character) => !'\\^$()[]{}*+?|'.includes(character),
  );
  const characters = [...new Set([...literals, ...'aZ09 \t.:-_/,', '\0', 'é'])];
  const beginnings = ['', '0x', '::ffff:1.', '1-', ' at '];
  const runs = characters.flatMap((one) => [one, `${one}0`]).map((unit) => unit.repeat(INPUT_LENGTH / unit.length));
  return runs.flatMap((run) => beginnings.flatMap((beginning) => [beginning + run, `${beginning}${run}!`]));
}

/** Throws where one of them takes too long: `vm` interrupts a regular expression, which a timer cannot. */
function run(regex: RegExp, inputs: readonly string[], timeout = PATIENCE_MS): void {
  const context = createContext({ regex, inputs });
  runInContext('for (const input of inputs) input.replace(regex, "");', context, {
    timeout,
  });
}

const regexes = ['protocol', 'src'].flatMap(sources).flatMap(regexesOf);

describe('regular expressions', () => {
  it('are all looked at', () => {
    expect(regexes.map(({ where }) => where)).toContainEqual(expect.stringMatching(/^protocol\/address\.ts:\d+ /));
    expect(regexes.map(({ where }) => where)).toContainEqual(expect.stringMatching(/^src\/queue\/entry-id\.ts:\d+ /));
  });

  it.each([
    ['exponential', /^(a+)+$/],
    ['exponential by alternatives', /^(a|aa)+$/],
    ['quadratic', /\s+$/],
    ['quadratic by two runs', /^\d*\d*x/],
  ])('would be caught where they are %s', (_name, regex) => {
    expect(() => run(regex, attacksOn(regex), 500)).toThrow(/timed out/);
  });

  it.each(regexes.map(({ where, regex }) => [where, regex] as const))(
    'take 100 KiB of anything: %s',
    (_where, regex) => {
      run(regex, attacksOn(regex));
    },
    8 * PATIENCE_MS,
  );
});
