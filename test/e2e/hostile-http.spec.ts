import { type ErrorCode } from '@relay/protocol';
import { once } from 'node:events';
import { type OutgoingHttpHeader, type OutgoingHttpHeaders, type Server } from 'node:http';
import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { deflateSync, gzipSync } from 'node:zlib';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { type Answer, call, type Call, callJson, exchange, expectProblem } from '../support/http-call.js';
import { named } from '../support/named.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const ALICE = addressOf(1);
const BOB = addressOf(2);
const ORIGIN = 'https://app.example';
const MAX_BODY = 16_384;
const JSON_TYPE = { 'content-type': 'application/json' };
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': KEY,
};

let relay: RunningRelay;

beforeAll(async () => {
  relay = await startRelay({ env: { ALLOWED_ORIGINS: ORIGIN, MAX_FRAME_BYTES: String(MAX_BODY) } });
});

afterAll(async () => relay.stop());

/** Relays with settings of their own, for one test. */
let others: RunningRelay[] = [];

async function startOther(env: Record<string, string>): Promise<RunningRelay> {
  const other = await startRelay({ env });
  others.push(other);
  return other;
}

/** Whatever was done to it: it answers. */
afterEach(async () => {
  for (const other of others) await other.stop();
  others = [];
  const { status } = await call(relay.port, { path: '/health' });
  expect(status).toBe(200);
});

const send = (request: Call): Promise<Answer> => call(relay.port, request);
const post = (body: string | Buffer, headers: OutgoingHttpHeaders = JSON_TYPE): Promise<Answer> =>
  send({ method: 'POST', path: '/api/public-keys', headers, body });
/** `undefined` leaves a header out. */
const upgrade = (
  headers: Record<string, OutgoingHttpHeader | undefined> = {},
  path = '/',
  port = relay.port,
): Promise<Answer> =>
  call(port, { path, headers: JSON.parse(JSON.stringify({ ...UPGRADE, ...headers })) as OutgoingHttpHeaders });

/** For what another process or a later turn brings about: asked again, never slept for. */
async function eventually(work: () => Promise<void>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === 200) throw error;
      await nextTurn();
    }
  }
}

describe('an upgrade', () => {
  it.each(['/', '/ws', '/?a=b', '/ws?token=x%00', '/ws?'])('is accepted at %s', async (path) => {
    expect((await upgrade({}, path)).status).toBe(101);
  });

  it('negotiates no compression: contents are ciphertext, and a bomb would be one', async () => {
    const { status, headers } = await upgrade({
      'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits',
    });
    expect([status, headers['sec-websocket-extensions']]).toEqual([101, undefined]);
  });

  it.each(
    named([
      '/x',
      '/ws/',
      '//',
      '//ws',
      '/WS',
      '/wss',
      '/ws%00',
      '/ws%2f',
      '/%77s',
      '/ws/../',
      '/health',
      '/docs',
      '/api/public-keys',
      `/${'x'.repeat(8000)}`,
    ]),
  )('is refused with 404 at the path %s', async (_name, path) =>
    expectProblem(await upgrade({}, path), 404, 'not_found'),
  );

  it.each(named(['h2c', 'TLS/1.0', 'websocket2', 'web socket', 'websocket, h2c', 'x'.repeat(5000)]))(
    'is refused with 426 for the protocol %s',
    async (_name, protocol) => {
      const answer = await upgrade({ upgrade: protocol });
      expectProblem(answer, 426, 'unsupported');
      expect(answer.headers.upgrade).toBe('websocket');
    },
  );

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])('is refused with the method %s', async (method) => {
    const answer = await call(relay.port, { method, path: '/', headers: UPGRADE });
    expectProblem(answer, 405, 'unsupported');
    expect(answer.headers.allow).toBe('GET');
  });

  it.each(named([undefined, '', '0', '7', '8', '12', '14', '13, 14', '1e1', '-13', 'abc', '9'.repeat(1000)]))(
    'is refused, and told the right one, for the version %s',
    async (_name, version) => {
      const answer = await upgrade({ 'sec-websocket-version': version });
      expect([400, 426]).toContain(answer.status);
      expectProblem(answer, answer.status, answer.status === 400 ? 'bad_message' : 'unsupported');
      expect(answer.headers['sec-websocket-version']).toMatch(/\b13\b/);
    },
  );

  it.each(
    named([
      undefined,
      '',
      'x',
      KEY.slice(1),
      `${KEY}=`,
      `A${KEY}`,
      '!GhlIHNhbXBsZSBub25jZQ==',
      `${KEY}, ${KEY}`,
      'x'.repeat(8000),
    ]),
  )('is refused with 400 for the key %s', async (_name, key) => {
    expectProblem(await upgrade({ 'sec-websocket-key': key }), 400, 'bad_message');
  });

  it.each(['a,,b', ',', 'a b', 'a,a', '"', 'a;b', 'é'])(
    'is refused with 400 for the subprotocol %s',
    async (protocol) => expectProblem(await upgrade({ 'sec-websocket-protocol': protocol }), 400, 'bad_message'),
  );

  it('is accepted without an Origin, as native clients come, and with the one that is allowed', async () => {
    expect((await upgrade()).status).toBe(101);
    expect((await upgrade({ origin: ORIGIN })).status).toBe(101);
  });

  const foreign: (string | string[])[] = [
    '',
    'null',
    '*',
    'https://evil.example',
    'http://app.example',
    'https://app.example/',
    'https://app.example:443',
    'https://app.example:8443',
    'https://app.example.evil.example',
    'https://evil.app.example',
    'https://evilapp.example',
    'https://app.example@evil.example',
    'https://app_example',
    'HTTPS://APP.EXAMPLE',
    'https://app.example#',
    'https://app.example https://evil.example',
    'https://app.example, https://evil.example',
    ['https://app.example', 'https://evil.example'],
    ['https://evil.example', 'https://app.example'],
    'app.example',
    'https://ａpp.example',
    'file://',
    'x'.repeat(8000),
  ].map((origin) => (Array.isArray(origin) ? origin : Buffer.from(origin).toString('latin1')));

  it.each(named(foreign))('is refused with 403 for the origin %s', async (_name, origin) =>
    expectProblem(await upgrade({ origin }), 403, 'forbidden'),
  );

  it.each(named(foreign))('is refused at /ws too for the origin %s', async (_name, origin) =>
    expectProblem(await upgrade({ origin }, '/ws'), 403, 'forbidden'),
  );

  it.each<[string, OutgoingHttpHeaders]>([
    ['2 000 subprotocols', { 'sec-websocket-protocol': Array.from({ length: 2000 }, (_, i) => `p${i}`).join() }],
    ['2 000 extensions', { 'sec-websocket-extensions': 'a;b=c,'.repeat(2000) + 'a' }],
    ['5 000 connection tokens', { connection: `Upgrade${',x'.repeat(5000)}` }],
    ['5 000 empty connection tokens', { connection: `Upgrade${','.repeat(5000)}` }],
    ['3 000 forwarded addresses', { 'x-forwarded-for': '1.1.1.1,'.repeat(1500) }],
    ['10 000 commas as forwarded addresses', { 'x-forwarded-for': ','.repeat(10_000) }],
    ['a large cookie', { cookie: 'a=b; '.repeat(2500) }],
  ])('with %s is answered, and the relay goes on', async (_name, headers) => {
    const { status } = await upgrade(headers);
    expect([101, 400]).toContain(status);
  });

  const lines = Object.entries(UPGRADE).map(([name, value]) => `${name}: ${value}\r\n`);
  it.each([
    ['10 000 subprotocols', `sec-websocket-protocol: ${'p,'.repeat(10_000)}p\r\n`],
    ['10 000 headers', 'a:b\r\n'.repeat(10_000)],
    ['a header of 64 KiB', `a: ${'b'.repeat(65_536)}\r\n`],
    ['a header name of 64 KiB', `${'b'.repeat(65_536)}: a\r\n`],
  ])('with %s is refused with 431', async (_name, header) => {
    const answer = await exchange(relay.port, `GET / HTTP/1.1\r\nhost: x\r\n${lines.join('')}${header}\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
  });

  // Node keeps the first 2 000 headers: what tells an upgrade may be among those that it drops.
  it.each(['before', 'after'])(
    'with 2 500 tiny headers %s its own is answered, and the relay goes on',
    async (where) => {
      const many = 'a:\r\n'.repeat(2500);
      const own = lines.join('');
      const headers = where === 'before' ? many + own : own + many;
      const answer = await new Promise<string>((resolve) => {
        void exchange(relay.port, `GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${headers}\r\n`).then(
          resolve,
        );
      });
      expect(answer).toMatch(/^HTTP\/1.1 (400|404|426|431) /);
    },
  );

  it('that is refused leaves no connection behind', async () => {
    for (let i = 0; i < 20; i++) await upgrade({ origin: 'https://evil.example' });
    await eventually(async () => {
      const { text } = await send({ path: '/health' });
      expect(JSON.parse(text)).toMatchObject({ connections: 0 });
    });
  });

  describe('that is not for WebSocket, as Java’s own client offers HTTP/2 with its first request', () => {
    // RFC 9110 §7.8: a server may ignore it.
    const offer = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAEAAEAAAAIAAAAB' };

    it('does not stand in the way of a REST call', async () => {
      expect((await send({ path: `/api/status/${ALICE}`, headers: offer })).status).toBe(200);
    });

    it('does not cost a REST call its body', async () => {
      const body = JSON.stringify({ addresses: [ALICE] });
      const headers = { ...offer, ...JSON_TYPE, 'content-length': body.length };
      const { status, text } = await send({ method: 'POST', path: '/api/status/batch', headers, body });
      expect([status, JSON.parse(text)]).toMatchObject([200, { statuses: { [ALICE]: false } }]);
    });

    it('does not make a connection that the relay has no more hold of: it can be stopped', async () => {
      const other = await startRelay();
      const peer = connect({ port: other.port, host: '127.0.0.1', allowHalfOpen: true });
      const [answered, ended] = [once(peer, 'data'), once(peer, 'end')];
      const lines = Object.entries(offer).map(([name, value]) => `${name}: ${value}\r\n`);
      peer.write(`GET /health HTTP/1.1\r\nhost: x\r\n${lines.join('')}\r\n`);
      await answered;
      const stopping = other.stop();
      await ended;
      try {
        // The peer has heard of the end, and does not close its own side.
        await eventually(async () => {
          const server = other.app.getHttpServer() as Server;
          expect(await new Promise((resolve) => server.getConnections((_error, count) => resolve(count)))).toBe(0);
        });
      } finally {
        peer.destroy();
        await stopping;
      }
    });
  });
});

describe('too many connections', () => {
  const open = (port: number, headers: Record<string, string> = {}): Promise<ClassicClient> =>
    ClassicClient.signIn(`ws://127.0.0.1:${port}`, addressOf(1), { headers });

  it('in all are refused with 503, and there is room again when one has gone', async () => {
    const small = await startOther({ MAX_CONNECTIONS: '2' });
    const first = await open(small.port);
    const second = await open(small.port);
    const answer = await upgrade({}, '/', small.port);
    expectProblem(answer, 503, 'unavailable');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    await first.close();
    await eventually(async () => expect((await upgrade({}, '/', small.port)).status).toBe(101));
    second.kill();
  });

  const perIp = (env: Record<string, string> = {}) => startOther({ MAX_CONNECTIONS_PER_IP: '2', ...env });

  it('of one IP address are refused with 429, and there is room again when one has gone', async () => {
    const small = await perIp();
    const first = await open(small.port);
    const second = await open(small.port);
    const answer = await upgrade({}, '/', small.port);
    expectProblem(answer, 429, 'rate_limited');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    first.kill();
    await eventually(async () => expect((await upgrade({}, '/', small.port)).status).toBe(101));
    second.kill();
  });

  it.each([
    'x-forwarded-for',
    'forwarded',
    'x-real-ip',
    'x-client-ip',
    'cf-connecting-ip',
    'true-client-ip',
    'x-cluster-client-ip',
  ])('are not hidden by a %s that anybody can write', async (name) => {
    const small = await perIp();
    const headers = (n: number) => ({ [name]: name === 'forwarded' ? `for=10.0.0.${n}` : `10.0.0.${n}` });
    const clients = [await open(small.port, headers(1)), await open(small.port, headers(2))];
    expectProblem(await upgrade(headers(3), '/', small.port), 429, 'rate_limited');
    for (const client of clients) client.kill();
  });

  it('are not blamed on an address that somebody else forged', async () => {
    const small = await perIp({ TRUST_PROXY: '127.0.0.1' });
    const clients = [
      await open(small.port, { 'x-forwarded-for': '10.9.9.9, 10.0.0.1' }),
      await open(small.port, { 'x-forwarded-for': '10.9.9.9, 10.0.0.1' }),
    ];
    expect((await upgrade({ 'x-forwarded-for': '10.9.9.9' }, '/', small.port)).status).toBe(101);
    expectProblem(await upgrade({ 'x-forwarded-for': '10.0.0.1' }, '/', small.port), 429, 'rate_limited');
    for (const client of clients) client.kill();
  });

  it.each([
    ['127.0.0.1', '10.0.0.1', '10.0.0.2'],
    ['127.0.0.0/8', '10.0.0.1', '10.0.0.2'],
    ['1', '10.0.0.1', '10.0.0.2'],
    ['127.0.0.1', '2001:db8::1', '2001:db8:0:1::1'],
  ])('are counted by client behind TRUST_PROXY=%s', async (trusted, full, free) => {
    const small = await perIp({ TRUST_PROXY: trusted });
    const from = (ip: string) => ({ 'x-forwarded-for': ip });
    const clients = [await open(small.port, from(full)), await open(small.port, from(full))];
    expectProblem(await upgrade(from(full), '/', small.port), 429, 'rate_limited');
    expectProblem(await upgrade(from(`1.2.3.4, ${full}`), '/', small.port), 429, 'rate_limited');
    expect((await upgrade(from(free), '/', small.port)).status).toBe(101);
    for (const client of clients) client.kill();
  });

  it.each([
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:db8::1', '2001:0DB8:0:0::ffff'],
    ['2001:db8:0:0:1:2:3:4', '2001:db8::'],
  ])('of %s are those of %s', async (one, same) => {
    const small = await perIp({ TRUST_PROXY: '1' });
    const clients = [
      await open(small.port, { 'x-forwarded-for': one }),
      await open(small.port, { 'x-forwarded-for': one }),
    ];
    expectProblem(await upgrade({ 'x-forwarded-for': same }, '/', small.port), 429, 'rate_limited');
    for (const client of clients) client.kill();
  });

  it.each(
    named([
      '',
      ' ',
      ',',
      'unknown',
      '_hidden',
      '[::1]',
      '1.2.3.4:80',
      '999.1.1.1',
      '<script>',
      '%',
      '::%eth0',
      'x'.repeat(8000),
      ','.repeat(8000),
      '1.1.1.1,'.repeat(1500),
      '"\\',
      '127.0.0.1',
    ]),
  )('are counted without harm where a proxy says X-Forwarded-For: %s', async (_name, forwarded) => {
    for (const trusted of ['127.0.0.1', '1', '10']) {
      const small = await perIp({ TRUST_PROXY: trusted });
      expect((await upgrade({ 'x-forwarded-for': forwarded }, '/', small.port)).status).toBe(101);
      expect(
        (await call(small.port, { path: `/api/status/${ALICE}`, headers: { 'x-forwarded-for': forwarded } })).status,
      ).toBe(200);
    }
  });
});

describe('the server', () => {
  const server = (): Server => relay.app.getHttpServer() as Server;

  it('has every bound set, and none left to a default', () => {
    const { headersTimeout, requestTimeout, keepAliveTimeout, timeout, maxHeadersCount, maxRequestsPerSocket } =
      server();
    expect([headersTimeout, requestTimeout, keepAliveTimeout, timeout]).toEqual([10_000, 15_000, 65_000, 60_000]);
    expect([maxHeadersCount, maxRequestsPerSocket]).toEqual([0, 1_000]);
    // Beside the WebSockets, some for HTTP.
    expect(server().maxConnections).toBeGreaterThan(0);
  });

  it.each(['GET', 'HEAD'])('reads 16 KiB of headers and no more: %s', async (method) => {
    const ofBytes = (bytes: number) =>
      exchange(
        relay.port,
        `${method} /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\na: ${'b'.repeat(bytes)}\r\n\r\n`,
      );
    expect(await ofBytes(16_000)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ofBytes(16_400)).toMatch(/^HTTP\/1\.1 431 /);
  });

  it.each([
    ['nonsense', 'NONSENSE\r\n\r\n'],
    ['binary', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00])],
    ['a line without an end', `GET /${'x'.repeat(70_000)}`],
    ['an unknown version', 'GET / HTTP/9.9\r\nhost: x\r\n\r\n'],
    ['no host', 'GET /health HTTP/1.1\r\n\r\n'],
    ['a NUL in a header', 'GET /health HTTP/1.1\r\nhost: x\r\na: \0\r\n\r\n'],
    ['a bare CR in a header', 'GET /health HTTP/1.1\r\nhost: x\r\na: b\rc: d\r\n\r\n'],
    ['a folded header', 'GET /health HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\nconnection: close\r\n\r\n'],
    ['a space before a colon', 'GET /health HTTP/1.1\r\nhost : x\r\n\r\n'],
    [
      'a length and chunks',
      'POST /api/public-keys HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two lengths', 'POST /api/public-keys HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}'],
    ['a negative length', 'POST /api/public-keys HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n{}'],
    [
      'a chunk that has no size',
      'POST /api/public-keys HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    ],
    [
      'a large chunk extension',
      `POST /api/public-keys HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2;${'x'.repeat(70_000)}\r\n{}\r\n0\r\n\r\n`,
    ],
    ['an unknown coding', 'POST /api/public-keys HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n{}'],
    ['an expectation', 'POST /api/public-keys HTTP/1.1\r\nhost: x\r\nexpect: miracles\r\nconnection: close\r\n\r\n'],
    ['a target that is no URL', 'GET http://[ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'],
    ['a target without a slash', 'GET health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'],
    [
      'a body after GET that is cut off',
      'GET /api/public-keys HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\ncontent-type: application/json\r\n\r\n{',
    ],
  ])('refuses %s without a word of a library', async (_name, bytes) => {
    const answer = await exchange(relay.port, bytes);
    const [head = '', body = ''] = answer.split('\r\n\r\n', 2);
    expect(head).toMatch(/^HTTP\/1\.1 4\d\d /);
    // An empty body in chunks is one, too.
    expect(head).not.toMatch(/text\/html|x-powered-by/i);
    expect(body.replace(/^0(\r\n)*$/, '')).toMatch(/^$|^\{"type":"about:blank"/);
  });

  it('answers a second request on the connection only after the first', async () => {
    const one = `GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n`;
    const last = 'GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
    const answer = await exchange(relay.port, one.repeat(20) + last);
    expect(answer.match(/HTTP\/1\.1 \d{3}/g)).toEqual([...Array<string>(20).fill('HTTP/1.1 200'), 'HTTP/1.1 404']);
  });
});

describe('a body', () => {
  const key = JSON.stringify({ address: ALICE, publicKey: 'k' });

  it.each(
    named([
      undefined,
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/plain; application/json',
      'text/json',
      'application/jsonp',
      'application/json-patch+json',
      'application/problem+json',
      'application/json, text/plain',
      'text/plain, application/json',
      'application/ json',
      'json',
      '*/*',
      ';',
      ' ; application/json',
      'application/x-ndjson',
      'x'.repeat(5000),
    ]),
  )('is refused with 415, unread, as %s', async (_name, type) => {
    expectProblem(await post(key, type === undefined ? {} : { 'content-type': type }), 415, 'unsupported');
    expectProblem(await post('{', type === undefined ? {} : { 'content-type': type }), 415, 'unsupported');
  });

  it.each([
    'utf-7',
    'utf-16',
    'utf-16le',
    'utf-16be',
    'utf-32',
    'latin1',
    'iso-8859-1',
    'x-user-defined',
    'utf-8; charset=utf-7',
  ])('is UTF-8 and nothing else (RFC 8259 §8.1): charset=%s', async (charset) =>
    expectProblem(await post(key, { 'content-type': `application/json; charset=${charset}` }), 415, 'unsupported'),
  );

  it.each([
    'application/json',
    'APPLICATION/JSON',
    'application/json;charset=utf-8',
    'application/json; charset="UTF-8"',
  ])('is accepted as %s', async (type) => expect((await post(key, { 'content-type': type })).status).toBe(200));

  it.each([
    ['a lone continuation byte', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['0xFF', [0xff]],
  ])('is refused with 400 for invalid UTF-8, which would be stored as something else: %s', async (_name, bytes) => {
    const body = Buffer.concat([
      Buffer.from(`{"address":"${ALICE}","publicKey":"`),
      Buffer.from(bytes),
      Buffer.from('"}'),
    ]);
    expectProblem(await post(body), 400, 'bad_message');
  });

  const large = JSON.stringify({ address: ALICE, publicKey: 'k', x: 'x'.repeat(MAX_BODY) });
  it.each<[string, Buffer | string, OutgoingHttpHeaders]>([
    ['by its length', large, { 'content-length': large.length }],
    ['in chunks', large, { 'transfer-encoding': 'chunked' }],
    ['that inflates a thousandfold (gzip)', gzipSync(Buffer.alloc(20_000_000, ' ')), { 'content-encoding': 'gzip' }],
    [
      'that inflates a thousandfold (deflate)',
      deflateSync(Buffer.alloc(20_000_000, ' ')),
      { 'content-encoding': 'deflate' },
    ],
    ['one byte over', `${' '.repeat(MAX_BODY + 1 - key.length)}${key}`, {}],
  ])('beyond MAX_FRAME_BYTES is refused with 413: %s', async (_name, body, headers) =>
    expectProblem(await post(body, { ...JSON_TYPE, ...headers }), 413, 'too_large'),
  );

  it('of 1 MiB is refused with 413, and stores nothing', async () => {
    const asItComes = await startOther({});
    for (const port of [asItComes.port, (await startOther({ MAX_FRAME_BYTES: '4194304' })).port]) {
      const publicKey = 'k'.repeat(1024 * 1024);
      const { status } = await callJson(port, 'POST', '/api/public-keys', { address: BOB, publicKey });
      // Where bodies may be that large, a key may not.
      expect(status).toBe(port === asItComes.port ? 413 : 400);
      expect((await call(port, { path: `/api/public-keys/${BOB}` })).status).toBe(404);
    }
  });

  it('of MAX_FRAME_BYTES is accepted', async () => {
    expect((await post(`${' '.repeat(MAX_BODY - key.length)}${key}`)).status).toBe(200);
  });

  it('that says it is larger is refused before it is sent', async () => {
    const head = `POST /api/public-keys HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n`;
    expect(await exchange(relay.port, `${head}content-length: 9999999999\r\n\r\n{`)).toMatch(/^HTTP\/1\.1 413 /);
  });

  it.each(['x', 'identity, gzip', 'compress', 'gzip, gzip', 'chunked'])(
    'is refused with 415 in the coding %s',
    async (coding) => expectProblem(await post(key, { ...JSON_TYPE, 'content-encoding': coding }), 415, 'unsupported'),
  );

  it.each([
    ['nothing that gzip knows', 'hello', 'gzip'],
    ['gzip that is cut off', gzipSync(key).subarray(0, 15), 'gzip'],
    ['nothing that deflate knows', 'hello', 'deflate'],
    ['nothing that brotli knows', 'hello', 'br'],
  ])('is refused with 400 where it is %s', async (_name, body, coding) =>
    expectProblem(await post(body, { ...JSON_TYPE, 'content-encoding': coding }), 400, 'bad_message'),
  );

  it.each([
    ['half an object', '{'],
    ['single quotes', "{'a':1}"],
    ['two values', `${key}${key}`],
    ['a trailing comma', '{"a":1,}'],
    ['a comment', '{}//'],
    ['NaN', '{"a":NaN}'],
    ['a raw control character', '{"a":"\n"}'],
    ['a raw NUL', '{"a":"\0"}'],
    ['form fields', 'address=x&publicKey=y'],
    ['levels that never close', '['.repeat(16_000)],
    ['null', 'null'],
    ['true', 'true'],
    ['a number', '1'],
    ['a text', '"text"'],
    ['white space', '   '],
  ])('that is not a JSON object is refused with 400: %s', async (_name, body) => {
    expectProblem(await post(body), 400, 'bad_message');
  });

  const deepList = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
  const deepObject = (levels: number): string => `${'{"a":'.repeat(levels)}0${'}'.repeat(levels)}`;
  it.each([
    ['lists', deepList(8000)],
    ['objects', deepObject(2500)],
    ['lists as the key', `{"address":"${ALICE}","publicKey":${deepList(8000)}}`],
    ['objects as the key', `{"address":"${ALICE}","publicKey":${deepObject(2500)}}`],
    ['lists as the address', `{"address":${deepList(8000)},"publicKey":"k"}`],
    ['lists as the signature', `{"address":"${ALICE}","publicKey":"k","signature":${deepList(8000)}}`],
    ['lists as addresses', `{"addresses":${deepList(8000)}}`],
  ])('nested deeply is refused with 400: %s', async (_name, body) => {
    for (const path of ['/api/public-keys', '/api/public-keys/batch', '/api/status/batch']) {
      expectProblem(await send({ method: 'POST', path, headers: JSON_TYPE, body }), 400, 'bad_message');
    }
  });

  it.each([
    ['lists', deepList(8000)],
    ['objects', deepObject(2500)],
  ])(
    'with deep nesting in a member that nobody reads is read or refused, and no failure: %s',
    async (_name, nested) => {
      const { status } = await post(`{"address":"${ALICE}","publicKey":"k","x":${nested}}`);
      expect([200, 400]).toContain(status);
    },
  );

  it.each([
    ['a million levels', `{"addresses":[],"x":${deepList(1_000_000)}}`],
    [
      '150 000 keys that nobody knows',
      `{${Array.from({ length: 150_000 }, (_, i) => `"k${i}":0,`).join('')}"addresses":[]}`,
    ],
    ['1 500 000 items that nobody knows', `{"addresses":[],"x":[${'0,'.repeat(1_500_000)}0]}`],
    ['1 500 000 addresses', `{"addresses":[${'0,'.repeat(1_500_000)}0]}`],
  ])('costs little more than reading it, where bodies may be large: %s', async (_name, body) => {
    const roomy = await startOther({ MAX_FRAME_BYTES: '4194304' });
    // Answered by a relay that has nothing else to do, within the patience of `call`.
    const answer = await call(roomy.port, { method: 'POST', path: '/api/status/batch', headers: JSON_TYPE, body });
    expect([200, 400, 413]).toContain(answer.status);
  });

  it.each([
    ['an empty list', []],
    ['a list of one', [{ address: ALICE, publicKey: 'k' }]],
    ['an empty object', {}],
    ['the address in a list', { address: [ALICE], publicKey: 'k' }],
    ['the address in an object', { address: { toString: ALICE }, publicKey: 'k' }],
    ['the key in a list', { address: ALICE, publicKey: ['k'] }],
    ['the key as an object', { address: ALICE, publicKey: { length: 3 } }],
    ['the key as a number', { address: ALICE, publicKey: 1 }],
    ['the key as null', { address: ALICE, publicKey: null }],
    ['no key', { address: ALICE }],
    ['an empty key', { address: ALICE, publicKey: '' }],
    ['a key of 4097 characters', { address: ALICE, publicKey: 'k'.repeat(4097) }],
    ['an object with a constructor as the key', { address: ALICE, publicKey: { constructor: 'x' } }],
    ['a constructor', { constructor: { prototype: {} } }],
  ])('of wrong shape is refused with 400: %s', async (_name, body) => {
    expectProblem(await callJson(relay.port, 'POST', '/api/public-keys', body), 400, 'bad_message');
  });

  it('whose members hide behind __proto__ has none', async () => {
    expectProblem(await post(`{"__proto__":${key}}`), 400, 'bad_message');
    expectProblem(await post(`{"constructor":{"prototype":${key}}}`), 400, 'bad_message');
    expect(({} as Record<string, unknown>).publicKey).toBeUndefined();
  });

  it.each([
    [
      'twenty members nobody knows',
      `{${Array.from({ length: 20 }, (_, i) => `"k${i}":0,`).join('')}"address":"${ALICE}","publicKey":"k"}`,
    ],
    ['__proto__ in a member nobody knows', `{"x":{"__proto__":{"y":1}},"address":"${ALICE}","publicKey":"k"}`],
    ['a constructor in a member nobody knows', `{"x":{"constructor":"y"},"address":"${ALICE}","publicKey":"k"}`],
    [
      'names of Object.prototype',
      `{"toString":1,"hasOwnProperty":1,"then":1,"constructor":1,"address":"${ALICE}","publicKey":"k"}`,
    ],
    ['a member twice', `{"address":"0x","publicKey":"","address":"${ALICE}","publicKey":"k"}`],
  ])('is read as far as its known members go: %s', async (_name, body) => {
    const { status, text } = await post(body);
    expect([status, (JSON.parse(text) as Record<string, unknown>).success]).toEqual([200, true]);
    expect(({} as Record<string, unknown>).y).toBeUndefined();
  });

  describe.each(['/api/public-keys/batch', '/api/status/batch'])('for %s', (path) => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => addressOf(i + 1));

    it.each<[string, unknown]>([
      ['nothing', {}],
      ['null', { addresses: null }],
      ['an address', { addresses: ALICE }],
      ['an object like a list', { addresses: { 0: ALICE, length: 1 } }],
      ['a number', { addresses: 1 }],
      ['a list in a list', { addresses: [[ALICE]] }],
      ['a list with null', { addresses: [ALICE, null] }],
      ['a list with a number', { addresses: [ALICE, 1] }],
      ['a list with an object', { addresses: [{ constructor: 'x' }] }],
      ['a list with a short address', { addresses: [ALICE, ALICE.slice(0, -1)] }],
      ['a list with the zero address', { addresses: [`0x${'0'.repeat(40)}`] }],
      ['the list itself', many(1)],
    ])('is refused with 400 where addresses are wrong: %s', async (_name, body) =>
      expectProblem(await callJson(relay.port, 'POST', path, body), 400, 'bad_message'),
    );

    it.each([501, 5000])('is refused with %i addresses, valid or not', async (count) => {
      const roomy = await startOther({ MAX_FRAME_BYTES: '1000000' });
      for (const addresses of [many(count), Array<null>(count).fill(null)]) {
        const answer = await callJson(roomy.port, 'POST', path, { addresses });
        expect([400, 413]).toContain(answer.status);
        expectProblem(answer, answer.status, answer.status === 400 ? 'bad_message' : 'too_large');
      }
    });

    it('takes the same address 300 times as one', async () => {
      const { status, text } = await callJson(relay.port, 'POST', path, { addresses: Array<string>(300).fill(ALICE) });
      expect([status, text.length < 500]).toEqual([200, true]);
    });
  });
});

describe('a path', () => {
  const digits = ALICE.slice(2);
  const addresses = [
    ...[
      '0x',
      `0x${digits.slice(1)}`,
      `${ALICE}0`,
      `0X${digits}`,
      digits,
      `0x${'0'.repeat(40)}`,
      `0xg${digits.slice(1)}`,
    ],
    ...[`${ALICE}%00`, `%00${ALICE}`, `0x%00${digits.slice(1)}`, `${ALICE}%2f`, `%2f${ALICE}`, `${ALICE}%2fqueue-size`],
    ...[
      `${ALICE}%20`,
      `%20${ALICE}`,
      `${ALICE}+`,
      `${ALICE}%0a`,
      `${ALICE}%0d%0aset-cookie:a=b`,
      `${ALICE}%250a`,
      `${ALICE};v=1`,
    ],
    ...[
      '%',
      '%zz',
      '%e0%a4%a',
      '%c0%af',
      '%ff',
      '%ed%a0%80',
      '%u0030',
      '..%2f..%2fetc%2fpasswd',
      '%2e%2e',
      '%2e%2e%2f',
      '~',
      '*',
    ],
    ...[
      `0x${'%ef%bc%91'.repeat(40)}`,
      `0x${digits.slice(1)}%d0%b0`,
      `${ALICE},${ALICE}`,
      `[${ALICE}]`,
      `{${ALICE}}`,
      '*',
    ],
    ...['__proto__', 'constructor', 'toString', 'undefined', 'null', 'NaN', 'x'.repeat(8000), '%78'.repeat(2000)],
  ];
  const routes: [string, (address: string) => string][] = [
    ['GET', (address) => `/api/public-keys/${address}`],
    ['DELETE', (address) => `/api/public-keys/${address}`],
    ['GET', (address) => `/api/messages/${address}`],
    ['DELETE', (address) => `/api/messages/${address}`],
    ['GET', (address) => `/api/messages/${address}/queue-size`],
    ['GET', (address) => `/api/status/${address}`],
  ];

  it.each(named(addresses))('with the address %s is refused with 400 wherever it stands', async (_name, address) => {
    for (const [method, path] of routes) {
      expectProblem(await send({ method, path: path(address) }), 400, 'bad_message');
    }
    expect((await send({ method: 'HEAD', path: `/api/public-keys/${address}` })).status).toBe(400);
  });

  it('has an encoded digit read as what it is', async () => {
    expect((await send({ path: `/api/status/%30x${digits}` })).status).toBe(200);
  });

  it.each(
    named([
      ...[
        '/ws',
        '/api',
        '/api/',
        '/nowhere',
        '/api/nowhere',
        '/api/messages',
        '/api/status',
        '/index.html',
        '/favicon.ico',
      ],
      ...[
        '/.env',
        '/.git/config',
        '/package.json',
        '/metrics',
        '/admin',
        '/health/nowhere',
        '/health/live/x',
        `/api/messages/${ALICE}/x`,
      ],
      ...[
        '//health',
        '/api//status',
        '/%61pi/status/x',
        '/health%00',
        '/health%2f',
        '/./health',
        '/health/..',
        '/..',
        '/../../etc/passwd',
      ],
      ...[
        '/docs/../package.json',
        '/docs/..%2f..%2fpackage.json',
        '/docs/%2e%2e/package.json',
        '/docs/%00',
        '/docs/nowhere',
        '/docs/%',
      ],
      ...[
        '/__proto__',
        '/constructor',
        '/toString',
        `/${'x'.repeat(8000)}`,
        `/${'a/'.repeat(4000)}`,
        '/%',
        '/%zz',
        '/\\',
      ],
    ]),
  )('that leads nowhere is answered with 404: %s', async (_name, path) => {
    const answer = await send({ path });
    // What cannot be decoded leads nowhere either, and may be called malformed.
    if (/%(?![0-9a-f]{2})|%00/i.test(path) && answer.status === 400) expectProblem(answer, 400, 'bad_message');
    else expectProblem(answer, 404, 'not_found');
  });

  const known: [string, string][] = [
    ['/', 'GET HEAD'],
    ['/health', 'GET HEAD'],
    ['/health/live', 'GET HEAD'],
    ['/health/ready', 'GET HEAD'],
    ['/api/public-keys', 'POST'],
    ['/api/public-keys/stats/all', 'GET HEAD'],
    [`/api/public-keys/${ALICE}`, 'DELETE GET HEAD'],
    ['/api/messages/stats/all', 'GET HEAD'],
    [`/api/messages/${ALICE}`, 'DELETE GET HEAD'],
    [`/api/messages/${ALICE}/queue-size`, 'GET HEAD'],
    ['/api/status/online/all', 'GET HEAD'],
    [`/api/status/${ALICE}`, 'GET HEAD'],
    ['/docs', 'GET HEAD'],
    ['/docs/openapi.json', 'GET HEAD'],
  ];
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'SEARCH', 'LINK'];
  const wrong = known.flatMap(([path, allowed]) =>
    methods.filter((method) => !allowed.split(' ').includes(method)).map((method) => [method, path, allowed]),
  );

  it.each(wrong as [string, string, string][])(
    'knows its methods, and refuses %s %s with 405 (Allow: %s)',
    async (method, path, allowed) => {
      const answer = await send({ method, path });
      const allow = String(answer.headers.allow).split(', ').sort();
      expect([answer.status, allow]).toEqual([405, allowed.split(' ')]);
      if (method !== 'HEAD') expectProblem(answer, 405, 'unsupported');
    },
  );

  it.each(['x-http-method-override', 'x-http-method', 'x-method-override'])(
    'is not turned into another call by %s',
    async (name) => {
      await callJson(relay.port, 'POST', '/api/public-keys', { address: BOB, publicKey: 'k' });
      const { status } = await send({ path: `/api/public-keys/${BOB}?_method=DELETE`, headers: { [name]: 'DELETE' } });
      expect(status).toBe(200);
      expect((await send({ path: `/api/public-keys/${BOB}` })).status).toBe(200);
    },
  );

  it.each([
    ...[
      'limit=1&limit=2',
      'limit=',
      'limit=0',
      'limit=-1',
      'limit=101',
      'limit=1.5',
      'limit=0x10',
      'limit=1e1',
      'limit=%00',
      'limit=ten',
    ],
    ...[
      'limit=99999999999999999999',
      'limit=%ef%bc%91',
      'after=',
      'after=1',
      'after=1-1&after=2-2',
      'after=1-1%00',
      'after=*',
      'after=-',
    ],
  ])('is refused with 400 for ?%s', async (query) => {
    expectProblem(await send({ path: `/api/messages/${ALICE}?${query}` }), 400, 'bad_message');
  });

  it.each(
    named([
      'a[b][c]=d',
      '__proto__[limit]=1',
      'constructor[prototype]=x',
      `${'a[b]'.repeat(1000)}=1`,
      'a=1&'.repeat(3000),
      'toString=1',
      '%',
      '%ff=%ff',
      '=',
    ]),
  )('is read as far as its known parameters go: ?%s', async (_name, query) => {
    expect((await send({ path: `/api/messages/${ALICE}?${query}` })).status).toBe(200);
    expect(({} as Record<string, unknown>).limit).toBeUndefined();
  });

  it.each(['upTo[]=1-1', 'upTo[0]=1-1', 'upTo%5B%5D=1-1'])(
    'does not empty a mailbox for a parameter that is nearly right: ?%s',
    async (query) => {
      const recipient = addressOf(77);
      const sender = await ClassicClient.signIn(`${relay.wsUrl}/`, addressOf(78));
      sender.message(recipient, `for ${query}`);
      await sender.waitFor('queued');
      const { status } = await send({ method: 'DELETE', path: `/api/messages/${recipient}?${query}` });
      const { text } = await send({ path: `/api/messages/${recipient}/queue-size` });
      await send({ method: 'DELETE', path: `/api/messages/${recipient}` });
      sender.kill();
      expect([status, JSON.parse(text)]).toEqual([400, { address: recipient, queueSize: 1 }]);
    },
  );
});

describe('GET and HEAD', () => {
  it('answer with no more than a few messages of the largest size at once, and the next page goes on', async () => {
    const roomy = await startOther({});
    const [sender, recipient] = [await roomy.signIn(addressOf(83)), addressOf(84)];
    const ids = Array.from({ length: 30 }, (_, i) => `m-${i}`);
    const isQueued = (id: string): boolean => sender.ofType('queued').some(({ messageId }) => messageId === id);
    for (const id of ids) {
      // On a machine that does much else, Redis may not have answered in time: then it is sent again.
      while (!isQueued(id)) {
        const errors = sender.ofType('error').length;
        sender.message(recipient, id, { content: 'x'.repeat(120_000) });
        await sender.until(() => isQueued(id) || sender.ofType('error').length > errors, `${id} to be queued`);
      }
    }
    sender.kill();

    const seen: string[] = [];
    const pageAfter = async (query: string): Promise<{ messages: { messageId: string }[]; next: string | null }> => {
      const { text } = await call(roomy.port, { path: `/api/messages/${recipient}${query}` });
      expect(text.length).toBeLessThan(2 * 1024 * 1024);
      return JSON.parse(text) as Awaited<ReturnType<typeof pageAfter>>;
    };
    for (let page = await pageAfter(''); ; page = await pageAfter(`?after=${page.next}`)) {
      seen.push(...page.messages.map(({ messageId }) => messageId));
      if (page.next === null) break;
    }
    expect(seen).toEqual(ids);
  });

  it('change nothing, whatever they carry', async () => {
    const [sender, recipient] = [addressOf(81), addressOf(82)];
    const client = await relay.signIn(sender);
    for (const id of ['a', 'b', 'c']) client.message(recipient, id);
    await client.waitForCount('queued', 3);
    await callJson(relay.port, 'POST', '/api/public-keys', { address: recipient, publicKey: 'k' });
    const state = async (): Promise<unknown[]> => {
      const paths = [
        `/api/messages/${recipient}`,
        `/api/public-keys/${recipient}`,
        '/api/messages/stats/all',
        '/api/public-keys/stats/all',
      ];
      return Promise.all(paths.map(async (path) => JSON.parse((await send({ path })).text) as unknown));
    };
    const before = await state();
    const { id } = (before[0] as { messages: { id: string }[] }).messages[2]!;
    const paths = [
      ...[`/api/messages/${recipient}`, `/api/messages/${recipient}/queue-size`, `/api/public-keys/${recipient}`],
      ...[
        `/api/status/${recipient}`,
        '/api/status/online/all',
        '/api/messages/stats/all',
        '/health',
        '/health/ready',
        '/docs',
      ],
    ];
    const body = JSON.stringify({ address: recipient, publicKey: 'other', upTo: id });
    for (const path of paths) {
      for (const method of ['GET', 'HEAD']) {
        const headers = { ...JSON_TYPE, 'content-length': body.length, 'x-http-method-override': 'DELETE' };
        const { status } = await send({ method, path: `${path}?upTo=${id}&_method=DELETE`, headers, body });
        expect(status).toBe(200);
      }
    }
    expect(await state()).toEqual(before);
    await client.settled();
    expect(client.ofType('delivered')).toEqual([]);
    client.kill();
  });
});

describe('another origin', () => {
  const evil = 'https://evil.example';
  const variants = [
    evil,
    'null',
    '',
    '*',
    `${ORIGIN}/`,
    `${ORIGIN}:443`,
    'http://app.example',
    'https://app.example.evil.example',
    'HTTPS://APP.EXAMPLE',
  ];
  const calls: [string, Call][] = [
    ['GET', { path: '/health' }],
    ['GET that fails', { path: '/nowhere' }],
    [
      'POST',
      { method: 'POST', path: '/api/status/batch', headers: JSON_TYPE, body: JSON.stringify({ addresses: [ALICE] }) },
    ],
    ['POST that fails', { method: 'POST', path: '/api/status/batch', headers: JSON_TYPE, body: '{' }],
    ['DELETE', { method: 'DELETE', path: `/api/messages/${ALICE}` }],
    ['OPTIONS', { method: 'OPTIONS', path: '/api/public-keys', headers: { 'access-control-request-method': 'POST' } }],
  ];

  it.each(variants)('is never named as allowed: %s', async (origin) => {
    for (const [, request] of calls) {
      const { headers } = await send({ ...request, headers: { ...request.headers, origin } });
      expect(headers['access-control-allow-origin']).toBeUndefined();
      expect(headers['access-control-allow-credentials']).toBeUndefined();
    }
  });

  it.each(variants)('changes nothing, consent or not: %s', async (origin) => {
    const address = addressOf(90);
    const body = JSON.stringify({ address, publicKey: 'k' });
    expectProblem(await post(body, { ...JSON_TYPE, origin }), 403, 'forbidden');
    expectProblem(
      await send({ method: 'DELETE', path: `/api/messages/${ALICE}`, headers: { origin } }),
      403,
      'forbidden',
    );
    expect((await send({ path: `/api/public-keys/${address}` })).status).toBe(404);
  });

  it('that is allowed is named exactly, and caches are told', async () => {
    for (const [, request] of calls) {
      const { headers } = await send({ ...request, headers: { ...request.headers, origin: ORIGIN } });
      expect(headers['access-control-allow-origin']).toBe(ORIGIN);
      expect(headers.vary).toMatch(/origin/i);
      expect(headers['access-control-allow-credentials']).toBeUndefined();
    }
  });

  it('is allowed with * where all are, and then without credentials', async () => {
    const open = await startOther({ ALLOWED_ORIGINS: '*' });
    for (const origin of [evil, 'null', ORIGIN]) {
      for (const [, request] of calls) {
        const { headers } = await call(open.port, {
          ...request,
          headers: { ...request.headers, origin, cookie: 'a=b' },
        });
        expect([headers['access-control-allow-origin'], headers['access-control-allow-credentials']]).toEqual([
          '*',
          undefined,
        ]);
        expect(headers['set-cookie']).toBeUndefined();
      }
    }
  });
});

describe('the limit of requests', () => {
  const limited = (env: Record<string, string> = {}) =>
    startOther({ RATE_LIMIT_MAX_REQUESTS: '3', RATE_LIMIT_WINDOW_MS: '60000', ...env });
  const path = `/api/status/${ALICE}`;

  it('is told from the first answer on, and refuses what is beyond it with 429', async () => {
    const strict = await limited();
    const remaining: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const { status, headers } = await call(strict.port, { path });
      remaining.push([status, headers['ratelimit-limit'], headers['ratelimit-remaining']]);
      expect(Number(headers['ratelimit-reset'])).toBeGreaterThan(0);
      expect(headers['retry-after']).toBeUndefined();
    }
    expect(remaining).toEqual([
      [200, '3', '2'],
      [200, '3', '1'],
      [200, '3', '0'],
    ]);
    const refused = await call(strict.port, { path });
    expectProblem(refused, 429, 'rate_limited');
    const { 'retry-after': retryAfter, 'ratelimit-remaining': left, 'ratelimit-reset': reset } = refused.headers;
    expect([left, retryAfter]).toEqual(['0', reset]);
    expect(Number(retryAfter)).toBeGreaterThan(0);
    expect(Number(retryAfter)).toBeLessThanOrEqual(60);
  });

  it.each<[string, Call]>([
    ['capitals', { path: `/API/Status/${ALICE}` }],
    ['a slash at the end', { path: `${path}/` }],
    ['an unknown path', { path: '/api/nowhere' }],
    ['a wrong method', { method: 'PUT', path }],
    ['HEAD', { method: 'HEAD', path }],
    ['a bad address', { path: '/api/status/x' }],
    ['a bad encoding', { path: '/api/status/%' }],
    ['bad JSON', { method: 'POST', path: '/api/status/batch', headers: JSON_TYPE, body: '{' }],
    [
      'a wrong content type',
      { method: 'POST', path: '/api/status/batch', headers: { 'content-type': 'text/plain' }, body: '{' },
    ],
    ['a body too large', { method: 'POST', path: '/api/status/batch', headers: JSON_TYPE, body: 'x'.repeat(200_000) }],
    ['a query', { path: `${path}?x=y` }],
    [
      'a forged client',
      { path, headers: { 'x-forwarded-for': '10.0.0.9', forwarded: 'for=10.0.0.9', 'x-real-ip': '10.0.0.9' } },
    ],
  ])('counts %s', async (_name, request) => {
    const strict = await limited();
    for (let i = 0; i < 3; i++) expect((await call(strict.port, request)).status).not.toBe(429);
    expect((await call(strict.port, request)).status).toBe(429);
    expectProblem(await call(strict.port, { path }), 429, 'rate_limited');
    expect((await call(strict.port, { path: '/health' })).status).toBe(200);
  });

  it('counts by client behind a trusted proxy, and believes no more than the proxy', async () => {
    const strict = await limited({ TRUST_PROXY: '1' });
    const from = (forwarded: string) => call(strict.port, { path, headers: { 'x-forwarded-for': forwarded } });
    for (const spoofed of ['1.1.1.1', '2.2.2.2', '3.3.3.3'])
      expect((await from(`${spoofed}, 10.0.0.1`)).status).toBe(200);
    expectProblem(await from('4.4.4.4, 10.0.0.1'), 429, 'rate_limited');
    expect((await from('10.0.0.1, 10.0.0.2')).status).toBe(200);
  });

  it('refuses with an answer that another origin may read', async () => {
    const strict = await limited();
    for (let i = 0; i < 4; i++) {
      const { headers } = await call(strict.port, { path, headers: { origin: ORIGIN } });
      expect(headers['access-control-expose-headers']).toMatch(/Retry-After/);
    }
  });
});

describe('a refusal', () => {
  const canary = 'canary7f3a';
  it.each<[string, Call, number, ErrorCode]>([
    ['an unknown path', { path: `/${canary}` }, 404, 'not_found'],
    ['an address', { path: `/api/status/${canary}` }, 400, 'bad_message'],
    ['a query', { path: `/api/messages/${ALICE}?limit=${canary}` }, 400, 'bad_message'],
    [
      'an origin',
      { method: 'DELETE', path: `/api/messages/${ALICE}`, headers: { origin: `https://${canary}` } },
      403,
      'forbidden',
    ],
    [
      'a content type',
      { method: 'POST', path: '/api/public-keys', headers: { 'content-type': canary }, body: canary },
      415,
      'unsupported',
    ],
    [
      'a charset',
      {
        method: 'POST',
        path: '/api/public-keys',
        headers: { 'content-type': `application/json; charset=${canary}` },
        body: '{}',
      },
      415,
      'unsupported',
    ],
    [
      'a coding',
      { method: 'POST', path: '/api/public-keys', headers: { ...JSON_TYPE, 'content-encoding': canary }, body: '{}' },
      415,
      'unsupported',
    ],
    [
      'a body that is not JSON',
      { method: 'POST', path: '/api/public-keys', headers: JSON_TYPE, body: canary },
      400,
      'bad_message',
    ],
    [
      'a member',
      { method: 'POST', path: '/api/public-keys', headers: JSON_TYPE, body: `{"address":"${canary}","${canary}":1}` },
      400,
      'bad_message',
    ],
    [
      'an address of many',
      { method: 'POST', path: '/api/status/batch', headers: JSON_TYPE, body: `{"addresses":["${canary}"]}` },
      400,
      'bad_message',
    ],
    ['a method', { method: 'PUT', path: `/health?${canary}` }, 405, 'unsupported'],
  ])('gives nothing back of what was sent: %s', async (_name, request, status, code) => {
    const answer = await send(request);
    expectProblem(answer, status, code);
    expect(JSON.stringify([answer.headers, answer.text])).not.toContain(canary);
  });
});

it('none of all this was a failure of the relay: no line of an error in its log', () => {
  const lines = relay
    .log()
    .split('\n')
    .filter((line) => line !== '');
  const errors = lines.filter((line) => {
    const { level, job, reason = '' } = JSON.parse(line) as { level: number; job?: string; reason?: string };
    // A machine that has no time for Redis for some seconds: jobs say so, whatever was asked.
    const isStoreAway = job !== undefined && reason.startsWith('Storage is');
    return level >= 50 && !isStoreAway;
  });
  expect(errors.map((line) => line.slice(0, 300))).toEqual([]);
});
