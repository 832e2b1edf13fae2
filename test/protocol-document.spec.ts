import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CLOSE_CODES, ERRORS, LIMITS } from '@relay/protocol';
import { CLIENT_SCHEMAS, type FrameSchema, SERVER_SCHEMAS } from '@relay/protocol/schemas';
import { ROUTE_RULES } from '../src/auth/rules.js';

const ROOT = new URL('../', import.meta.url);
const DOCUMENT = readFileSync(new URL('docs/protocol.md', ROOT), 'utf8');

/** What stands under a heading, up to the next of the same level or above. */
function under(markdown: string, heading: RegExp): string {
  const lines = markdown.split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && heading.test(line));
  if (start < 0) return '';
  const level = /^#+/.exec(lines[start]!)![0].length;
  const length = lines.slice(start + 1).findIndex((line) => new RegExp(`^#{1,${level}} `).test(line));
  return lines.slice(start, length < 0 ? undefined : start + 1 + length).join('\n');
}

/** Rows of the tables in a text, by the name in their first cell. */
function rowsOf(markdown: string): Map<string, string[]> {
  const rows = markdown.split('\n').filter((line) => line.startsWith('| '));
  const cells = rows.map((row) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return new Map(cells.map(([name = '', ...rest]) => [name.replace(/`/g, ''), rest]));
}

/** As a document names a field: in backticks, as a JSON member, or in a list of members between braces. */
function names(text: string, field: string): boolean {
  return new RegExp(`["\`{,]${field}["\`?,:}]`).test(text);
}

function missingFields(text: string, { schema }: FrameSchema): string[] {
  return Object.keys(schema.properties ?? {}).filter((field) => field !== 'type' && !names(text, field));
}

const OPENING: readonly string[] = ['auth', 'hello'];

function missingClientFrames(markdown: string): string[] {
  return Object.entries(CLIENT_SCHEMAS).flatMap(([type, frame]) => {
    const isOpening = OPENING.includes(type);
    const part = isOpening ? under(markdown, /^## 4\./) : under(under(markdown, /^## 5\./), new RegExp(`\`${type}\``));
    if (!part.includes(`"type":"${type}"`)) return [type];
    return missingFields(part, frame).map((field) => `${type}.${field}`);
  });
}

/** What a row leaves to another section is looked for there. */
function missingServerFrames(markdown: string): string[] {
  const rows = rowsOf(under(markdown, /^## 6\./));
  const opening = under(markdown, /^## 4\./);
  return Object.entries(SERVER_SCHEMAS).flatMap(([type, frame]) => {
    const row = rows.get(type);
    if (row === undefined) return [type];
    const text = row.join(' ') + (row.join().includes('section 4') ? opening : '');
    return missingFields(text, frame).map((field) => `${type}.${field}`);
  });
}

function wrongErrors(markdown: string): string[] {
  const rows = rowsOf(under(markdown, /^## 11\./));
  const wanted = Object.entries(ERRORS).map(([code, { httpStatus, closeCode, retryable, text }]) => {
    return {
      code,
      cells: [
        String(httpStatus),
        closeCode === null ? '–' : String(closeCode),
        retryable ? 'yes' : 'no',
        `\`${text}\``,
      ],
    };
  });
  return wanted
    .filter(({ code, cells }) => cells.some((cell, i) => rows.get(code)?.[i] !== cell))
    .map(({ code }) => code);
}

function wrongCloses(markdown: string): string[] {
  const rows = rowsOf(under(markdown, /^## 12\./));
  const isRight = (code: string, reconnect: boolean): boolean =>
    new RegExp(reconnect ? '^yes' : '^no').test(rows.get(code)?.[1] ?? '');
  return Object.entries(CLOSE_CODES).flatMap(([code, { reconnect }]) => (isRight(code, reconnect) ? [] : [code]));
}

/** How the document says each bound. */
const SAID: Readonly<Record<keyof typeof LIMITS, RegExp>> = {
  frameBytesBeforeSignIn: /At most 4096 bytes until `auth_success`/,
  messageIdLength: /1–128 printable ASCII/,
  signalBytes: /at most 16384 bytes/,
  addressesPerRequest: /a list of at most 500/,
  publicKeyLength: /1–4096 characters/,
  presenceSubscriptions: /presence subscriptions of a connection +\| 500/,
  pageSize: /`limit` is 1 to 100/,
  pageBytes: /1 MiB of contents at most/,
  windowEntries: /at most 64 entries/,
  maxWindowEntries: /1 to 1024 \(64\)/,
  windowBytes: /about 1 MiB of contents, are sent and not yet acknowledged/,
  socketBufferBytes: /more than 1 MiB waits in its socket/,
  unstoredBufferBytes: /no more than 128 KiB wait there/,
  authTimeoutMs: /none within 5 s/,
  pingAfterMs: /nothing came for 25 s/,
  pongWithinMs: /silent for 10 s more/,
  stallMs: /acknowledges nothing for 60 s/,
  deliveredWithinMs: /after 300 ms without an acknowledgement/,
  verdictWithinMs: /within 10 s. In fact/,
  badMessages: /five bad messages within 10 s/,
  badMessagesWindowMs: /4 in any 10 s/,
  chatterPerSecond: /More than 100 of these in a second/,
  rememberedMessages: /at least 512 later/,
};
const MS = 1000;
const KIB = 1024;

/** A bound whose number stands nowhere in the sentence that says it. */
function unsaidLimits(markdown: string): string[] {
  const text = markdown.replace(/\s+/g, ' ');
  return Object.entries(LIMITS).flatMap(([name, value]) => {
    const [sentence] = SAID[name as keyof typeof LIMITS].exec(text) ?? [''];
    const forms = [value, value / MS, value / KIB, value / KIB / KIB, value - 1].map(String);
    const isSaid = forms.some((form) => new RegExp(`(^|\\D)${form.replace('.', '\\.')}(\\D|$)`).test(sentence));
    return isSaid || (name === 'badMessages' && sentence.includes('five')) ? [] : [name];
  });
}

function missingCalls(markdown: string): string[] {
  const rest = under(markdown, /^## 13\./);
  const said = new Set(
    [...rest.matchAll(/`(GET|HEAD|POST|PUT|DELETE) ([^\s?`]+)/g)].map(([, method, path]) => `${method} ${path}`),
  );
  const likewise = rest.includes('`/api/allowed` likewise');
  return [...ROUTE_RULES.keys()].filter((route) => {
    const [method = '', path = ''] = route.replace('/:version/', '/v1/').split(' ');
    // Pages and their files; the reference describes itself, and docs/operations.md what is an operator's.
    if (/^\/(docs|demo|admin)(\/|$)/.test(path) || path.endsWith('.js')) return false;
    const alike = likewise ? path.replace('/api/allowed', '/api/blocks') : path;
    return !said.has(`${method} ${alike}`);
  });
}

describe('docs/protocol.md', () => {
  it('says of every frame that a client sends which fields it has', () => {
    expect(missingClientFrames(DOCUMENT)).toEqual([]);
  });

  it('says of every frame that the relay sends which fields it has', () => {
    expect(missingServerFrames(DOCUMENT)).toEqual([]);
  });

  it('says of every error what the table says', () => {
    expect(wrongErrors(DOCUMENT)).toEqual([]);
  });

  it('says of every close code whether to connect again', () => {
    expect(wrongCloses(DOCUMENT)).toEqual([]);
  });

  it('says every bound that is part of the protocol', () => {
    expect(unsaidLimits(DOCUMENT)).toEqual([]);
  });

  it('says every REST call', () => {
    expect(missingCalls(DOCUMENT)).toEqual([]);
  });

  it('has every section that the protocol suite names', () => {
    const list = (...args: string[]) =>
      spawnSync(process.execPath, [fileURLToPath(new URL('test/protocol/run.mjs', ROOT)), '--list', ...args], {
        encoding: 'utf8',
      }).stdout;
    const sections = new Set(
      `${list()}${list('--client', 'x')}`.split('\n').flatMap((line) => line.split(': ')[0]!.split(' › ')),
    );
    sections.delete('');
    expect(sections.size).toBeGreaterThan(15);
    const headings = DOCUMENT.split('\n')
      .filter((line) => line.startsWith('#'))
      .map((line) => line.replace(/^#+ |`/g, '').replace(/’/g, "'"));
    expect([...sections].filter((section) => !headings.includes(section.replace(/’/g, "'")))).toEqual([]);
  });
});

describe('the Dart snippet of docs/classic-clients.md', () => {
  const document = readFileSync(new URL('docs/classic-clients.md', ROOT), 'utf8');
  const [, snippet = ''] = /```dart\n([\s\S]+?)```/.exec(document) ?? [];

  it('knows which closes are for good', () => {
    const [, listed = ''] = /forGood = \{([^}]+)\}/.exec(snippet) ?? [];
    // 1000 answers a client that closes, so it is no news to it.
    const codes = Object.entries(CLOSE_CODES).filter(([code, { reconnect }]) => !reconnect && code !== '1000');
    expect(listed.split(', ')).toEqual(codes.map(([code]) => code));
  });

  it('knows only frames and fields that there are', () => {
    const sent = [...snippet.matchAll(/send\(\{'type': '(\w+)'(.*?)\}\)/g)];
    expect(sent.map(([, type]) => type)).toEqual(['hello', 'ack']);
    for (const [, type = '', members = ''] of sent) {
      const fields = [...members.matchAll(/'(\w+)':/g)].map(([, field]) => field);
      expect(Object.keys(CLIENT_SCHEMAS[type as 'hello'].schema.properties!)).toEqual(expect.arrayContaining(fields));
    }
    const cases = [...snippet.matchAll(/case (.+?)(?: when|:)/g)].flatMap(([, types = '']) => types.split(' || '));
    const known = Object.keys(SERVER_SCHEMAS).map((type) => `'${type}'`);
    expect(cases.length).toBeGreaterThan(6);
    expect(cases.filter((type) => !known.includes(type))).toEqual([]);
  });
});

describe('what would be missing', () => {
  const without = (text: string | RegExp): string => {
    const changed = DOCUMENT.replace(text, '');
    expect(changed).not.toBe(DOCUMENT);
    return changed;
  };

  it('is found: a frame, a field, an error, a close code, a bound, a call', () => {
    expect(missingClientFrames(without('### `typing`'))).toEqual(['typing']);
    expect(missingClientFrames(without(/^\| `ttlSeconds`.*\n/m))).toEqual(['message.ttlSeconds']);
    expect(missingServerFrames(without(/^\| `going_away`.*\n/m))).toEqual(['going_away']);
    expect(missingServerFrames(without('`status`: '))).toEqual(['presence.status']);
    expect(wrongErrors(without(/^\| `ack_ahead`.*\n/m))).toEqual(['ack_ahead']);
    expect(wrongErrors(DOCUMENT.replace(/(\| `mailbox_full` +\| 507 +\| – +\|) yes/, '$1 no '))).toEqual([
      'mailbox_full',
    ]);
    expect(wrongCloses(without(/^\| 4413 .*\n/m))).toEqual(['4413']);
    expect(unsaidLimits(DOCUMENT.replace('nothing came for 25 s', 'nothing came for 30 s'))).toEqual(['pingAfterMs']);
    expect(missingCalls(without(/^\| `GET \/api\/devices`.*\n/m))).toEqual(['GET /api/devices']);
  });
});
