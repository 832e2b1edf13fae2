import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Tracing } from '../../src/common/tracing.js';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { call } from '../support/http-call.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

declare const STORAGE: 'memory' | 'redis';

const ALICE = addressOf(1);
const BOB = addressOf(2);
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

interface Span {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
}

interface Body {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Span['attributes'] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

/** What takes OTLP over HTTP, as a collector does. */
class Receiver {
  readonly bodies: string[] = [];
  readonly paths = new Set<string | undefined>();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server);
    server.on('request', (request, response) => {
      receiver.paths.add(request.url);
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        receiver.bodies.push(Buffer.concat(chunks).toString());
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get spans(): Span[] {
    const parsed = this.bodies.map((body) => JSON.parse(body) as Body);
    return parsed
      .flatMap(({ resourceSpans }) => resourceSpans)
      .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

const fieldsOf = ({ attributes }: Span): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

describe('traces', () => {
  let receiver: Receiver;
  let relay: RunningRelay;

  beforeEach(async () => {
    receiver = await Receiver.start();
    relay = await startRelay({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url } });
  });

  afterEach(() => receiver.close());

  it('come to a receiver with the requests, the sign-ins and the calls of the store, and what is left comes when the relay stops', async () => {
    const traceparent = `00-${TRACE}-${PARENT}-01`;
    await call(relay.port, { path: `/api/messages/${ALICE}/queue-size`, headers: { traceparent } });
    await call(relay.port, { path: `/no/${BOB}` });
    const alice = await relay.signIn(ALICE);
    alice.message(BOB, 'an-id-of-a-client', { content: 'a-content' });
    await alice.waitFor('queued');
    const stranger = await ClassicClient.connect(relay.wsUrl);
    stranger.send({ type: 'auth', address: 'nobody' });
    await stranger.closed();
    await relay.stop();

    expect([...receiver.paths]).toEqual(['/v1/traces']);
    const spans = receiver.spans;
    const byName = (name: string) => spans.filter((span) => span.name === name);
    const [request] = byName('GET /api/messages/:address/queue-size');
    expect(request).toMatchObject({ kind: 2, traceId: TRACE, parentSpanId: PARENT });
    expect(fieldsOf(request!)).toMatchObject({
      'http.request.method': 'GET',
      'http.route': '/api/messages/:address/queue-size',
      'http.response.status_code': 200,
      'relay.request_id': expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      'relay.answered': true,
    });
    expect(BigInt(request!.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(request!.startTimeUnixNano));
    const [unknown] = byName('GET (none)');
    expect(fieldsOf(unknown!)).toMatchObject({ 'http.response.status_code': 404 });
    expect(unknown!.traceId).not.toBe(TRACE);
    expect(byName('sign in').map((span) => fieldsOf(span)['relay.outcome'])).toContain('believed');
    const calls = spans.filter(({ name }) => name.startsWith('redis '));
    expect(calls.length > 0).toBe(STORAGE === 'redis');
    for (const span of calls) expect(fieldsOf(span)['relay.outcome']).toBe('ok');
  });

  it('hold no address, no id of a client and no content', async () => {
    const alice = await relay.signIn(ALICE);
    alice.message(BOB, 'canary-of-an-id', { content: 'canary-of-a-content' });
    await alice.waitFor('queued');
    const headers = { authorization: 'Bearer canary-of-a-token', traceparent: 'canary', 'user-agent': 'canary' };
    await call(relay.port, { path: `/api/messages/${ALICE}?after=canary`, headers });
    await call(relay.port, { path: `/canary/${ALICE}`, headers });
    await relay.stop();
    expect(receiver.spans.length).toBeGreaterThanOrEqual(3);
    expect(receiver.bodies.join()).not.toMatch(/canary|0x[0-9a-f]{6}/i);
  });

  it('that nobody takes keep nobody: the relay works and stops', async () => {
    receiver.close();
    const alice = await relay.signIn(ALICE);
    alice.message(BOB, 'm1');
    await alice.waitFor('queued');
    await relay.stop();
  });
});

it('are not made where nobody asked for them', async () => {
  const relay = await startRelay();
  expect(relay.app.get(Tracing).isOn).toBe(false);
  await relay.stop();
});
