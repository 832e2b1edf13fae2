import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { HTTP_LIMITS, RelayHttpAdapter } from '../../src/app/relay-http.adapter.js';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { call, exchange } from '../support/http-call.js';
import { startRelay } from '../support/relay.js';

/** The relay's own server, in a hurry: the same code, with limits that a test can wait for. */
const HURRY = {
  ...HTTP_LIMITS,
  headersTimeoutMs: 300,
  requestTimeoutMs: 600,
  checkEveryMs: 50,
  keepAliveMs: 300,
  idleTimeoutMs: 2_000,
};
const DRIP_EVERY_MS = 20;
const LARGE = Buffer.alloc(64 * 1024 * 1024, 'x');

let server: Server;
let port: number;

beforeAll(async () => {
  const adapter = new RelayHttpAdapter(null, HURRY);
  adapter.initHttpServer();
  const routes: RequestListener = (request, response) => {
    if (request.url === '/large') response.end(LARGE);
    else request.resume().on('end', () => response.end('ok'));
  };
  adapter.getInstance<{ use(handler: RequestListener): void }>().use(routes);
  server = adapter.getHttpServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

/** Sends these bytes one by one for as long as the other side takes them; what came back until it ended the connection. */
function drip(bytes: string, first = ''): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    let sent = 0;
    let drops: NodeJS.Timeout | undefined;
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(first);
      drops = setInterval(() => socket.write(bytes[sent++ % bytes.length]!), DRIP_EVERY_MS);
    });
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(drops);
      resolve(answer);
    });
  });
}

/** Only TCP; resolves when the other side has ended it. */
async function silent(socket: Socket): Promise<string> {
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  await once(socket, 'close');
  return answer;
}

const POST = 'POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';

describe('who is slow on purpose', () => {
  it('and never ends its headers, a byte at a time, is answered 408', async () => {
    expect(await drip('a: b\r\n', 'GET / HTTP/1.1\r\nhost: x\r\n')).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('and never ends its request line is answered 408', async () => {
    expect(await drip('x', 'GET /')).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('and never ends its body, a byte at a time, is answered 408', async () => {
    expect(await drip(' ', `${POST}content-length: 100000\r\n\r\n{`)).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('and never ends its chunks is answered 408', async () => {
    expect(await drip('1\r\n \r\n', `${POST}transfer-encoding: chunked\r\n\r\n`)).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('and says nothing at all is answered 408', async () => {
    expect(await silent(connect(port, '127.0.0.1'))).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('and stays on after its answer without another request is cut', async () => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
    expect((await silent(socket)).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200']);
  });

  it('and does not read its answer is cut, and what was kept for it is let go', async () => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /large HTTP/1.1\r\nhost: x\r\n\r\n'));
    socket.on('error', () => undefined);
    const [[theirs]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [
      [Socket],
      unknown,
    ];
    await once(theirs, 'close');
    expect(theirs.destroyed).toBe(true);
    socket.destroy();
  });
});

describe('who wants much of one connection', () => {
  it('is told to close it after the last of its requests, and gets no more', async () => {
    const { maxRequestsPerSocket } = HTTP_LIMITS;
    const answer = await exchange(port, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(maxRequestsPerSocket + 1));
    const statuses = answer.match(/HTTP\/1\.1 \d{3}/g) ?? [];
    expect(statuses.filter((status) => status === 'HTTP/1.1 200')).toHaveLength(maxRequestsPerSocket);
    expect(answer).toMatch(/connection: close/i);
  });
});

describe('a header that comes last', () => {
  // Node drops what comes after the first 2000, unless told otherwise; a proxy adds its own at the end.
  const filler = 'a:\r\n'.repeat(2_500);
  const from = 'x-forwarded-for: 10.0.0.1\r\n';

  it('is read behind 2500 others: nobody hides from the limits behind a proxy', async () => {
    const relay = await startRelay({ env: { TRUST_PROXY: '1', MAX_CONNECTIONS_PER_IP: '1' } });
    try {
      const headers = { 'x-forwarded-for': '10.0.0.1' };
      // Signed in: a stranger would give way to the next.
      const first = await ClassicClient.signIn(relay.wsUrl, addressOf(1), { headers });
      const upgrade =
        'GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n' +
        'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
      expect(await exchange(relay.port, `${upgrade}${filler}${from}\r\n`)).toMatch(/^HTTP\/1\.1 429 /);
      first.kill();
    } finally {
      await relay.stop();
    }
  });

  it('counts for the limit of requests too', async () => {
    const relay = await startRelay({ env: { TRUST_PROXY: '1', RATE_LIMIT_MAX_REQUESTS: '1' } });
    try {
      const path = `/api/status/${addressOf(1)}`;
      await call(relay.port, { path, headers: { 'x-forwarded-for': '10.0.0.1' } });
      const request = `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${filler}${from}\r\n`;
      expect(await exchange(relay.port, request)).toMatch(/^HTTP\/1\.1 429 /);
    } finally {
      await relay.stop();
    }
  });
});
