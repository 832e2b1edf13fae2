import { call, expectProblem } from '../support/http-call.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

/** What the build made of web/: `npm run build` first, if you call jest directly. */
describe('the demo page', () => {
  let relay: RunningRelay;

  beforeAll(async () => (relay = await startRelay()));
  afterAll(() => relay.stop());

  const get = (path: string, headers = {}) => call(relay.port, { path, headers });

  async function assets(): Promise<string[]> {
    const { text } = await get('/demo');
    const found = [...text.matchAll(/(?:src|href)="(\/demo\/assets\/[^"]+)"/g)].map(([, path]) => path!);
    expect(found.map((path) => path.replace(/.*\./, '')).sort()).toEqual(['css', 'js', 'svg']);
    return found;
  }

  it.each(['/demo', '/demo/', '/demo?from=link'])('is served at %s, and asked for again each time', async (path) => {
    const { status, headers, text } = await get(path);
    expect([status, headers['content-type'], headers['cache-control']]).toEqual([
      200,
      'text/html; charset=utf-8',
      'no-cache',
    ]);
    expect(text).toMatch(/^<!doctype html>/);
    expect(text).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=|style=/);
  });

  it('may run its own files, reach its own relay, and nothing else', async () => {
    const { headers } = await get('/demo');
    const policy = String(headers['content-security-policy']).split(';').sort();
    expect(policy).toEqual([
      "base-uri 'none'",
      "connect-src 'self'",
      "default-src 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "img-src 'self'",
      "require-trusted-types-for 'script'",
      "script-src 'self'",
      "style-src 'self'",
    ]);
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  it('has files that browsers keep for a year, and compresses them for who can read that', async () => {
    for (const path of await assets()) {
      const plain = await get(path);
      expect([plain.status, plain.headers['content-encoding']]).toEqual([200, undefined]);
      expect(plain.headers['cache-control']).toBe('public, max-age=31536000, immutable');
      expect(plain.headers['content-type']).toMatch(/^(text\/(javascript|css); charset=utf-8|image\/svg\+xml)$/);
      const answer = await fetch(relay.url + path, { headers: { 'accept-encoding': 'br, gzip' } });
      expect([answer.headers.get('content-encoding'), answer.headers.get('vary')]).toEqual([
        'gzip',
        expect.stringContaining('Accept-Encoding'),
      ]);
      expect(await answer.text()).toBe(plain.text);
    }
  });

  it('is answered without its bytes to HEAD, and only read', async () => {
    const head = await call(relay.port, { method: 'HEAD', path: '/demo' });
    expect([head.status, head.text, Number(head.headers['content-length']) > 100]).toEqual([200, '', true]);
    const post = await call(relay.port, { method: 'POST', path: '/demo' });
    expect(post.headers.allow).toBe('GET, HEAD');
    expectProblem(post, 405, 'unsupported');
  });

  it.each([
    '/demo/assets/',
    '/demo/assets/nothing.js',
    '/demo/assets/../index.html',
    '/demo/assets/..%2findex.html',
    '/demo/assets/..%2f..%2f..%2fmain.js',
    '/demo/assets/%2e%2e%2f%2e%2e%2f%2e%2e%2fpackage.json',
    '/demo/assets/..%5cindex.html',
    '/demo/assets/__proto__',
    '/demo/index.html',
    '/demo//etc/passwd',
  ])('has nothing at %s', async (path) => {
    expectProblem(await get(path), 404, 'not_found');
  });

  it('is not there where DEMO=false, nor in production unless it is asked for', async () => {
    for (const env of [{ DEMO: 'false' }, { NODE_ENV: 'production', AUTH_MODE: 'open' }]) {
      const other = await startRelay({ env });
      expectProblem(await call(other.port, { path: '/demo' }), 404, 'not_found');
      expectProblem(await call(other.port, { path: (await assets())[0]! }), 404, 'not_found');
      await other.stop();
    }
    const asked = await startRelay({ env: { NODE_ENV: 'production', AUTH_MODE: 'open', DEMO: 'true' } });
    expect((await call(asked.port, { path: '/demo' })).status).toBe(200);
    await asked.stop();
  });
});
