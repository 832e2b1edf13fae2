import { jest } from '@jest/globals';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { Logger, NestLogger } from '../../src/common/logger.js';
import { KeyRepository } from '../../src/keys/key.repository.js';
import { PresenceRepository } from '../../src/presence/presence.repository.js';
import { QueueRepository } from '../../src/queue/queue.repository.js';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { call, callJson, exchange, expectProblem } from '../support/http-call.js';
import { encodeRaw, OPCODE, RawWebSocket } from '../support/raw-web-socket.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

/** Planted wherever a client can put it. Letters and digits: nothing that escapes it on the way. */
const CANARY = 'canary7d01f3';
/** What a line of a log must never hand to a terminal or to who splits it: line ends and other control characters. */
const INJECTION = `${CANARY}\r\n{"level":60,"msg":"forged"}\n\u001b[2J\u001b]0;title\u0007\u009b31m\u2028`;
const ALICE = addressOf(1);
const BOB = addressOf(2);

let relay: RunningRelay;
let users = 100;

beforeAll(async () => {
  relay = await startRelay({ env: { LOG_LEVEL: 'trace', ALLOWED_ORIGINS: 'https://app.example' } });
});

afterAll(async () => relay.stop());

afterEach(() => {
  jest.restoreAllMocks();
  expectCleanLog();
});

function expectCleanLog(): void {
  const log = relay.log();
  expect(log.match(new RegExp(`.{0,200}(${CANARY}|forged).{0,50}`, 'gi'))).toBeNull();
  // eslint-disable-next-line no-control-regex
  expect(log.match(/.{0,200}[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/g)).toBeNull();
  // Nobody's address, and nothing that begins like a key or a signature.
  expect(log.match(/.{0,200}0x[0-9a-f]{40}.{0,50}/gi)).toBeNull();
  const lines = log.split('\n').slice(0, -1);
  expect(lines.filter((line) => !line.startsWith('{"level":') || !line.endsWith('}'))).toEqual([]);
  for (const line of lines) JSON.parse(line);
}

it('has something to look at: the log is written at its finest', () => {
  expect(relay.log()).toContain('"level":20');
});

describe('the log says nothing of what a frame holds', () => {
  const message = { type: 'message', to: BOB, messageId: 'm', content: 'x' };

  it.each<[string, unknown]>([
    ['the content of a message', { ...message, content: INJECTION }],
    ['the id of a message', { ...message, messageId: CANARY }],
    ['an id that is refused', { ...message, messageId: INJECTION }],
    ['content that is refused', { ...message, content: [INJECTION] }],
    ['a message that is not stored', { ...message, content: INJECTION, ephemeral: true, messageId: CANARY }],
    ['a recipient that is none', { ...message, to: INJECTION }],
    ['a signal', { type: 'signal', to: BOB, data: INJECTION }],
    ['a receipt', { type: 'read_receipt', to: BOB, messageId: CANARY }],
    ['a type that is unknown', { type: INJECTION }],
    ['a member that is unknown', { type: 'ping', [INJECTION]: INJECTION }],
    ['addresses that are none', { type: 'subscribe_presence', addresses: [INJECTION] }],
    ['an auth that comes too late', { type: 'auth', address: INJECTION }],
    ['a text', INJECTION],
  ])('%s', async (_name, frame) => {
    const client = await relay.signIn(addressOf(++users));
    client.send(frame);
    await client.settled();
    client.kill();
  });

  it.each([
    ['that is not JSON', INJECTION],
    ['that is cut off', `{"type":"message","content":"${CANARY}`],
    ['that JSON.parse would quote', `{"type":"ping"} ${CANARY}`],
  ])('a text %s', async (_name, text) => {
    const client = await relay.signIn(addressOf(++users));
    client.sendText(text);
    await client.settled();
    client.kill();
  });

  it('a message, its receipts and its recipient’s reading of it, all the way', async () => {
    const [sender, recipient] = [await relay.signIn(addressOf(++users)), await relay.signIn(addressOf(++users))];
    sender.message(recipient.address, CANARY, { content: INJECTION });
    await recipient.waitFor('message', { messageId: CANARY, content: INJECTION });
    await sender.waitFor('delivered', { messageId: CANARY });
    recipient.send({ type: 'read_receipt', to: sender.address, messageId: CANARY });
    await sender.waitFor('read', { messageId: CANARY });
    sender.kill();
    recipient.kill();
  });

  it.each([
    ['not JSON', INJECTION],
    ['not an auth', JSON.stringify({ type: CANARY })],
    ['no address', JSON.stringify({ type: 'auth', address: INJECTION, token: CANARY, signature: CANARY })],
    ['larger than a stranger may send', INJECTION.repeat(200)],
  ])('a first frame that is %s', async (_name, text) => {
    const client = await ClassicClient.connect(relay.wsUrl);
    client.sendText(text);
    await client.closed();
  });

  it('five bad messages and the close that follows', async () => {
    const client = await relay.signIn(addressOf(++users));
    for (let i = 0; i < 5; i++) client.sendText(INJECTION);
    expect(await client.closed()).toBe(4400);
  });

  const invalid = Buffer.concat([Buffer.from(CANARY), Buffer.from([0xff])]);
  it.each<[string, Buffer, number]>([
    ['binary', encodeRaw({ opcode: OPCODE.binary, payload: INJECTION }), 1003],
    ['invalid UTF-8', encodeRaw({ opcode: OPCODE.text, payload: invalid }), 1007],
    ['no mask', encodeRaw({ opcode: OPCODE.text, payload: INJECTION, masked: false }), 1002],
    ['reserved bits', encodeRaw({ opcode: OPCODE.text, payload: INJECTION, rsv: 7 }), 1002],
    [
      'a close with a reason',
      encodeRaw({ opcode: OPCODE.close, payload: Buffer.concat([Buffer.from([0x0f, 0xa0]), Buffer.from(INJECTION)]) }),
      4000,
    ],
    [
      'a close with an invalid reason',
      encodeRaw({ opcode: OPCODE.close, payload: Buffer.concat([Buffer.from([0x0f, 0xa0]), invalid]) }),
      1007,
    ],
    [
      'more than a frame may have',
      encodeRaw({ opcode: OPCODE.text, payload: INJECTION, claimedLength: 2n ** 32n }),
      1009,
    ],
  ])('bytes: %s', async (_name, bytes, code) => {
    const peer = await RawWebSocket.signIn(relay.port, addressOf(++users));
    peer.write(bytes);
    expect(await peer.closed()).toBe(code);
    peer.destroy();
  });

  it.each([
    ['ping', OPCODE.ping],
    ['pong', OPCODE.pong],
  ])('the payload of a %s', async (_name, opcode) => {
    const peer = await RawWebSocket.signIn(relay.port, addressOf(++users));
    peer.frame({ opcode, payload: INJECTION });
    peer.text('{"type":"ping"}');
    await peer.waitForText('"pong"');
    peer.destroy();
  });
});

describe('the log says nothing of what a request holds', () => {
  const json = { 'content-type': 'application/json' };
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
  const everywhere = {
    authorization: `Bearer ${CANARY}`,
    cookie: `session=${CANARY}`,
    'user-agent': `${CANARY}\u001b[31m`.replace('\u001b', ''),
    'x-forwarded-for': CANARY,
    referer: `https://${CANARY}/`,
    'x-request-id': CANARY,
    traceparent: CANARY,
  };

  it.each([
    [
      'a key',
      {
        method: 'POST',
        path: '/api/public-keys',
        headers: json,
        body: JSON.stringify({ address: ALICE, publicKey: INJECTION }),
      },
    ],
    [
      'a key that is refused',
      {
        method: 'POST',
        path: '/api/public-keys',
        headers: json,
        body: JSON.stringify({ address: INJECTION, publicKey: [INJECTION], signature: CANARY }),
      },
    ],
    ['JSON that is none', { method: 'POST', path: '/api/public-keys', headers: json, body: INJECTION }],
    [
      'JSON that is cut off',
      { method: 'POST', path: '/api/public-keys', headers: json, body: `{"publicKey":"${CANARY}` },
    ],
    [
      'members that are unknown',
      {
        method: 'POST',
        path: '/api/status/batch',
        headers: json,
        body: JSON.stringify({ [INJECTION]: CANARY, addresses: [INJECTION] }),
      },
    ],
    [
      'a body of another type',
      { method: 'POST', path: '/api/public-keys', headers: { 'content-type': `text/${CANARY}` }, body: CANARY },
    ],
    [
      'a charset',
      {
        method: 'POST',
        path: '/api/public-keys',
        headers: { 'content-type': `application/json; charset=${CANARY}` },
        body: '{}',
      },
    ],
    [
      'a coding',
      { method: 'POST', path: '/api/public-keys', headers: { ...json, 'content-encoding': CANARY }, body: '{}' },
    ],
    [
      'a broken coding',
      { method: 'POST', path: '/api/public-keys', headers: { ...json, 'content-encoding': 'gzip' }, body: CANARY },
    ],
    [
      'a body that is too large',
      { method: 'POST', path: '/api/public-keys', headers: json, body: CANARY.repeat(20_000) },
    ],
    [
      'a body that is deep',
      {
        method: 'POST',
        path: '/api/public-keys',
        headers: json,
        body: `{"address":"${CANARY}","publicKey":${'['.repeat(50_000)}"${CANARY}"${']'.repeat(50_000)}}`,
      },
    ],
    ['a path', { path: `/${CANARY}/%0d%0a%1b%5b31m` }],
    ['an address', { path: `/api/messages/${CANARY}%0a` }],
    ['a broken encoding', { path: `/api/messages/${CANARY}%` }],
    ['a query', { path: `/api/messages/${ALICE}?after=${CANARY}%0a&token=${CANARY}` }],
    ['headers', { path: '/health', headers: everywhere }],
    ['headers of a refusal', { method: 'PUT', path: `/health?${CANARY}`, headers: everywhere }],
    ['an origin', { method: 'DELETE', path: `/api/messages/${ALICE}`, headers: { origin: `https://${CANARY}` } }],
    [
      'an upgrade',
      {
        path: `/?token=${CANARY}`,
        headers: {
          ...everywhere,
          ...upgrade,
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          'sec-websocket-protocol': CANARY,
        },
      },
    ],
    ['an upgrade with a wrong key', { path: '/', headers: { ...upgrade, 'sec-websocket-key': CANARY } }],
    [
      'an upgrade from a wrong origin',
      { path: '/', headers: { ...upgrade, origin: CANARY, 'sec-websocket-key': CANARY } },
    ],
    ['an upgrade to another path', { path: `/${CANARY}`, headers: { ...upgrade, 'sec-websocket-key': CANARY } }],
    ['an upgrade to another protocol', { path: '/', headers: { ...upgrade, upgrade: CANARY } }],
  ])('%s', async (_name, request) => {
    const { text, headers } = await call(relay.port, request);
    expect(JSON.stringify([text, headers]).replace(/"sec-websocket-protocol":"[^"]*"/, '')).not.toContain(CANARY);
  });

  it.each([
    ['a request that is none', `${CANARY}\u001b[31m\r\n\r\n`],
    ['a header that is none', `GET / HTTP/1.1\r\nhost: x\r\n${CANARY}\r\n\r\n`],
    ['a method that is none', `${CANARY} / HTTP/1.1\r\nhost: x\r\n\r\n`],
    [
      'a chunk that is none',
      `POST /api/public-keys HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${CANARY}\r\n`,
    ],
  ])('%s', async (_name, bytes) => {
    expect(await exchange(relay.port, bytes)).not.toContain(CANARY);
  });
});

describe('the log says nothing of what a failure carries', () => {
  /** As a store’s client makes them: what it was asked to do hangs on the error. */
  function failure(): Error {
    const cause = new Error(`while storing ${CANARY}`);
    const command = { name: 'evalsha', args: [CANARY, INJECTION] };
    return Object.assign(new Error('the store failed', { cause }), { command, [CANARY]: CANARY, toJSON: () => CANARY });
  }

  type Work = () => Promise<void>;
  const get = <T>(port: abstract new (...args: never[]) => T): T => relay.app.get<T>(port, { strict: false });

  it.each<[string, () => jest.SpiedFunction<never>, Work]>([
    [
      'a message',
      () => jest.spyOn(get(QueueRepository), 'append') as never,
      async () => {
        const client = await relay.signIn(addressOf(++users));
        client.message(BOB, CANARY, { content: INJECTION });
        const error = await client.waitFor('error');
        expect(error).toMatchObject({
          code: 'internal',
          message: 'Failed to process message',
          messageId: CANARY,
          outcome: 'unknown',
        });
        client.kill();
      },
    ],
    [
      'a receipt',
      () => jest.spyOn(get(QueueRepository), 'markRead') as never,
      async () => {
        const client = await relay.signIn(addressOf(++users));
        client.send({ type: 'read_receipt', to: BOB, messageId: CANARY });
        expect(await client.waitFor('error')).toMatchObject({ code: 'internal' });
        await client.settled();
        client.kill();
      },
    ],
    [
      'a sign-in',
      () => jest.spyOn(get(QueueRepository), 'open') as never,
      async () => {
        const client = await ClassicClient.connect(relay.wsUrl);
        client.send({ type: 'auth', address: addressOf(++users) });
        expect(await client.closed()).toBe(1013);
        expect(client.ofType('error')).toMatchObject([{ code: 'store_unavailable' }]);
      },
    ],
    [
      'an acknowledgement',
      () => jest.spyOn(get(QueueRepository), 'acknowledge') as never,
      async () => {
        const client = await relay.signIn(addressOf(++users));
        client.message(client.address, 'to myself');
        await client.waitFor('message');
        await client.settled();
        await client.settled();
        client.kill();
      },
    ],
    [
      'a backlog',
      () => jest.spyOn(get(QueueRepository), 'read') as never,
      async () => {
        const address = addressOf(++users);
        const sender = await relay.signIn(addressOf(++users));
        sender.message(address, CANARY, { content: INJECTION });
        await sender.waitFor('queued');
        const client = await relay.signIn(address);
        await client.settled();
        sender.kill();
        client.kill();
      },
    ],
    [
      'a subscription',
      () => jest.spyOn(get(PresenceRepository), 'statuses') as never,
      async () => {
        const client = await relay.signIn(addressOf(++users));
        client.send({ type: 'subscribe_presence', addresses: [BOB] });
        expect(await client.waitFor('error')).toMatchObject({ code: 'internal' });
        client.kill();
      },
    ],
    [
      'an upload',
      () => jest.spyOn(get(KeyRepository), 'put') as never,
      async () =>
        expectProblem(
          await callJson(relay.port, 'POST', '/api/public-keys', { address: ALICE, publicKey: INJECTION }),
          500,
          'internal',
        ),
    ],
    [
      'a key',
      () => jest.spyOn(get(KeyRepository), 'get') as never,
      async () => expectProblem(await call(relay.port, { path: `/api/public-keys/${ALICE}` }), 500, 'internal'),
    ],
    [
      'a mailbox',
      () => jest.spyOn(get(QueueRepository), 'pending') as never,
      async () => expectProblem(await call(relay.port, { path: `/api/messages/${ALICE}` }), 500, 'internal'),
    ],
    [
      'a mailbox that is emptied',
      () => jest.spyOn(get(QueueRepository), 'clear') as never,
      async () =>
        expectProblem(await call(relay.port, { method: 'DELETE', path: `/api/messages/${ALICE}` }), 500, 'internal'),
    ],
  ])('%s, and the relay goes on', async (_name, spy, work) => {
    const before = relay.log().length;
    const mock = spy() as unknown as jest.SpiedFunction<() => Promise<unknown>>;
    mock.mockImplementation(() => Promise.reject(failure()));
    await work();
    expect(mock).toHaveBeenCalled();
    const written = relay.log().slice(before);
    // An operator must hear of it, and of what kind it was.
    expect(written).toMatch(/"level":[45]0/);
    expect(written).toContain('the store failed');
    mock.mockRestore();
    const { status } = await call(relay.port, { path: '/health/ready' });
    expect(status).toBe(200);
  });
});

describe('a line for people', () => {
  /** As it is written where NODE_ENV is not production. */
  async function written(write: (logger: Logger) => void): Promise<string> {
    const destination = new PassThrough();
    const logger = Logger.create({ level: 'trace', json: false, destination });
    write(logger);
    const [chunk] = (await once(destination, 'data')) as [Buffer];
    return chunk.toString();
  }

  const hostile = 'one\r\ntwo\n\u001b[31mred\u001b]0;title\u0007\u009b2J\u2028\u0000';
  // eslint-disable-next-line no-control-regex
  const control = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/;

  it.each<[string, (logger: Logger) => void]>([
    ['a field', (logger) => logger.warn('text', { reason: hostile })],
    ['an error', (logger) => logger.error('text', new Error(hostile))],
    [
      'an error whose text looks like a stack',
      (logger) => logger.error('text', new Error(`text\n    at ${hostile.replaceAll('\n', ' ')}`)),
    ],
    [
      'an error of a strange name',
      (logger) => logger.error('text', Object.assign(new Error('text'), { name: hostile })),
    ],
    ['a library’s text', (logger) => new NestLogger(logger).warn(hostile, hostile)],
    ['a library’s error', (logger) => new NestLogger(logger).error(new Error(hostile), hostile, hostile)],
  ])('holds no line end and no terminal sequence of %s', async (_name, write) => {
    const text = await written(write);
    expect(text.replaceAll('\n', '')).not.toMatch(control);
    expect(text).not.toMatch(/^(two|red)/m);
  });

  it('is no longer for a text that is', async () => {
    const text = await written((logger) => logger.warn('text', { reason: 'x'.repeat(1_000_000) }));
    expect(text.length).toBeLessThan(1000);
    const error = await written((logger) =>
      logger.error('text', new Error(`${'x'.repeat(500_000)}\n    at ${'y'.repeat(500_000)}`)),
    );
    expect(error.length).toBeLessThan(10_000);
  });
});
