import { type ClientFrame, ERRORS, LIMITS } from '@relay/protocol';
import fc from 'fast-check';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { addressOf, ClassicClient, type Frame } from '../support/classic-client.js';
import { call, type Call, expectProblem } from '../support/http-call.js';
import { RawWebSocket } from '../support/raw-web-socket.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

/** `FUZZ_RUNS` makes it search longer; `FUZZ_SEED` repeats a run that failed, with the seed that it printed. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 300);
const SEED = process.env.FUZZ_SEED === undefined ? {} : { seed: Number(process.env.FUZZ_SEED) };
const TEST_MS = 20_000 + RUNS * 100;
const options: fc.Parameters<unknown> = { numRuns: RUNS, interruptAfterTimeLimit: TEST_MS - 5_000, ...SEED };

const OFFLINE = Array.from({ length: 20 }, (_, i) => addressOf(0x500 + i));
const delay = monitorEventLoopDelay({ resolution: 5 });

let relay: RunningRelay;
let alice: ClassicClient;
let bob: ClassicClient;
let users = 0x10_000;
let exchanges = 0;

beforeAll(async () => {
  relay = await startRelay({ env: { MAX_CONNECTIONS_PER_IP: '100000' } });
  alice = await relay.signIn(addressOf(1));
  bob = await relay.signIn(addressOf(2));
  delay.enable();
});

afterAll(async () => {
  delay.disable();
  const ms = (ns: number) => (ns / 1e6).toFixed(1);
  // Not asserted: it is as much the test's own work, and the machine's, as the relay's.
  process.stdout.write(`event loop delay: p99 ${ms(delay.percentile(99))} ms, max ${ms(delay.max)} ms\n`);
  await relay.stop();
});

/** Two people who have nothing to do with any of it. */
async function expectOthersUntouched(): Promise<void> {
  const messageId = `sane-${++exchanges}`;
  alice.message(bob.address, messageId);
  await bob.waitFor('message', { messageId, from: alice.address, content: `content of ${messageId}` });
  await alice.waitFor('delivered', { messageId });
  alice.frames.length = 0;
  bob.frames.length = 0;
}

const oddText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom(
    '',
    ' ',
    '\0',
    '\n',
    '\u001b[31m',
    '\ud800',
    '\udfff\ud800',
    '\ufeff',
    '\u202e',
    '__proto__',
    'constructor',
    '{tag}',
    '*',
  ),
  fc.constantFrom(
    `0x${'0'.repeat(40)}`,
    `0X${'a'.repeat(40)}`,
    `0x${'a'.repeat(39)}`,
    `0x${'a'.repeat(41)}`,
    `0x${'１'.repeat(40)}`,
  ),
  fc.constantFrom(
    'x'.repeat(128),
    'x'.repeat(129),
    'x'.repeat(LIMITS.signalBytes),
    'x'.repeat(LIMITS.signalBytes + 1),
    '€'.repeat(6000),
  ),
);
const oddNumber = fc.constantFrom(
  '-1',
  '-0',
  '0.5',
  '1e400',
  '-1e400',
  '9007199254740991',
  '9007199254740992',
  '1e-400',
  '00',
  '0x1',
  'NaN',
);
/** As JSON, or nearly. */
const oddValue: fc.Arbitrary<string> = fc.oneof(
  oddText.map((text) => JSON.stringify(text)),
  oddNumber,
  fc.jsonValue().map((value) => JSON.stringify(value)),
  fc.constantFrom('null', 'true', 'false', '[]', '{}', '', ',', '{"toString":"x"}', '{"a":'.repeat(500)),
  fc.constantFrom('['.repeat(5000) + ']'.repeat(5000), `${'{"a":'.repeat(3000)}0${'}'.repeat(3000)}`),
);

const address = fc.oneof(fc.constantFrom('self', 'alice', 'bob'), fc.constantFrom(...OFFLINE));
const messageId = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: LIMITS.messageIdLength }),
  fc.constantFrom('a', 'b', 'c'),
);
const entryId = fc.tuple(fc.nat(), fc.nat(5)).map(([ms, sequence]) => `${ms}-${sequence}`);
const count = fc.nat(Number.MAX_SAFE_INTEGER);
const addresses = fc.oneof(fc.array(address, { maxLength: 20 }), fc.constant(Array<string>(501).fill(addressOf(9))));

/** Right frames of every type; a type that is missing here does not compile. */
const valid: Readonly<Record<ClientFrame['type'], fc.Arbitrary<Record<string, unknown>>>> = {
  auth: fc.record({ address }),
  message: fc.record(
    {
      to: address,
      content: fc.string({ unit: 'binary', minLength: 1 }),
      messageId,
      timestamp: count,
      ttlSeconds: count.map((n) => n + 1),
      ephemeral: fc.boolean(),
    },
    { requiredKeys: ['to', 'content', 'messageId'] },
  ),
  typing: fc.record({ to: address, isTyping: fc.boolean() }),
  read_receipt: fc.record({ to: address, messageId }),
  signal: fc.record({ to: address, data: fc.string({ unit: 'binary' }) }),
  subscribe_presence: fc.record({ addresses }),
  unsubscribe_presence: fc.record({ addresses }),
  set_presence: fc.record({ visible: fc.boolean() }),
  ping: fc.constant({}),
  hello: fc.record(
    {
      v: fc.constant(2),
      address,
      deviceId: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
      window: fc.integer({ min: 1, max: 1024 }),
    },
    { requiredKeys: ['v', 'address', 'deviceId'] },
  ),
  ack: fc.record({ upTo: entryId }),
  history: fc.record({ before: entryId, limit: fc.integer({ min: 1, max: 100 }) }, { requiredKeys: [] }),
};

type Members = readonly (readonly [string, string])[];

const frameMembers: fc.Arbitrary<Members> = fc.oneof(
  ...Object.entries(valid).map(([type, fields]) =>
    fields.map((frame): Members =>
      Object.entries({ type, ...frame }).map(([name, value]) => [name, JSON.stringify(value)]),
    ),
  ),
);

const odd = fc.record({
  at: fc.nat(20),
  value: oddValue,
  name: fc.oneof(oddText, fc.constantFrom('type', 'to', 'messageId', 'content', '__proto__')),
});
const mutation: fc.Arbitrary<(members: Members) => Members> = fc.oneof(
  odd.map(
    ({ at }) =>
      (members: Members) =>
        members.filter((_, i) => i !== at % members.length),
  ),
  odd.map(
    ({ at, value }) =>
      (members: Members) =>
        members.map(([name, old], i) => [name, i === at % members.length ? value : old] as const),
  ),
  odd.map(
    ({ at, value }) =>
      (members: Members) =>
        members.length === 0 ? members : [...members, [members[at % members.length]![0], value] as const],
  ),
  odd.map(
    ({ at }) =>
      (members: Members) =>
        members.map(([name, old], i) => [name, i === at % members.length ? `[${old}]` : old] as const),
  ),
  odd.map(
    ({ at, name }) =>
      (members: Members) =>
        members.map(([known, old], i) => [i === at % members.length ? name : known, old] as const),
  ),
  odd.map(({ name, value }) => (members: Members) => [...members, [name, value] as const]),
);
const textMutation: fc.Arbitrary<(text: string) => string> = fc.oneof(
  { weight: 6, arbitrary: fc.constant((text: string) => text) },
  { weight: 1, arbitrary: fc.nat(200).map((at) => (text: string) => text.slice(0, at % (text.length + 1))) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(200), fc.string({ unit: 'binary', maxLength: 3 }))
      .map(([at, more]) => (text: string) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + more + text.slice(place);
      }),
  },
  { weight: 1, arbitrary: oddValue.map((value) => () => value) },
);

const frame: fc.Arbitrary<string> = fc
  .tuple(frameMembers, fc.array(mutation, { maxLength: 3 }), textMutation)
  .map(([members, mutations, change]) => {
    const mutated = mutations.reduce((all, mutate) => mutate(all), members);
    return change(`{${mutated.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join()}}`);
  });

type Expected = ClientFrame['type'] | 'bad_message' | 'unsupported' | 'too_large';

const isAddress = (value: unknown): boolean =>
  typeof value === 'string' &&
  value.length === 42 &&
  value.startsWith('0x') &&
  [...value.slice(2)].every((digit) => '0123456789abcdefABCDEF'.includes(digit)) &&
  [...value.slice(2)].some((digit) => digit !== '0');
const isMessageId = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= 128 && [...value].every((c) => c >= ' ' && c <= '~');
const isCount = (value: unknown): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

function fieldsOf(text: string): Record<string, unknown> | null {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

/** What a frame is, told once more in other words than the relay’s own. */
function expectedOf(text: string): Expected {
  const fields = fieldsOf(text);
  if (fields === null || typeof fields.type !== 'string') return 'bad_message';
  const { type, to, addresses: list } = fields;
  const when = (isRight: boolean): Expected => (isRight ? (type as Expected) : 'bad_message');
  switch (type) {
    case 'auth':
      return when(isAddress(fields.address));
    case 'message': {
      const { content, timestamp = 0, ttlSeconds = 1, ephemeral = false } = fields;
      const isTimed = isCount(timestamp) && isCount(ttlSeconds) && ttlSeconds !== 0;
      const isFull = typeof content === 'string' && content.length > 0 && isMessageId(fields.messageId);
      return when(isAddress(to) && isTimed && isFull && typeof ephemeral === 'boolean');
    }
    case 'typing':
      return when(isAddress(to) && typeof fields.isTyping === 'boolean');
    case 'read_receipt':
      return when(isAddress(to) && isMessageId(fields.messageId));
    case 'signal': {
      if (!isAddress(to) || typeof fields.data !== 'string') return 'bad_message';
      return Buffer.byteLength(fields.data) > LIMITS.signalBytes ? 'too_large' : type;
    }
    case 'subscribe_presence':
    case 'unsubscribe_presence':
      if (!Array.isArray(list)) return 'bad_message';
      return list.length > LIMITS.addressesPerRequest ? 'too_large' : when(list.every(isAddress));
    case 'set_presence':
      return when(typeof fields.visible === 'boolean');
    case 'ping':
      return type;
    // Signed in already, with the first protocol.
    case 'hello':
      return 'bad_message';
    case 'ack':
      return isEntryId(fields.upTo) ? 'unsupported' : 'bad_message';
    case 'history': {
      const { before = null, limit = 1 } = fields;
      const isPage = isCount(limit) && Number(limit) >= 1 && Number(limit) <= LIMITS.pageSize;
      return isPage && (before === null || isEntryId(before)) ? 'unsupported' : 'bad_message';
    }
    default:
      return 'unsupported';
  }
}

function isHello(fields: Record<string, unknown> | null): boolean {
  if (fields?.type !== 'hello' || fields.v !== 2 || !isAddress(fields.address)) return false;
  const { deviceId, token = 't', window = 1 } = fields;
  const isDevice = typeof deviceId === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(deviceId) && deviceId !== 'classic';
  const isToken = typeof token === 'string' && /^[\x21-\x7e]{1,512}$/.test(token);
  return isDevice && isToken && isCount(window) && Number(window) >= 1 && Number(window) <= LIMITS.maxWindowEntries;
}

/** Every frame the relay sends is one of these, with these members and no others. */
const SHAPES: Readonly<Record<string, Readonly<Record<string, (value: unknown) => boolean>>>> = {
  auth_success: {
    address: isAddress,
    timestamp: isCount,
    'v?': (value) => value === 2,
    'deviceId?': (value) => typeof value === 'string',
    'sessionId?': (value) => typeof value === 'string',
    'limits?': (value) => typeof value === 'object',
    'pending?': isCount,
  },
  sync_complete: { upTo: (value) => value === null || isEntryId(value) },
  error: {
    code: (value) => Object.hasOwn(ERRORS, String(value)),
    message: (value) => typeof value === 'string' && value.length > 0,
    retryable: (value) => typeof value === 'boolean',
    'messageId?': isMessageId,
    'outcome?': (value) => value === 'refused' || value === 'unknown',
    'retryAfterMs?': isCount,
  },
  queued: { messageId: isMessageId, to: isAddress, timestamp: isCount },
  delivered: { messageId: isMessageId, to: isAddress, timestamp: isCount, 'id?': (value) => typeof value === 'string' },
  message: {
    from: isAddress,
    content: (value) => typeof value === 'string' && value.length > 0,
    messageId: isMessageId,
    timestamp: isCount,
    'queued?': (value) => value === true,
    'id?': (value) => typeof value === 'string',
  },
  typing: { from: isAddress, isTyping: (value) => typeof value === 'boolean' },
  signal: { from: isAddress, data: (value) => typeof value === 'string' },
  read: { from: isAddress, messageId: isMessageId, timestamp: isCount, 'id?': (value) => typeof value === 'string' },
  presence: { address: isAddress, status: (value) => value === 'online' || value === 'offline', 'lastSeen?': isCount },
  pong: { timestamp: isCount },
};

function expectTyped(received: Frame): void {
  const { type, ...members } = received;
  const shape = SHAPES[type] ?? {};
  const wrong = Object.entries(members).filter(([name, value]) => !(shape[name] ?? shape[`${name}?`])?.(value));
  const missing = Object.keys(shape).filter((name) => !name.endsWith('?') && !(name in members));
  expect([type in SHAPES, wrong, missing]).toEqual([true, [], []]);
}

/** People by the names that the generator knows. */
function named(text: string, self: string): string {
  const names: Readonly<Record<string, string>> = { '"self"': self, '"alice"': alice.address, '"bob"': bob.address };
  // As it arrives: a lone surrogate does not survive UTF-8.
  return Buffer.from(text.replace(/"(self|alice|bob)"/g, (name) => JSON.stringify(names[name]))).toString();
}

const isEntryId = (value: unknown): boolean => typeof value === 'string' && /^\d{1,15}-\d{1,15}$/.test(value);

const SYNCHRONOUS: readonly unknown[] = ['bad_message', 'unsupported', 'too_large'];

it(
  'whatever frames a client sends, each gets its answer, and others get their messages',
  async () => {
    const property = fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 4 }), async (texts) => {
      const client = await relay.signIn(addressOf(++users));
      const frames = texts.map((text) => named(text, client.address));
      for (const text of frames) client.sendText(text);
      await client.settled();
      // What takes a turn longer: presence, verdicts.
      await client.settled();
      const sent = frames.map((text) => ({ expected: expectedOf(text), fields: fieldsOf(text) }));
      for (const { fields } of sent.filter(({ expected }) => expected === 'message')) {
        const id = fields?.messageId;
        const isVerdict = ({ type, messageId }: Frame) =>
          ['queued', 'delivered', 'error'].includes(type) && messageId === id;
        await client.until(() => client.frames.some(isVerdict), `a verdict for ${JSON.stringify(id)}`);
      }

      for (const received of client.frames) expectTyped(received);
      const refused = sent.flatMap(({ expected, fields }) => {
        if (expected === 'auth') return [['bad_message', undefined]];
        return SYNCHRONOUS.includes(expected)
          ? [[expected, isMessageId(fields?.messageId) ? fields.messageId : undefined]]
          : [];
      });
      const errors = client.ofType('error').filter(({ code }) => SYNCHRONOUS.includes(code));
      expect(errors.map(({ code, messageId }) => [code, messageId])).toEqual(refused);
      expect(client.ofType('pong')).toHaveLength(2 + sent.filter(({ expected }) => expected === 'ping').length);
      const watched = sent.filter(({ expected }) => expected === 'subscribe_presence');
      const least = watched.reduce((sum, { fields }) => sum + new Set(fields?.addresses as string[]).size, 0);
      await client.until(() => client.ofType('presence').length >= least, `${least} × presence`);
      if (least === 0) expect(client.ofType('presence')).toEqual([]);
      const sentAs = ({ messageId }: Frame) =>
        sent.filter(({ fields }) => fields?.messageId === messageId).map(({ fields }) => fields?.content);
      for (const { frames: received } of [client, alice, bob]) {
        const messages = received.filter(({ type, from }) => type === 'message' && from === client.address);
        for (const message of messages) expect(sentAs(message)).toContain(message.content);
      }
      await client.close();
      await expectOthersUntouched();
    });
    await fc.assert(property, options);
  },
  TEST_MS,
);

it(
  'whatever a stranger says first, it is signed in or told why not',
  async () => {
    const property = fc.asyncProperty(frame, async (template) => {
      const client = await ClassicClient.connect(relay.wsUrl);
      const text = named(template, addressOf(++users));
      client.sendText(text);
      await client.until(() => client.frames.length > 0 || client.socket.readyState > 1, 'an answer');
      if (Buffer.byteLength(text) > LIMITS.frameBytesBeforeSignIn) {
        expect([await client.closed(), client.frames]).toEqual([1009, []]);
      } else if (expectedOf(text) === 'auth' || isHello(fieldsOf(text))) {
        expect(client.frames[0]).toMatchObject({ type: 'auth_success' });
      } else {
        expect(await client.closed()).toBe(4401);
        expect(client.frames).toEqual([expect.objectContaining({ type: 'error', retryable: false })]);
      }
      for (const received of client.frames) expectTyped(received);
      client.kill();
      await expectOthersUntouched();
    });
    await fc.assert(property, options);
  },
  TEST_MS,
);

it(
  'whatever bytes follow the upgrade, the connection ends for a reason',
  async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      // Likelier to be frames: a right opcode, a mask, and a short length.
      fc
        .tuple(
          fc.constantFrom(0x01, 0x81, 0x82, 0x00, 0x80, 0x88, 0x89, 0x8a),
          fc.nat(127),
          fc.uint8Array({ maxLength: 140 }),
        )
        .map(([first, length, rest]) => Uint8Array.from([first, 0x80 | length, ...rest])),
    );
    const property = fc.asyncProperty(
      fc.array(bytes, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (parts, isSignedIn) => {
        const peer = await (isSignedIn
          ? RawWebSocket.signIn(relay.port, addressOf(++users))
          : RawWebSocket.open(relay.port));
        for (const part of parts) peer.write(Buffer.from(part));
        peer.socket.end();
        const code = await peer.closed();
        // Its own code comes back to a peer that closes.
        expect(code === null || (code >= 1000 && code <= 1014 && code !== 1006) || (code >= 3000 && code <= 4999)).toBe(
          true,
        );
        peer.destroy();
        await expectOthersUntouched();
      },
    );
    await fc.assert(property, options);
  },
  TEST_MS,
);

describe('REST', () => {
  const segment = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...OFFLINE) },
    { weight: 2, arbitrary: oddText.map((text) => encodeURIComponent(Buffer.from(text).toString()).slice(0, 4000)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '%',
        '%zz',
        '%00',
        '..',
        '.',
        '%2f',
        '%2e%2e',
        'stats',
        'all',
        'batch',
        'online',
        ';',
        '~',
        '*',
      ),
    },
  );
  const path = fc.oneof(
    segment.map((s) => `/api/public-keys/${s}`),
    segment.map((s) => `/api/messages/${s}`),
    segment.map((s) => `/api/messages/${s}/queue-size`),
    segment.map((s) => `/api/status/${s}`),
    fc.constantFrom(
      '/api/public-keys',
      '/api/public-keys/batch',
      '/api/public-keys/stats/all',
      '/api/messages/stats/all',
    ),
    fc.constantFrom(
      '/api/status/batch',
      '/api/status/online/all',
      '/health',
      '/health/live',
      '/health/ready',
      '/docs',
      '/docs/openapi.json',
    ),
    fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`),
  );
  const parameter = fc.tuple(
    fc.constantFrom('limit', 'after', 'upTo', 'limit[]', 'after[a]', '__proto__', 'constructor', ''),
    fc.oneof(fc.constantFrom('1', '100', '101', '1-1', '0-0', '9999999999999-1', addressOf(3)), oddText),
  );
  const query = fc.array(parameter, { maxLength: 3 }).map((all) => {
    const pairs = all.map(
      ([name, value]) => `${name}=${encodeURIComponent(Buffer.from(value).toString()).slice(0, 1000)}`,
    );
    return all.length === 0 ? '' : `?${pairs.join('&')}`;
  });
  const offline = fc.constantFrom(...OFFLINE);
  const body = fc.oneof(
    fc
      .record({ address: offline, publicKey: fc.string() })
      .map((value): Members => Object.entries(value).map(([k, v]) => [k, JSON.stringify(v)])),
    fc
      .record({ addresses: fc.array(offline) })
      .map((value): Members => [['addresses', JSON.stringify(value.addresses)]]),
  );
  const bodyText = fc
    .tuple(body, fc.array(mutation, { maxLength: 2 }), textMutation)
    .map(([members, mutations, change]) => {
      const mutated = mutations.reduce((all, mutate) => mutate(all), members);
      return change(`{${mutated.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join()}}`);
    });
  const contentType = fc.oneof(
    { weight: 8, arbitrary: fc.constant('application/json') },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        'text/plain',
        'application/json; charset=utf-16',
        'application/json;;',
        'multipart/form-data',
        '/',
        '',
      ),
    },
  );
  const header = fc.constantFrom<Record<string, string>>(
    {},
    {},
    { 'content-encoding': 'gzip' },
    { origin: 'null' },
    { 'x-forwarded-for': ',,::,%' },
    { accept: 'text/html' },
    { 'accept-encoding': '*;q=0' },
    { range: 'bytes=0-0' },
    { 'if-none-match': '*' },
    { expect: '100-continue' },
    { authorization: 'Bearer x' },
    { 'x-http-method-override': 'DELETE' },
  );
  const method = fc.constantFrom('GET', 'POST', 'DELETE', 'HEAD', 'PUT', 'PATCH', 'OPTIONS', 'TRACE');
  /** Half of the calls are right in method and path, so that what is wrong with them is found further inside. */
  const target = fc.oneof(
    fc.tuple(method, path),
    fc.constantFrom(
      ['POST', '/api/public-keys'],
      ['POST', '/api/public-keys/batch'],
      ['POST', '/api/status/batch'],
      ['DELETE', `/api/messages/${OFFLINE[0]}`],
    ),
  );
  const request: fc.Arbitrary<Call> = fc
    .record({ target, query, contentType, header, bodyText: fc.option(bodyText, { nil: undefined }) })
    .map(({ target: [method = '', path = ''], query, contentType, header, bodyText }) => {
      const isSent = bodyText !== undefined && method !== 'TRACE';
      const described = isSent ? { 'content-type': contentType, 'content-length': Buffer.byteLength(bodyText) } : {};
      return { method, path: path + query, headers: { ...header, ...described }, body: isSent ? bodyText : undefined };
    });

  it(
    'whatever is asked for, it is answered with JSON or a problem, and never with a failure',
    async () => {
      const property = fc.asyncProperty(request, async (asked) => {
        const answer = await call(relay.port, asked);
        const { status, headers, text } = answer;
        const isPage = asked.path.startsWith('/docs') && status === 200;
        if (asked.method === 'HEAD') {
          expect([status < 500, text]).toEqual([true, '']);
        } else if (status >= 400) {
          const code = (JSON.parse(text) as { code: keyof typeof ERRORS }).code;
          expect(status < 500 || status === 503).toBe(true);
          expectProblem(answer, status, code);
        } else if (status === 200 && !isPage) {
          expect(headers['content-type']).toMatch(/^application\/json/);
          expect(typeof JSON.parse(text)).toBe('object');
        } else if (!isPage) {
          expect([204, 301, 302, 304]).toContain(status);
        }
      });
      await fc.assert(property, options);
      await expectOthersUntouched();
    },
    TEST_MS,
  );
});

it('none of it was a failure of the relay: no line of an error in its log', () => {
  const lines = relay
    .log()
    .split('\n')
    .filter((line) => line !== '');
  expect(
    lines
      // The tests' Redis keeps nothing on disk, and is blamed for it.
      .filter((line) => !line.includes('appendonly'))
      .filter((line) => (JSON.parse(line) as { level: number }).level >= 40)
      .map((line) => line.slice(0, 300)),
  ).toEqual([]);
});
