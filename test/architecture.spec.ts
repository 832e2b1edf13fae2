import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Imports flow to the left only: a folder may import from those before it, and neighbours of one rank know nothing of each other. */
const RANKS: readonly (readonly string[])[] = [
  ['protocol'],
  ['common'],
  ['identity'],
  ['redis'],
  ['backplane'],
  ['bans', 'contacts', 'limits'],
  ['auth', 'keys', 'presence', 'queue'],
  ['backup'],
  ['relay'],
  ['devices', 'health', 'metrics', 'pages', 'reference'],
  ['admin'],
  ['app'],
  ['workers'],
  ['cli'],
  ['main.ts'],
  ['cli.ts'],
];

/** Who may import a package that is not everybody's. */
const PACKAGES: readonly { readonly name: RegExp; readonly allowed: RegExp; readonly why: string }[] = [
  { name: /^ioredis$/, allowed: /\.redis\.ts$|^src\/app\/storage\.ts$/, why: 'Redis is behind the ports' },
  { name: /^ws$/, allowed: /^src\/relay\//, why: 'sockets belong to the relay' },
  { name: /^express$/, allowed: /^src\/app\//, why: 'HTTP is wired in one place' },
  {
    name: /^@nestjs\//,
    allowed:
      /\.(module|controller|gateway|adapter|filter|guard|pipe|dto)\.ts$|^src\/app\/|^src\/main\.ts$|^src\/common\/(logger|dto)\.ts$/,
    why: 'Nest stays at the edges: what happens to a message is plain TypeScript',
  },
];

interface Import {
  readonly file: string;
  readonly target: string;
}

const files = [...sources(join(ROOT, 'src')), ...sources(join(ROOT, 'protocol'))];
const imports: readonly Import[] = files.flatMap((file) =>
  [...readFileSync(join(ROOT, file), 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => ({
    file,
    target: match[1]!,
  })),
);

function sources(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (name === 'dist' || name === 'node_modules') return [];
    if (statSync(path).isDirectory()) return sources(path);
    return name.endsWith('.ts') && !/\.(spec|d)\.ts$/.test(name) ? [relative(ROOT, path)] : [];
  });
}

function houseOf(file: string): string {
  const [first, second = ''] = file.split('/');
  return first === 'protocol' ? 'protocol' : second;
}

function rankOf(house: string): number {
  return RANKS.findIndex((rank) => rank.includes(house));
}

/** The house that an import leads to, or `null` for a package. */
function targetHouse({ file, target }: Import): string | null {
  if (/^@relay\/protocol(\/|$)/.test(target)) return 'protocol';
  return target.startsWith('.') ? houseOf(relative(ROOT, resolve(ROOT, dirname(file), target))) : null;
}

describe('the architecture', () => {
  it('sees the code', () => {
    expect(files.length).toBeGreaterThan(40);
    expect(imports.length).toBeGreaterThan(100);
  });

  it('has a place for every folder', () => {
    expect([...new Set(files.map(houseOf))].filter((house) => rankOf(house) < 0)).toEqual([]);
  });

  it('lets imports flow one way only', () => {
    const wrong = imports.filter((one) => {
      const to = targetHouse(one);
      const from = houseOf(one.file);
      if (to === null || to === from) return false;
      return rankOf(to) >= rankOf(from);
    });
    expect(wrong).toEqual([]);
  });

  it('keeps the protocol free of everything: it runs in a browser', () => {
    expect(imports.filter(({ file, target }) => houseOf(file) === 'protocol' && !target.startsWith('./'))).toEqual([]);
  });

  it.each(PACKAGES)('imports $name only where it belongs: $why', ({ name, allowed }) => {
    expect(imports.filter(({ file, target }) => name.test(target) && !allowed.test(file))).toEqual([]);
  });

  it('reaches Redis only from where its implementations are', () => {
    const users = imports.filter((one) => targetHouse(one) === 'redis').map(({ file }) => file);
    expect(users.length).toBeGreaterThan(5);
    expect(users.filter((file) => !/\.redis\.ts$|^src\/app\/storage\.ts$/.test(file))).toEqual([]);
  });

  it('reads the environment in one place', () => {
    const readers = files.filter((file) => readFileSync(join(ROOT, file), 'utf8').includes('process.env'));
    // The command line gives `health` the environment as it is: reading all settings takes longer than the question.
    expect(readers).toEqual(['src/app/read-settings.ts', 'src/cli.ts']);
  });

  it('has no folder for leftovers', () => {
    const leftovers = files.filter((file) => /\/(utils?|helpers?|interfaces|dtos?|types|misc|shared)\//.test(file));
    expect(leftovers).toEqual([]);
  });
});
