import { Parser } from '@asyncapi/parser';
import { readFileSync } from 'node:fs';
import { CLIENT_SCHEMAS, SERVER_SCHEMAS } from '@relay/protocol/schemas';
import { openApiDocument } from '../src/app/openapi.js';
import { asyncApiDocument } from '../src/reference/asyncapi.js';
import { type RunningRelay, startRelay } from './support/relay.js';

const committed = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8'));
const plain = (document: object): unknown => JSON.parse(JSON.stringify(document));

/** Lists in one order: compilers give decorators in different ones. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [name, inOrder(member)] as const);
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('the reference', () => {
  let relay: RunningRelay;

  beforeAll(async () => {
    relay = await startRelay();
  });

  afterAll(() => relay.stop());

  it('docs/asyncapi.json is what the code says: `npm run docs` writes it', () => {
    expect(plain(asyncApiDocument())).toEqual(committed('asyncapi.json'));
  });

  it('docs/openapi.json is what the code says: `npm run docs` writes it', () => {
    expect(inOrder(plain(openApiDocument(relay.app)))).toEqual(inOrder(committed('openapi.json')));
  });

  it('has what clients are for first and what is an operator’s last, and no group without a place', () => {
    const { tags = [], paths } = openApiDocument(relay.app);
    const names = tags.map(({ name }) => name);
    expect([names.slice(0, 3), names.at(-1)]).toEqual([['messages', 'public keys', 'presence'], 'admin']);
    const operations = Object.values(paths).flatMap((item) =>
      Object.values(item as Record<string, { tags?: string[] }>),
    );
    // Wherever its path lies.
    const { get: totals } = paths['/api/messages/stats/all']!;
    expect(totals?.tags).toEqual(['admin']);
    const used = new Set(operations.flatMap((operation) => operation.tags ?? []));
    expect([...used].sort()).toEqual(names.toSorted());
  });

  it('is AsyncAPI 3 without a fault, and names every frame', async () => {
    const text = await (await fetch(`${relay.url}/docs/asyncapi.json`)).text();
    const { document, diagnostics } = await new Parser().parse(text);
    const faults = diagnostics.filter(({ severity }) => Number(severity) <= 1);
    expect(faults).toEqual([]);
    const names = document!
      .allMessages()
      .all()
      .map((message) => message.id());
    const expected = [
      ...Object.keys(CLIENT_SCHEMAS).map((type) => `client_${type}`),
      ...Object.keys(SERVER_SCHEMAS).map((type) => `server_${type}`),
    ];
    expect(names.sort()).toEqual(expected.sort());
  });

  it('is a page for people that shows every frame and every code, with nothing of elsewhere and nothing inline', async () => {
    const response = await fetch(`${relay.url}/docs/ws`);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = response.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none';script-src 'self';style-src 'self';");
    expect(policy).not.toContain('unsafe');
    const page = await response.text();
    expect(page).not.toMatch(/<script(?![^>]* src="console\.js")|<style|\sstyle=|\son\w+=|https?:/);
    const ids = [...page.matchAll(/<section id="([^"]+)">/g)].map(([, id]) => id);
    expect(ids).toEqual([
      ...Object.keys(CLIENT_SCHEMAS).map((type) => `send-${type}`),
      ...Object.keys(SERVER_SCHEMAS).map((type) => `get-${type}`),
    ]);
    for (const code of ['mailbox_full', '4409', 'ack_ahead']) expect(page).toContain(`<code>${code}</code>`);
  });

  it('asks nobody to fill in what a browser sends by itself', () => {
    const parameters = Object.values(openApiDocument(relay.app).paths).flatMap((item) =>
      Object.values(item as Record<string, { parameters?: { in: string; name: string }[] }>).flatMap(
        (operation) => operation.parameters ?? [],
      ),
    );
    expect(parameters.length).toBeGreaterThan(10);
    expect(parameters.filter((one) => one.in === 'header')).toEqual([]);
  });

  it('has the colours of the other pages, in light and dark', async () => {
    const style = await (await fetch(`${relay.url}/docs/reference.css`)).text();
    const base = readFileSync(new URL('../web/base.css', import.meta.url), 'utf8');
    expect(style.startsWith(base)).toBe(true);
    const known = new Set([...base.matchAll(/(--[\w-]+):/g)].map(([, name]) => name));
    const used = [...style.matchAll(/var\((--[\w-]+)/g)].map(([, name]) => name);
    expect(used.length).toBeGreaterThan(5);
    expect(used.filter((name) => !known.has(name))).toEqual([]);
  });

  it.each(['reference.css', 'console.js'])('serves %s itself', async (name) => {
    const response = await fetch(`${relay.url}/docs/${name}`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/(css|javascript); charset=utf-8$/);
  });

  it('makes no calls where the operator does not want that, and can still be read', async () => {
    const quiet = await startRelay({ env: { NODE_ENV: 'production', AUTH_MODE: 'open' } });
    const get = async (path: string) => await (await fetch(`${quiet.url}${path}`)).text();
    expect(await get('/docs/ws')).not.toContain('<script');
    expect(await get('/docs/ws')).toContain('<code>mailbox_full</code>');
    expect((await fetch(`${quiet.url}/docs/console.js`)).status).toBe(404);
    expect(await get('/docs/swagger-ui-init.js')).toContain('"supportedSubmitMethods": []');
    expect(await (await fetch(`${relay.url}/docs/swagger-ui-init.js`)).text()).not.toContain('supportedSubmitMethods');
    await quiet.stop();
  });
});
