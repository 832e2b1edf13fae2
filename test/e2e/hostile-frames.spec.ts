import { jest } from '@jest/globals';
import { CLIENT_FRAME_TYPES, type ClientFrame, ERRORS, LIMITS } from '@relay/protocol';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { QueueRepository } from '../../src/queue/queue.repository.js';
import { addressOf, ClassicClient, type Frame } from '../support/classic-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { named } from '../support/named.js';
import { encodeRaw, type FrameShape, OPCODE, RawWebSocket } from '../support/raw-web-socket.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

const MAX_FRAME_BYTES = 131_072;
const KNOWN = addressOf(7);
const { text, binary, close, ping, continuation } = OPCODE;

let relay: RunningRelay;
let clock: ManualClock;
let bystander: ClassicClient;
let users = 1000;

beforeAll(async () => {
  clock = new ManualClock();
  relay = await startRelay({
    clock,
    env: { MAX_CONNECTIONS_PER_IP: '100000', MAX_FRAME_BYTES: String(MAX_FRAME_BYTES) },
  });
  bystander = await relay.signIn(addressOf(1));
});

afterAll(async () => relay.stop());

/** Nobody else's business: each case has a connection and an address of its own, and those beside it go on. */
afterEach(async () => {
  const messageId = `after-${++users}`;
  bystander.message(bystander.address, messageId);
  await bystander.waitFor('message', { messageId });
});

const newUser = (): Promise<ClassicClient> => relay.signIn(addressOf(++users));

async function withUser(work: (client: ClassicClient) => Promise<void>): Promise<void> {
  const client = await newUser();
  try {
    await work(client);
  } finally {
    client.kill();
  }
}

/** What the relay sends in return for this text, which must leave the connection open. */
async function answersTo(client: ClassicClient, frame: string): Promise<Frame[]> {
  const before = client.frames.length;
  client.sendText(frame);
  await client.settled();
  return client.frames.slice(before, -1);
}

const badMessage = { type: 'error', code: 'bad_message', message: 'Invalid message format', retryable: false };

async function expectBadMessage(frame: string): Promise<void> {
  await withUser(async (client) => {
    expect(await answersTo(client, frame)).toEqual([badMessage]);
  });
}

describe.each([
  ['before sign-in', () => RawWebSocket.open(relay.port)],
  ['after sign-in', () => RawWebSocket.signIn(relay.port, addressOf(++users))],
])('a WebSocket peer %s that breaks RFC 6455', (_when, connect) => {
  const bytes = (...values: number[]): Buffer => Buffer.from(values);
  const closeWith = (code: number): FrameShape => ({ opcode: close, payload: bytes(code >> 8, code & 0xff) });

  const protocolErrors: [string, FrameShape[]][] = [
    ['a frame without a mask', [{ opcode: text, payload: '{}', masked: false }]],
    ['an empty frame without a mask', [{ opcode: text, masked: false }]],
    ['a ping without a mask', [{ opcode: ping, masked: false }]],
    ...[1, 2, 4, 7].map((rsv): [string, FrameShape[]] => [
      `reserved bits ${rsv}`,
      [{ opcode: text, payload: '{}', rsv }],
    ]),
    ['reserved bits on a ping', [{ opcode: ping, rsv: 4 }]],
    ...[0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf].map((opcode): [string, FrameShape[]] => [
      `the reserved opcode ${opcode}`,
      [{ opcode }],
    ]),
    ['a continuation of nothing', [{ opcode: continuation, payload: '{}' }]],
    [
      'a continuation after the last fragment',
      [
        { opcode: text, payload: '{', fin: false },
        { opcode: continuation, payload: '}' },
        { opcode: continuation, payload: '}' },
      ].slice(0, 3),
    ],
    [
      'a text inside a fragmented text',
      [
        { opcode: text, payload: '{', fin: false },
        { opcode: text, payload: '}' },
      ],
    ],
    [
      'a binary inside a fragmented text',
      [
        { opcode: text, payload: '{', fin: false },
        { opcode: binary, payload: '}' },
      ],
    ],
    ['a fragmented ping', [{ opcode: ping, fin: false }]],
    ['a fragmented pong', [{ opcode: OPCODE.pong, fin: false }]],
    ['a fragmented close', [{ opcode: close, fin: false }]],
    ['a ping of 126 bytes', [{ opcode: ping, payload: Buffer.alloc(126) }]],
    ['a ping that claims 2^32 bytes', [{ opcode: ping, claimedLength: 2n ** 32n }]],
    ['a close of 126 bytes', [{ opcode: close, payload: Buffer.alloc(126) }]],
    ['a close of one byte', [{ opcode: close, payload: bytes(3) }]],
    ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map((code): [string, FrameShape[]] => [
      `the close code ${code}`,
      [closeWith(code)],
    ]),
  ];

  // Where the first message would be refused for itself, only what comes before it can be looked at.
  const cases = protocolErrors.filter(
    ([name]) => name !== 'a continuation after the last fragment' || _when === 'after sign-in',
  );

  it.each(cases)('is closed with 1002 for %s', async (_name, frames) => {
    const peer = await connect();
    peer.write(Buffer.concat(frames.map(encodeRaw)));
    expect(await peer.closed()).toBe(1002);
    peer.destroy();
  });

  it.each<[string, FrameShape[]]>([
    ['a lone continuation byte', [{ opcode: text, payload: bytes(0x80) }]],
    ['an overlong slash', [{ opcode: text, payload: bytes(0xc0, 0xaf) }]],
    ['an overlong NUL', [{ opcode: text, payload: bytes(0xc0, 0x80) }]],
    ['a surrogate', [{ opcode: text, payload: bytes(0xed, 0xa0, 0x80) }]],
    ['a code point beyond U+10FFFF', [{ opcode: text, payload: bytes(0xf4, 0x90, 0x80, 0x80) }]],
    ['a truncated sequence', [{ opcode: text, payload: bytes(0xe2, 0x82) }]],
    [
      '0xFF within JSON',
      [{ opcode: text, payload: Buffer.concat([Buffer.from('{"type":"'), bytes(0xff), Buffer.from('"}')]) }],
    ],
    [
      'a sequence that its second fragment breaks',
      [
        { opcode: text, payload: bytes(0x22, 0xe2, 0x82), fin: false },
        { opcode: continuation, payload: bytes(0x22) },
      ],
    ],
    ['a close reason', [{ opcode: close, payload: bytes(0x03, 0xe8, 0xff) }]],
  ])('is closed with 1007 for invalid UTF-8: %s', async (_name, frames) => {
    const peer = await connect();
    peer.write(Buffer.concat(frames.map(encodeRaw)));
    expect(await peer.closed()).toBe(1007);
    peer.destroy();
  });

  it.each<[string, FrameShape[]]>([
    ['bytes', [{ opcode: binary, payload: bytes(1, 2, 3) }]],
    ['JSON in a binary frame', [{ opcode: binary, payload: JSON.stringify({ type: 'auth', address: KNOWN }) }]],
    ['nothing', [{ opcode: binary }]],
    [
      'fragments',
      [
        { opcode: binary, payload: '{', fin: false },
        { opcode: continuation, payload: '}' },
      ],
    ],
  ])('is closed with 1003 for a binary message: %s', async (_name, frames) => {
    const peer = await connect();
    peer.write(Buffer.concat(frames.map(encodeRaw)));
    expect(await peer.closed()).toBe(1003);
    peer.destroy();
  });

  it.each([
    ['one byte more than MAX_FRAME_BYTES', BigInt(MAX_FRAME_BYTES + 1)],
    ['4 GiB', 2n ** 32n],
    ['2^53 bytes', 2n ** 53n],
    ['2^63 bytes', 2n ** 63n],
    ['2^64 - 1 bytes', 2n ** 64n - 1n],
  ])('is closed with 1009 at the header of a frame that claims %s', async (_name, claimedLength) => {
    const peer = await connect();
    peer.frame({ opcode: text, claimedLength });
    expect(await peer.closed()).toBe(1009);
    peer.destroy();
  });

  it('is closed with 1009 at the fragment that exceeds MAX_FRAME_BYTES', async () => {
    const peer = await connect();
    peer.frame({ opcode: text, payload: 'x'.repeat(MAX_FRAME_BYTES), fin: false });
    peer.frame({ opcode: continuation, payload: 'x', fin: false });
    expect(await peer.closed()).toBe(1009);
    peer.destroy();
  });

  it('is closed with 1008 for a flood of fragments', async () => {
    const peer = await connect();
    const fragments = Array.from({ length: 200 }, () => encodeRaw({ opcode: continuation, payload: ' ', fin: false }));
    peer.write(Buffer.concat([encodeRaw({ opcode: text, payload: '{', fin: false }), ...fragments]));
    expect(await peer.closed()).toBe(1008);
    peer.destroy();
  });

  it('is closed with 1008 for a flood of empty fragments', async () => {
    const peer = await connect();
    const fragments = Array.from({ length: 200 }, () => encodeRaw({ opcode: continuation, fin: false }));
    peer.write(Buffer.concat([encodeRaw({ opcode: text, fin: false }), ...fragments]));
    expect(await peer.closed()).toBe(1008);
    peer.destroy();
  });

  it('is closed with 1008 for a frame in thousands of TCP segments', async () => {
    const peer = await connect();
    const frame = encodeRaw({ opcode: text, payload: JSON.stringify({ type: 'ping', x: 'x'.repeat(3900) }) });
    for (const byte of frame) {
      if (peer.frames.some(({ opcode }) => opcode === close)) break;
      peer.write(Buffer.from([byte]));
      await nextTurn();
    }
    expect(await peer.closed()).toBe(1008);
    peer.destroy();
  });

  it('is closed with 4429 for a flood of pings', async () => {
    const peer = await connect();
    const pings = Array.from({ length: LIMITS.chatterPerSecond }, () => encodeRaw({ opcode: ping }));
    peer.write(Buffer.concat(pings));
    await peer.until(() => peer.hasEnded || peer.ofOpcode(OPCODE.pong).length === pings.length, 'pongs');
    expect(peer.ofOpcode(OPCODE.pong)).toHaveLength(pings.length);
    expect(peer.ofOpcode(close)).toEqual([]);
    peer.frame({ opcode: ping });
    expect(await peer.closed()).toBe(4429);
    peer.destroy();
  });

  it('is closed with 4429 for a flood of pings inside of a message', async () => {
    const peer = await connect();
    const pings = Array.from({ length: LIMITS.chatterPerSecond + 1 }, () =>
      encodeRaw({ opcode: ping, payload: 'x'.repeat(125) }),
    );
    peer.write(Buffer.concat([encodeRaw({ opcode: text, payload: '{', fin: false }), ...pings]));
    expect(await peer.closed()).toBe(4429);
    peer.destroy();
  });
});

describe('a stranger', () => {
  const auth = (more: string) => `{"type":"auth","address":"${addressOf(++users)}"${more}}`;
  const authOf = (size: number): string => auth(`,"x":"${'x'.repeat(size - auth(',"x":""').length)}"`);

  it('may sign in with a frame of 4096 bytes', async () => {
    const client = await ClassicClient.connect(relay.wsUrl);
    client.sendText(authOf(LIMITS.frameBytesBeforeSignIn));
    await client.waitFor('auth_success');
    client.kill();
  });

  it('is closed with 1009 for a frame of 4097 bytes', async () => {
    const client = await ClassicClient.connect(relay.wsUrl);
    client.sendText(authOf(LIMITS.frameBytesBeforeSignIn + 1));
    expect(await client.closed()).toBe(1009);
    expect(client.frames).toEqual([]);
  });

  it('is closed with 1009 for 4097 bytes whose characters are fewer', async () => {
    const client = await ClassicClient.connect(relay.wsUrl);
    client.sendText(auth(`,"x":"${'€'.repeat(1400)}"`));
    expect(await client.closed()).toBe(1009);
  });

  it('is closed with 1009 before the relay has buffered more than 4096 bytes of one frame', async () => {
    const peer = await RawWebSocket.open(relay.port);
    peer.write(
      encodeRaw({ opcode: text, payload: 'x'.repeat(MAX_FRAME_BYTES) }).subarray(0, 2 * LIMITS.frameBytesBeforeSignIn),
    );
    expect(await peer.closed()).toBe(1009);
    peer.destroy();
  });

  it('is closed with 1009 before the relay has buffered more than 4096 bytes of fragments', async () => {
    const peer = await RawWebSocket.open(relay.port);
    peer.frame({ opcode: text, payload: 'x'.repeat(LIMITS.frameBytesBeforeSignIn), fin: false });
    peer.frame({ opcode: continuation, payload: 'x', fin: false });
    peer.frame({ opcode: ping });
    await peer.until(() => peer.frames.some(({ opcode }) => opcode === close || opcode === OPCODE.pong), 'close');
    expect(peer.frames.map(({ opcode }) => opcode)).toEqual([close]);
    peer.destroy();
  });

  const { message: authRequired } = { message: ERRORS.auth_required.text };
  it.each([
    ['an empty text', ''],
    ['not JSON', 'hello'],
    ['null', 'null'],
    ['a list', `[{"type":"auth","address":"${KNOWN}"}]`],
    ['no type', `{"address":"${KNOWN}"}`],
    ['auth as a list', `{"type":["auth"],"address":"${KNOWN}"}`],
    ['auth in capitals', `{"type":"AUTH","address":"${KNOWN}"}`],
    ['auth behind __proto__', `{"__proto__":{"type":"auth","address":"${KNOWN}"}}`],
    ['an unknown type', '{"type":"nonsense"}'],
    ['an answer of the relay', `{"type":"auth_success","address":"${KNOWN}"}`],
    ['deep nesting', '['.repeat(2000) + ']'.repeat(2000)],
    ['an auth that a second type overrides', `{"type":"auth","address":"${KNOWN}","type":"ping"}`],
    ...CLIENT_FRAME_TYPES.filter((type) => type !== 'auth' && type !== 'hello').map((type): [string, string] => [
      `a ${type}`,
      validFrame(type),
    ]),
  ])('is told "Authentication required" and closed with 4401 where its first frame is %s', async (_name, frame) => {
    const client = await ClassicClient.connect(relay.wsUrl);
    client.sendText(frame);
    expect(await client.closed()).toBe(4401);
    expect(client.frames).toEqual([{ type: 'error', code: 'auth_required', message: authRequired, retryable: false }]);
    expect(authRequired).toBe('Authentication required');
  });

  it.each(wrongAddresses().filter(([, json]) => json.length < 4000))(
    'is closed with 4401 for auth with %s',
    async (_name, json) => {
      const client = await ClassicClient.connect(relay.wsUrl);
      client.sendText(`{"type":"auth","address":${json}}`);
      expect(await client.closed()).toBe(4401);
      expect(client.frames.map(({ type, code }) => [type, code])).toEqual([['error', 'auth_failed']]);
    },
  );

  it('gets no answer to anything after the frame that closed its connection', async () => {
    const peer = await RawWebSocket.open(relay.port);
    const frames = ['{"type":"ping"}', `{"type":"auth","address":"${KNOWN}"}`, '{"type":"ping"}'];
    peer.write(Buffer.concat(frames.map((payload) => encodeRaw({ opcode: text, payload }))));
    expect(await peer.closed()).toBe(4401);
    expect(peer.frames.map(({ opcode }) => opcode)).toEqual([text, close]);
    peer.destroy();
  });

  it('that says nothing for 5 s is closed with 4408, and not before', async () => {
    const silent = await ClassicClient.connect(relay.wsUrl);
    clock.advance(LIMITS.authTimeoutMs - 1000);
    await relay.run('watch connections');
    expect(silent.socket.readyState).toBe(silent.socket.OPEN);
    clock.advance(1000);
    await relay.run('watch connections');
    expect(await silent.closed()).toBe(4408);
    expect(silent.frames).toEqual([]);
  });

  it('gains no time by pings, pongs or fragments', async () => {
    const peer = await RawWebSocket.open(relay.port);
    clock.advance(LIMITS.authTimeoutMs - 1000);
    peer.write(
      Buffer.concat([
        encodeRaw({ opcode: OPCODE.pong }),
        encodeRaw({ opcode: text, payload: '{', fin: false }),
        encodeRaw({ opcode: ping }),
      ]),
    );
    await peer.until(() => peer.frames.length === 1, 'pong');
    clock.advance(1000);
    await relay.run('watch connections');
    expect(await peer.closed()).toBe(4408);
    peer.destroy();
  });

  it('may send its frames with the upgrade request, in one segment', async () => {
    const frames = [{ type: 'auth', address: addressOf(++users) }, { type: 'ping' }];
    const afterRequest = Buffer.concat(
      frames.map((frame) => encodeRaw({ opcode: text, payload: JSON.stringify(frame) })),
    );
    const peer = await RawWebSocket.open(relay.port, { afterRequest });
    await peer.waitForText('"pong"');
    expect(peer.frames[0]?.payload.toString()).toContain('"auth_success"');
    peer.destroy();
  });
});

describe('a text that is not a frame', () => {
  it.each([
    ['nothing', ''],
    ['a space', ' '],
    ['a byte order mark', '\ufeff{"type":"ping"}'],
    ['plain text', 'hello'],
    ['an unfinished object', '{"type":"ping"'],
    ['two frames in one', '{"type":"ping"}{"type":"ping"}'],
    ['single quotes', "{'type':'ping'}"],
    ['a trailing comma', '{"type":"ping",}'],
    ['a comment', '{"type":"ping"/**/}'],
    ['NaN', '{"type":"ping","x":NaN}'],
    ['undefined', '{"type":undefined}'],
    ['a raw control character', '{"type":"pi\u0001ng"}'],
    ['a raw NUL at the end', '{"type":"ping"}\0'],
    ['a bad escape', '{"type":"\\x70ing"}'],
    ['100 000 levels that never close', `{"type":"ping","x":${'['.repeat(100_000)}`],
    ['100 000 objects that never close', '{"":'.repeat(32_000)],
  ])('is a bad message: %s', (_name, frame) => expectBadMessage(frame));

  it.each([
    'null',
    'true',
    '0',
    '1e400',
    '"ping"',
    '[]',
    '["ping"]',
    '[{"type":"ping"}]',
    '[[[[]]]]',
    '{}',
    '{"":"ping"}',
  ])('is a bad message: %s', (frame) => expectBadMessage(frame));

  it.each(['null', 'true', '1', '[]', '["ping"]', '{}', '{"toString":"ping"}', '{"length":4}'])(
    'is a bad message: the type %s',
    (type) => expectBadMessage(`{"type":${type}}`),
  );

  it.each(['null', 'true', '1', '["ping"]', '{}', undefined])(
    'has its messageId echoed where its type is %s',
    async (type) => {
      await withUser(async (client) => {
        const answers = await answersTo(client, `{${type === undefined ? '' : `"type":${type},`}"messageId":"m"}`);
        expect(answers).toEqual([{ ...badMessage, messageId: 'm', outcome: 'refused' }]);
      });
    },
  );
});

describe('a frame of odd shape', () => {
  const levels = (count: number): string => '['.repeat(count) + ']'.repeat(count);
  const objects = (count: number): string => `${'{"a":'.repeat(count)}0${'}'.repeat(count)}`;

  it.each([
    ['65 000 levels in a field that nobody reads', `{"type":"ping","x":${levels(65_000)}}`],
    ['20 000 objects in a field that nobody reads', `{"type":"ping","x":${objects(20_000)}}`],
    ['12 000 keys', `{${Array.from({ length: 12_000 }, (_, i) => `"k${i}":0`).join()},"type":"ping"}`],
    ['8 000 numeric keys', `{${Array.from({ length: 8_000 }, (_, i) => `"${i * 99_999}":0`).join()},"type":"ping"}`],
    ['12 000 times the same key', `{${'"k":0,'.repeat(12_000)}"type":"ping"}`],
    ['__proto__ as a key', '{"__proto__":{"type":"message"},"type":"ping"}'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":null,"type":"ping"}'],
    ['constructor as a key', '{"constructor":{"prototype":{"x":1}},"type":"ping"}'],
    ['toString, valueOf, toJSON and then as keys', '{"toString":1,"valueOf":1,"toJSON":1,"then":1,"type":"ping"}'],
    ['an escaped type', '{"\\u0074ype":"\\u0070ing"}'],
    ['white space all around', ' \r\n\t{ "type" : "ping" } \n'],
    ['a lone surrogate in a key', '{"\\ud800":1,"type":"ping"}'],
    ['duplicates, of which the last counts', '{"type":"nonsense","type":"ping"}'],
  ])('is read as far as its known fields go: %s', async (_name, frame) => {
    await withUser(async (client) => {
      expect((await answersTo(client, frame)).map(({ type }) => type)).toEqual(['pong']);
    });
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it.each([
    ['as content', `"content":${levels(60_000)},"messageId":"deep"`, 'deep'],
    ['as messageId', `"content":"x","messageId":${levels(60_000)}`, undefined],
    ['as timestamp', `"content":"x","messageId":"deep","timestamp":${objects(20_000)}`, 'deep'],
  ])('is a bad message with deep nesting %s', async (_name, fields, messageId) => {
    await withUser(async (client) => {
      const [error, ...more] = await answersTo(client, `{"type":"message","to":"${KNOWN}",${fields}}`);
      expect([error?.code, error?.messageId, more]).toEqual(['bad_message', messageId, []]);
    });
  });

  it('is read with a million levels where frames may be that large', async () => {
    const roomy = await startRelay({ env: { MAX_FRAME_BYTES: '4194304' } });
    try {
      const client = await roomy.signIn(addressOf(1));
      expect((await answersTo(client, `{"type":"ping","x":${levels(1_000_000)}}`)).map(({ type }) => type)).toEqual([
        'pong',
      ]);
      const [error] = await answersTo(client, `{"type":${levels(1_000_000)}}`);
      expect(error?.code).toBe('bad_message');
      client.kill();
    } finally {
      await roomy.stop();
    }
  });

  it.each([
    ['of one level', (key: number) => `"k${key}":0`],
    ['that are numbers, far apart', (key: number) => `"${key * 42_949}":0`],
    ['that collide with those of every object', (key: number) => `"__proto__":${key},"constructor":0`],
  ])('is read with 100 000 keys where frames may be that large: %s', async (_name, member) => {
    const roomy = await startRelay({ env: { MAX_FRAME_BYTES: '8388608' } });
    try {
      const client = await roomy.signIn(addressOf(1));
      const members = Array.from({ length: 100_000 }, (_, key) => member(key)).join();
      expect((await answersTo(client, `{${members},"type":"ping"}`)).map(({ type }) => type)).toEqual(['pong']);
      const [error] = await answersTo(client, `{"type":"message",${members}}`);
      expect(error?.code).toBe('bad_message');
      client.kill();
    } finally {
      await roomy.stop();
    }
  });

  it.each(
    named([
      '__proto__',
      'constructor',
      'prototype',
      'toString',
      'hasOwnProperty',
      'valueOf',
      'get',
      'ping ',
      'PING',
      '',
      'pong',
      'auth_success',
      'pіng',
      'x'.repeat(100_000),
    ]),
  )('is answered `unsupported` for the type %s, and the connection stays', async (_name, type) => {
    await withUser(async (client) => {
      const answers = await answersTo(client, JSON.stringify({ type, messageId: 'm' }));
      const message = ERRORS.unsupported.text;
      expect(answers).toEqual([
        { type: 'error', code: 'unsupported', message, messageId: 'm', outcome: 'refused', retryable: false },
      ]);
    });
  });

  it.each([
    ['the last `to` is where it goes', `"to":"0x1","to":"${KNOWN}","content":"x","messageId":"m"`, 'queued', 'm'],
    ['the last messageId counts', `"to":"${KNOWN}","content":"x","messageId":"","messageId":"m"`, 'queued', 'm'],
    [
      'a last messageId that is wrong',
      `"to":"${KNOWN}","content":"x","messageId":"m","messageId":""`,
      'error',
      undefined,
    ],
    ['a last content that is wrong', `"to":"${KNOWN}","content":"x","messageId":"m","content":null`, 'error', 'm'],
  ])('has one meaning where keys come twice: %s', async (_name, fields, type, messageId) => {
    await withUser(async (client) => {
      client.sendText(`{"type":"message",${fields}}`);
      await client.until(() => client.frames.length > 1, 'an answer');
      await client.settled();
      expect(client.frames.slice(1, -1).map((answer) => [answer.type, answer.messageId])).toEqual([[type, messageId]]);
    });
  });
});

/** JSON texts, which are their own names. */
interface Field {
  readonly valid: string;
  readonly optional?: true;
  readonly wrong: readonly string[];
  readonly tooLarge?: readonly string[];
}

function wrongAddresses(): [string, string][] {
  const digits = KNOWN.slice(2);
  const texts: Record<string, unknown> = {
    'an empty text': '',
    'no 0x': digits,
    '39 digits': `0x${digits.slice(1)}`,
    '41 digits': `${KNOWN}0`,
    'an X': `0X${digits}`,
    'a space before': ` ${KNOWN}`,
    'a space after': `${KNOWN} `,
    'a line feed after': `${KNOWN}\n`,
    'a NUL after': `${KNOWN}\0`,
    'a NUL for a digit': `0x\0${digits.slice(1)}`,
    'a g for a digit': `0xg${digits.slice(1)}`,
    'full-width digits': `0x${'０１２３４５６７８９'.repeat(4)}`,
    'a full-width x': `0ｘ${digits}`,
    'Arabic digits': `0x${'٠'.repeat(40)}`,
    'a Cyrillic а': `0xа${digits.slice(1)}`,
    'a zero-width space': `0x\u200b${digits}`,
    'an ſ, that upper case turns into S': `0xſ${digits.slice(1)}`,
    'a lone surrogate': `0x\ud800${digits.slice(1)}`,
    'the zero address': `0x${'0'.repeat(40)}`,
    'a hash tag': `{${KNOWN}}`,
    'a pattern': `0x${'*'.repeat(40)}`,
    'two lines': `${KNOWN}\n${KNOWN}`,
    '100 000 digits': `0x${'a'.repeat(100_000)}`,
    'a list of one': [KNOWN],
    'a list in a list': [[KNOWN]],
    'an object with toString': { toString: KNOWN },
    'an object like a text': { 0: '0', 1: 'x', length: 42 },
    null: null,
    true: true,
    'a number': 0x7,
    __proto__text: '__proto__',
    'a large number': 1e300,
  };
  return Object.entries(texts).map(([name, value]) => [name, JSON.stringify(value)]);
}

function fields(): Readonly<Record<ClientFrame['type'], Readonly<Record<string, Field>>>> {
  const notATexts = ['null', 'true', '0', '1', '-1.5', '[]', '["x"]', '{}', '{"toString":"x"}', '{"length":1}'];
  const address = {
    valid: JSON.stringify(KNOWN),
    wrong: wrongAddresses()
      .map(([, json]) => json)
      .filter((json) => json.length < 4000),
  };
  const content = { valid: '"some content"', wrong: [...notATexts, '""'] };
  const messageId = {
    valid: '"m-1"',
    wrong: [
      ...notATexts,
      '""',
      JSON.stringify('x'.repeat(LIMITS.messageIdLength + 1)),
      JSON.stringify('x'.repeat(100_000)),
      '"é"',
      '"\\u0000"',
      '"m\\n"',
      '"\\n"',
      '"\\r"',
      '"\\t"',
      '"\\u007f"',
      '"\\u0080"',
      '"\\u001b[31m"',
      '"😀"',
      '"\\ud800"',
      '"\\u202e"',
      '"ｍ"',
    ],
  };
  const notACount = ['null', 'true', '"0"', '"1700000000000"', '""', '[]', '[1]', '{}', '-1', '1.5', '0.1', '-0.5'];
  const beyond = ['9007199254740992', '9007199254740993', '1e16', '1e308', '1e400', '-9007199254740993', '1e9999999'];
  const timestamp: Field = { valid: '1700000000000', optional: true, wrong: [...notACount, ...beyond] };
  const ttlSeconds: Field = { valid: '60', optional: true, wrong: [...notACount, ...beyond, '0', '-0'] };
  const notABoolean = ['null', '0', '1', '"true"', '"false"', '""', '[]', '[true]', '{}'];
  const flag = { valid: 'true', wrong: notABoolean };
  const many = (count: number) => JSON.stringify(Array.from({ length: count }, (_, i) => addressOf(i)));
  const addresses = {
    valid: `[${address.valid}]`,
    wrong: [
      ...['null', 'true', '1', address.valid, '{}', `{"0":${address.valid},"length":1}`],
      ...address.wrong.map((json) => `[${address.valid},${json}]`),
    ],
    tooLarge: [many(LIMITS.addressesPerRequest + 1), `[${'0,'.repeat(60_000)}0]`],
  };
  const data = {
    valid: '"v=0"',
    wrong: notATexts,
    tooLarge: [
      JSON.stringify('x'.repeat(LIMITS.signalBytes + 1)),
      JSON.stringify('€'.repeat(LIMITS.signalBytes / 3 + 1)),
    ],
  };
  const entryId: Field = {
    valid: '"1767225600000-1"',
    wrong: [
      ...notATexts,
      '""',
      '"1"',
      '"-"',
      '"1-"',
      '"-1"',
      '"1-1-1"',
      '"1-x"',
      '"$"',
      '"1-1 "',
      '"1234567890123456-1"',
    ],
  };
  return {
    auth: {
      address,
      scheme: { valid: '"idena"', wrong: [...notATexts, '""', '"IDENA"', '"eip712"', '"idena "', '"__proto__"'] },
      signature: {
        valid: JSON.stringify(`0x${'11'.repeat(65)}`),
        wrong: [...notATexts, '""', '"0x"', JSON.stringify('11'.repeat(65)), JSON.stringify(`0x${'11'.repeat(64)}`)],
      },
    },
    message: {
      to: address,
      content,
      messageId,
      timestamp,
      ttlSeconds,
      ephemeral: { ...flag, valid: 'false', optional: true },
    },
    typing: { to: address, isTyping: flag },
    read_receipt: { to: address, messageId },
    signal: { to: address, data },
    subscribe_presence: { addresses },
    unsubscribe_presence: { addresses },
    set_presence: { visible: flag },
    ping: {},
    hello: {
      v: { valid: '2', wrong: ['null', '1', '3', '"2"', '2.5', '[2]', '{}'] },
      address,
      deviceId: {
        valid: '"phone"',
        wrong: [...notATexts, '""', '"classic"', '"a b"', '"é"', '"{b}"', '"a*"', JSON.stringify('x'.repeat(65))],
      },
      token: {
        valid: '"t0ken"',
        optional: true,
        wrong: [...notATexts, '""', '"a b"', JSON.stringify('x'.repeat(513))],
      },
      challenge: { ...flag, optional: true },
      window: { valid: '64', optional: true, wrong: [...notACount, '0', '1025', '1e400'] },
    },
    ack: { upTo: entryId },
    history: {
      before: { ...entryId, optional: true, wrong: entryId.wrong.filter((json) => json !== 'null') },
      limit: { valid: '10', optional: true, wrong: [...notACount, '0', '101'] },
    },
  };
}

/** `changes` replaces fields; `undefined` leaves them out. */
function frameOf(type: string, changes: Readonly<Record<string, string | undefined>> = {}): string {
  const known: Readonly<Record<string, Field>> = fields()[type as ClientFrame['type']];
  const all = { ...Object.fromEntries(Object.entries(known).map(([name, { valid }]) => [name, valid])), ...changes };
  const members = Object.entries(all).filter(([, json]) => json !== undefined);
  return `{"type":"${type}"${members.map(([name, json]) => `,"${name}":${json}`).join('')}}`;
}

function validFrame(type: string): string {
  return frameOf(type);
}

interface FieldCase {
  readonly name: string;
  readonly type: string;
  readonly field: string;
  readonly json: string | undefined;
  readonly code: 'bad_message' | 'too_large';
}

function fieldCases(): FieldCase[] {
  return Object.entries(fields()).flatMap(([type, known]) =>
    Object.entries(known).flatMap(([field, { optional, wrong, tooLarge = [] }]) => {
      const make = (json: string | undefined, code: FieldCase['code']): FieldCase => {
        const shown =
          json === undefined ? 'missing' : json.length > 60 ? `${json.slice(0, 50)}… (${json.length})` : json;
        return { name: `${type}.${field} ${shown}`, type, field, json, code };
      };
      const missing = optional === true ? [] : [make(undefined, 'bad_message')];
      return [
        ...missing,
        ...wrong.map((json) => make(json, 'bad_message')),
        ...tooLarge.map((json) => make(json, 'too_large')),
      ];
    }),
  );
}

/** Openings, and what only version 2 or a relay with history takes. */
const NOT_FOR_CLASSIC = ['auth', 'hello', 'ack', 'history'];

describe('a field of a frame', () => {
  it('is in the table for every frame a client may send', () => {
    expect(Object.keys(fields()).sort()).toEqual([...CLIENT_FRAME_TYPES].sort());
  });

  it.each(CLIENT_FRAME_TYPES.filter((type) => !NOT_FOR_CLASSIC.includes(type)))(
    'is accepted where it is right: %s',
    async (type) => {
      await withUser(async (client) => {
        const answers = await answersTo(client, validFrame(type));
        expect(answers.filter((answer) => answer.type === 'error')).toEqual([]);
      });
    },
  );

  it.each(fieldCases())('is refused, and the connection stays: $name', async ({ type, field, json, code }) => {
    await withUser(async (client) => {
      const id = field === 'messageId' ? {} : { messageId: '"echo me"' };
      const answers = await answersTo(client, frameOf(type, { ...id, [field]: json }));
      const echo = field === 'messageId' ? {} : { messageId: 'echo me', outcome: 'refused' };
      // What is wrong with an opening is said.
      const message: unknown = type === 'hello' ? expect.any(String) : ERRORS[code].text;
      expect(answers).toEqual([{ type: 'error', code, message, retryable: false, ...echo }]);
    });
  });

  it('is never walked: nothing reaches the mailbox of anybody named in a refused frame', async () => {
    await withUser(async (recipient) => {
      await withUser(async (sender) => {
        for (const changes of [{ content: 'null' }, { messageId: '""' }, { timestamp: '"x"' }, { ttlSeconds: '0' }]) {
          await answersTo(sender, frameOf('message', { to: JSON.stringify(recipient.address), ...changes }));
        }
      });
      await recipient.settled();
      expect(recipient.ofType('message')).toEqual([]);
    });
  });
});

describe('a messageId that means something elsewhere', () => {
  const ids = [
    '{tag}',
    '{tag}rest',
    '{}',
    '*',
    '?',
    '[a-z]',
    'h[^l]llo',
    '\\',
    '"',
    "'",
    ' ',
    '  ',
    'a b',
    ':',
    'a:b:c',
    '..',
    '../..',
    '/',
    '%00',
    '%0a',
    '$',
    '${x}',
    '<b>',
    '--',
    ';',
    '\r\n'.replace(/./gs, '~'),
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '0',
    '-1',
    'null',
    'NaN',
    '0-1',
    '1-1',
    `${'x'.repeat(LIMITS.messageIdLength)}`,
  ];

  it('comes through as it is, each its own message, and a repeat stays one', async () => {
    const recipient = await newUser();
    const sender = await newUser();
    for (const id of [...ids, ...ids]) sender.message(recipient.address, id);
    await sender.waitForCount('delivered', ids.length);
    await sender.settled();
    await recipient.settled();
    expect(recipient.messageIds).toEqual(ids);
    for (const id of ids) {
      expect(recipient.frames.find(({ messageId }) => messageId === id)?.content).toBe(`content of ${id}`);
    }
    recipient.kill();
    sender.kill();
  });
});

describe('too many bad messages', () => {
  const sendBad = async (client: ClassicClient, count: number): Promise<void> => {
    const before = client.ofType('error').length;
    for (let i = 0; i < count; i++) client.sendText('nonsense');
    await client.waitForCount('error', before + count);
  };

  it.each<[string, (client: ClassicClient) => string]>([
    ['not JSON', () => 'nonsense'],
    ['wrong top level', () => '[]'],
    ['no type', () => '{}'],
    ['wrong fields', () => '{"type":"message"}'],
    ['an auth with a wrong address', () => '{"type":"auth","address":"0x1"}'],
    ['an auth that is not the first frame', ({ address }) => JSON.stringify({ type: 'auth', address })],
    ['an auth for somebody else', () => JSON.stringify({ type: 'auth', address: KNOWN })],
    ['fields beyond their bounds', () => frameOf('signal', { data: JSON.stringify('x'.repeat(20_000)) })],
  ])('close with 4400 at the fifth: %s', async (_name, frame) => {
    await withUser(async (client) => {
      for (let i = 0; i < 4; i++)
        expect((await answersTo(client, frame(client))).map(({ type }) => type)).toEqual(['error']);
      const pongs = client.ofType('pong').length;
      client.sendText(frame(client));
      client.send({ type: 'ping' });
      await client.until(() => client.ofType('pong').length > pongs || client.socket.readyState > 1, 'close or pong');
      expect(client.ofType('pong')).toHaveLength(pongs);
      expect(await client.closed()).toBe(4400);
      expect(client.ofType('error')).toHaveLength(5);
    });
  });

  it('do not close where the first was 10 s ago', async () => {
    await withUser(async (client) => {
      await sendBad(client, 4);
      clock.advance(LIMITS.badMessagesWindowMs);
      await sendBad(client, 4);
      await client.settled();
    });
  });

  it('close where five came within 10 s, wherever these begin', async () => {
    await withUser(async (client) => {
      await sendBad(client, 1);
      clock.advance(LIMITS.badMessagesWindowMs - 1000);
      await sendBad(client, 3);
      clock.advance(2000);
      await sendBad(client, 1);
      await client.settled();
      client.sendText('nonsense');
      client.send({ type: 'ping' });
      await client.until(() => client.ofType('pong').length > 1 || client.socket.readyState > 1, 'close or pong');
      expect(client.ofType('pong')).toHaveLength(1);
      expect(await client.closed()).toBe(4400);
    });
  });

  it('take what came after them with them', async () => {
    const recipient = await newUser();
    const peer = await RawWebSocket.signIn(relay.port, addressOf(++users));
    const message = frameOf('message', { to: JSON.stringify(recipient.address) });
    const frames = [...Array<string>(5).fill('nonsense'), message, '{"type":"ping"}'];
    peer.write(Buffer.concat(frames.map((payload) => encodeRaw({ opcode: text, payload }))));
    expect(await peer.closed()).toBe(4400);
    await recipient.settled();
    expect(recipient.ofType('message')).toEqual([]);
    expect(peer.frames.filter(({ payload }) => payload.includes('pong'))).toEqual([]);
    peer.destroy();
    recipient.kill();
  });

  it('are nobody else’s: another connection of the same address stays', async () => {
    await withUser(async (client) => {
      const other = await relay.signIn(client.address);
      for (let i = 0; i < 5; i++) client.sendText('nonsense');
      expect(await client.closed()).toBe(4400);
      await other.settled();
      other.kill();
    });
  });
});

describe('a flood', () => {
  it.each([
    ['application pings', () => '{"type":"ping"}'],
    ['unknown types', () => '{"type":"nonsense"}'],
    ['types that are names of Object.prototype', () => '{"type":"__proto__"}'],
  ])('of %s is closed with 4429', async (_name, frame) => {
    await withUser(async (client) => {
      for (let i = 0; i < LIMITS.chatterPerSecond; i++) client.sendText(frame());
      await client.until(() => client.frames.length === LIMITS.chatterPerSecond + 1, 'answers');
      expect(client.socket.readyState).toBe(client.socket.OPEN);
      client.sendText(frame());
      expect(await client.closed()).toBe(4429);
    });
  });

  it('may be spread over time: a hundred pings a second are nobody’s business', async () => {
    await withUser(async (client) => {
      for (let second = 0; second < 3; second++) {
        for (let i = 0; i < LIMITS.chatterPerSecond; i++) client.send({ type: 'ping' });
        await client.waitForCount('pong', (second + 1) * LIMITS.chatterPerSecond);
        clock.advance(1000);
      }
    });
  });

  describe('beyond the rate of its sender', () => {
    let strict: RunningRelay;
    const burst = 5;

    beforeAll(async () => {
      // Time stands still, so nothing is earned back.
      strict = await startRelay({
        clock: new ManualClock(),
        env: { SEND_RATE_PER_SECOND: '1', SEND_BURST: String(burst) },
      });
    });

    afterAll(async () => strict.stop());

    it.each(CLIENT_FRAME_TYPES)('is ended, whatever it is made of: %s', async (type) => {
      const client = await strict.signIn(addressOf(++users));
      const frame = validFrame(type);
      for (let i = 0; i < 3000; i++) client.sendText(frame);
      client.sendText('{"type":"nonsense"}');
      await client.until(
        () => client.socket.readyState > 1 || client.frames.at(-1)?.code === 'unsupported',
        'close or answers',
      );
      // Those that a classic client has no use for are ended as unknown types are.
      if (!NOT_FOR_CLASSIC.includes(type)) expect(client.frames.at(-1)?.code).not.toBe('unsupported');
      expect([4400, 4429]).toContain(await client.closed());
    });

    it('is refused with `rate_limited` first, and says when to come again', async () => {
      const client = await strict.signIn(addressOf(++users));
      for (let i = 0; i <= burst; i++) client.message(KNOWN, `m-${i}`);
      const error = await client.waitFor('error');
      expect(error).toMatchObject({
        code: 'rate_limited',
        messageId: `m-${burst}`,
        outcome: 'refused',
        retryable: true,
      });
      expect(error.retryAfterMs).toBe(1000);
      expect(await client.waitForCount('queued', burst)).toHaveLength(burst);
      client.kill();
    });

    it('is not forgiven to who connects again', async () => {
      const address = addressOf(++users);
      const first = await strict.signIn(address);
      for (let i = 0; i < burst; i++) first.message(KNOWN, `first-${i}`);
      await first.waitForCount('queued', burst);
      await first.close();
      const second = await strict.signIn(address);
      second.message(KNOWN, 'second');
      await second.until(() => second.frames.length === 2, 'an answer');
      expect(second.frames[1]).toMatchObject({ type: 'error', code: 'rate_limited' });
      second.kill();
    });

    it('is not forgiven to who has two connections', async () => {
      const address = addressOf(++users);
      const clients = [await strict.signIn(address), await strict.signIn(address)];
      for (const client of clients) {
        for (let i = 0; i < burst; i++) client.message(KNOWN, `${clients.indexOf(client)}-${i}`);
      }
      for (const client of clients) await client.until(() => client.frames.length > burst, 'answers');
      expect(clients.flatMap((client) => client.ofType('queued'))).toHaveLength(burst);
      for (const client of clients) client.kill();
    });
  });

  it('of pongs acknowledges once', async () => {
    const acknowledge = jest.spyOn(relay.app.get(QueueRepository, { strict: false }), 'acknowledge');
    const address = addressOf(++users);
    const peer = await RawWebSocket.signIn(relay.port, address);
    await withUser(async (sender) => {
      sender.message(address, 'one');
      await peer.until(() => peer.frames.some(({ opcode }) => opcode === ping), 'the mark of a flush');
      const mark = peer.frames.find(({ opcode }) => opcode === ping)!.payload;
      peer.write(Buffer.concat(Array.from({ length: 500 }, () => encodeRaw({ opcode: OPCODE.pong, payload: mark }))));
      peer.text('{"type":"ping"}');
      await Promise.race([peer.waitForText('"pong"'), peer.closed()]);
      await sender.waitFor('delivered');
      await sender.settled();
      expect(sender.ofType('delivered')).toHaveLength(1);
    });
    const calls = acknowledge.mock.calls.filter(([mailbox]) => mailbox === address).length;
    acknowledge.mockRestore();
    expect(calls).toBe(1);
    peer.destroy();
  });

  it.each(['9-9', '0-99999', '999999999999999-999999999999999', '-1', '1-', 'x', '/9', '0-1/9', '\0', 'x'.repeat(125)])(
    'of pongs that nobody asked for acknowledges nothing: %s',
    async (payload) => {
      const address = addressOf(++users);
      const peer = await RawWebSocket.signIn(relay.port, address);
      await withUser(async (sender) => {
        sender.message(address, 'one');
        await peer.until(() => peer.frames.some(({ opcode }) => opcode === ping), 'the mark of a flush');
        for (let i = 0; i < 20; i++) peer.frame({ opcode: OPCODE.pong, payload });
        peer.text('{"type":"ping"}');
        await peer.waitForText('"pong"');
        await sender.settled();
        expect(sender.ofType('delivered')).toEqual([]);
      });
      peer.destroy();
    },
  );

  it('does not go on behind a close: who ignores it is cut', async () => {
    const peer = await RawWebSocket.signIn(relay.port, addressOf(++users));
    const flood = Buffer.concat(
      Array.from({ length: 3 * LIMITS.chatterPerSecond }, () =>
        encodeRaw({ opcode: text, payload: '{"type":"ping"}' }),
      ),
    );
    peer.write(flood);
    expect(await peer.closed()).toBe(4429);
    const seen = peer.frames.length;
    peer.write(flood);
    peer.frame({ opcode: ping });
    await peer.ended();
    expect(peer.frames).toHaveLength(seen);
  });
});

describe('a client that does not read for a moment', () => {
  // `ws` ends its own connection where 60 pings wait for their pongs at once: a mark per turn must not bring that about.
  it.each([
    ['messages', 100, {}],
    // As many as may wait for their confirmation; more are refused.
    ['messages that are not stored', LIMITS.windowEntries, { ephemeral: true }],
  ])('is not ended by what came meanwhile: %s', async (_name, count, more) => {
    const sender = await newUser();
    const recipient = await newUser();
    recipient.socket.pause();
    for (let i = 0; i < count; i++) {
      sender.message(recipient.address, `m-${i}`, more);
      // A turn for the relay to read it, one to write it, and one between.
      for (let turns = 0; turns < 3; turns++) await nextTurn();
    }
    await sender.settled();
    recipient.socket.resume();
    await recipient.until(
      () => recipient.ofType('message').length === count || recipient.socket.readyState > 1,
      'messages',
    );
    expect(recipient.ofType('message')).toHaveLength(count);
    await Promise.race([recipient.settled(), recipient.closed()]);
    expect(recipient.socket.readyState).toBe(recipient.socket.OPEN);
    recipient.kill();
    sender.kill();
  });
});

it('nothing that a client sends is worth a line above debug: it could fill the log', () => {
  const lines = relay
    .log()
    .split('\n')
    .filter((line) => line !== '')
    // Of the start: the tests' Redis keeps nothing on disk, and is blamed for it; and where metrics are.
    .filter((line) => !line.includes('appendonly') && !line.includes('"metrics listening"'))
    // One for each connection that was let in, whatever it sent.
    .filter((line) => !line.includes('"msg":"connection ended"'));
  const loud = lines.filter((line) => (JSON.parse(line) as { level: number }).level > 20);
  expect(loud.map((line) => line.slice(0, 300))).toEqual([]);
});
