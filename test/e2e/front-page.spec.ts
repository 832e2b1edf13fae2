import { call, expectProblem } from '../support/http-call.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };
const PRODUCTION = { NODE_ENV: 'production', AUTH_MODE: 'open' };
const ADMIN_TOKEN = 'the-admin-token-of-this-test-0123456789';

describe('the address of a relay', () => {
  let relay: RunningRelay;

  afterEach(() => relay.stop());

  const front = (headers = {}, method = 'GET') => call(relay.port, { method, path: '/', headers });
  const linksIn = (html: string): string[] => [...html.matchAll(/<a href="([^"]+)"/g)].map(([, path]) => `/${path}`);

  it.each([
    ['everything', { ADMIN_TOKEN }, ['/demo', '/docs', '/docs/ws', '/.well-known/relay', '/admin']],
    ['what is off outside production only', PRODUCTION, ['/docs', '/docs/ws', '/.well-known/relay']],
  ])('says what this is and leads to %s, in a browser and elsewhere', async (_, env, links) => {
    relay = await startRelay({ env });
    const page = await front(BROWSER);
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(linksIn(page.text)).toEqual(links);
    const { version } = JSON.parse((await call(relay.port, { path: '/.well-known/relay' })).text) as {
      version: string;
    };
    expect(page.text).toContain(version);
    expect(page.text).not.toMatch(/<script|<style|\sstyle=|\son\w+=|https?:/);
    for (const path of links) expect([path, (await call(relay.port, { path })).status]).toEqual([path, 200]);
    for (const headers of [{}, { accept: '*/*' }, { accept: 'application/json' }]) {
      const { status, headers: answered, text } = await front(headers);
      expect([status, answered['content-type']]).toEqual([200, 'application/json; charset=utf-8']);
      expect(JSON.parse(text)).toMatchObject({ name: 'relay', version, websocketPaths: ['/', '/ws'], links });
      expect(text + page.text).not.toContain(ADMIN_TOKEN);
    }
  });

  it('is a page that runs nothing, is only read, and is kept apart by caches', async () => {
    relay = await startRelay();
    const { headers } = await front(BROWSER);
    expect(headers['content-security-policy']).toContain("default-src 'none';script-src 'self';style-src 'self'");
    expect([headers['cache-control'], headers.vary]).toEqual(['no-cache', expect.stringContaining('Accept')]);
    expect(await front(BROWSER, 'HEAD')).toMatchObject({ status: 200, text: '' });
    const post = await front({ 'content-type': 'application/json' }, 'POST');
    expectProblem(post, 405, 'unsupported');
    expect(post.headers.allow).toBe('GET, HEAD');
  });

  it('is a WebSocket all the same', async () => {
    relay = await startRelay();
    await (await relay.signIn(`0x${'a'.repeat(40)}`)).settled();
  });
});
