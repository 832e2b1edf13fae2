import fc from 'fast-check';
import { type AnsweredCommand, type AnsweredConnection, ReplyReader } from './reply-reader.redis.js';

type Value =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'number'; readonly number: number }
  | { readonly kind: 'nothing'; readonly as: '_' | '$-1' | '*-1' }
  | { readonly kind: 'array'; readonly values: readonly Value[] }
  | { readonly kind: 'line'; readonly line: string }
  | { readonly kind: 'map' | 'set' | 'push' | 'attribute'; readonly values: readonly Value[] }
  | { readonly kind: 'verbatim'; readonly text: string };

const FEED = '\r\n';

/** As Redis writes it. */
function encode(value: Value): Buffer {
  const bulk = (sign: string, bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from(`${sign}${bytes.length}${FEED}`), bytes, Buffer.from(FEED)]);
  const many = (sign: string, count: number, values: readonly Value[]): Buffer =>
    Buffer.concat([Buffer.from(`${sign}${count}${FEED}`), ...values.map(encode)]);
  switch (value.kind) {
    case 'text':
      return bulk('$', Buffer.from(value.text));
    case 'bytes':
      return bulk('$', value.bytes);
    case 'number':
      return Buffer.from(`:${value.number}${FEED}`);
    case 'nothing':
      return Buffer.from(`${value.as}${FEED}`);
    case 'line':
      return Buffer.from(`${value.line}${FEED}`);
    case 'verbatim':
      return bulk('=', Buffer.from(`txt:${value.text}`));
    case 'array':
      return many('*', value.values.length, value.values);
    case 'set':
      return many('~', value.values.length, value.values);
    case 'push':
      return many('>', value.values.length, value.values);
    case 'map':
      return many('%', value.values.length, [...value.values, ...value.values]);
    case 'attribute':
      return Buffer.concat([many('|', value.values.length, [...value.values, ...value.values]), encode(text('x'))]);
  }
}

/** What whoever wants texts gets; `undefined` where ioredis is to read it. */
function textsOf(value: Value): unknown {
  if (value.kind === 'text') return value.text;
  if (value.kind === 'bytes') return value.bytes.toString();
  if (value.kind === 'number') return value.number;
  if (value.kind === 'nothing') return null;
  if (value.kind !== 'array') return undefined;
  const values = value.values.map(textsOf);
  return values.includes(undefined) ? undefined : values;
}

const text = (some: string): Value => ({ kind: 'text', text: some });

const texts = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('', FEED, '$3\r\nabc\r\n', '*'));
const plain: fc.Arbitrary<Value> = fc.oneof(
  { weight: 4, arbitrary: texts.map(text) },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 30 }).map((some): Value => ({ kind: 'bytes', bytes: Buffer.from(some) })),
  },
  { weight: 2, arbitrary: fc.maxSafeInteger().map((number): Value => ({ kind: 'number', number })) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('_' as const, '$-1' as const, '*-1' as const)
      .map((as): Value => ({ kind: 'nothing', as })),
  },
);
const foreign: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom('+OK', '-ERR no', '-NOSCRIPT No matching script.', '#t', ',1.5', '(123', '+').map((line): Value => ({
    kind: 'line',
    line,
  })),
  texts.map((some): Value => ({ kind: 'verbatim', text: some })),
);
const { value } = fc.letrec<{ value: Value; leaf: Value; many: Value }>((tie) => ({
  leaf: fc.oneof({ weight: 9, arbitrary: plain }, { weight: 1, arbitrary: foreign }),
  many: fc.record({
    kind: fc.oneof(
      { weight: 12, arbitrary: fc.constant('array' as const) },
      { weight: 1, arbitrary: fc.constantFrom('map' as const, 'set', 'push', 'attribute') },
    ),
    values: fc.array(tie('value'), { maxLength: 5 }),
  }),
  value: fc.oneof({ depthSize: 'small' }, tie('leaf'), tie('many')),
}));
const answers = fc.array(fc.record({ value, wantsBytes: fc.boolean() }), { minLength: 1, maxLength: 8 });

interface Seen {
  readonly direct: unknown[];
  readonly passed: Buffer[];
  readonly heard: string[];
}

/** What came of these pieces: one command waits for each answer, and what goes to the library takes the next as well. */
function read(
  pieces: readonly Buffer[],
  wantsBytes: readonly boolean[],
  { status = 'ready', listens = false } = {},
): Seen {
  const seen: Seen = { direct: [], passed: [], heard: [] };
  const queue = wantsBytes.map((bytes): { command: AnsweredCommand } => ({
    command: { replyEncoding: bytes ? null : 'utf8', resolve: (reply) => void seen.direct.push(reply) },
  }));
  const connection: AnsweredConnection = {
    status,
    condition: { subscriber: false },
    commandQueue: {
      get length() {
        return queue.length;
      },
      peekFront: () => queue[0],
      shift: () => queue.shift(),
    },
  };
  const take = ReplyReader.before(
    connection,
    (chunk) => {
      seen.passed.push(chunk);
      queue.shift();
    },
    listens ? (channel, payload) => seen.heard.push(`${channel} ${payload}`) : null,
  );
  for (const piece of pieces) {
    const bytes = Buffer.from(piece);
    take(bytes);
    // A socket uses its memory again.
    bytes.fill(0);
  }
  return seen;
}

/** In pieces of these lengths, again and again. */
function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length]!;
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

describe('the reader of answers', () => {
  it('gives everybody the texts that they wait for and the library the rest, in order, however it comes in pieces', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 5 });
    const property = fc.property(answers, lengths, (some, pieces) => {
      const direct = (one: (typeof some)[number]): unknown => (one.wantsBytes ? undefined : textsOf(one.value));
      const all = some.map((one) => encode(one.value));
      const seen = read(
        cut(Buffer.concat(all), pieces),
        some.map(({ wantsBytes }) => wantsBytes),
      );
      expect(seen.direct).toEqual(some.map(direct).filter((texts) => texts !== undefined));
      const passed = all.filter((_, i) => direct(some[i]!) === undefined);
      expect(seen.passed.length).toBe(passed.length);
      // Those that lay in one piece are no copies, and that piece is gone.
      seen.passed.forEach((bytes, i) => expect(bytes.length).toBe(passed[i]!.length));
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it('keeps what it passes on as bytes from being written over', () => {
    const value = encode(text('x'.repeat(200)));
    const { passed } = read(cut(value, [50]), [true]);
    expect(Buffer.concat(passed)).toEqual(value);
  });

  it.each([
    ['no answer is read before the connection is ready', 'connect'],
    ['nor while it is watched', 'monitoring'],
  ])('%s', (_, status) => {
    const { direct, passed } = read([Buffer.from('$1\r\na\r\n')], [false], { status });
    expect(direct).toEqual([]);
    expect(passed).toHaveLength(1);
  });

  it('hands over what is published to shards where somebody listens, and leaves all else that comes by itself', () => {
    const push = (...texts: string[]): Buffer => encode({ kind: 'push', values: texts.map(text) });
    const published = fc.array(
      fc.tuple(texts, texts, fc.constantFrom('smessage', 'message', 'ssubscribe', 'invalidate')),
    );
    const lengths = fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 5 });
    const property = fc.property(published, lengths, fc.boolean(), (some, pieces, listens) => {
      const bytes = Buffer.concat(some.map(([channel, payload, what]) => push(what, channel, payload)));
      const { heard, passed } = read(cut(bytes, pieces), [], { listens });
      const direct = listens ? some.filter(([, , what]) => what === 'smessage') : [];
      expect(heard).toEqual(
        direct.map(([channel, payload]) => [channel, payload].map((some) => Buffer.from(some).toString()).join(' ')),
      );
      expect(passed).toHaveLength(some.length - direct.length);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('leaves what is no answer to the library, and all that follows', () => {
    const bytes = Buffer.from('$1\r\na\r\nHTTP/1.1 400 Bad Request\r\n\r\n$1\r\nb\r\n');
    for (const pieces of [[bytes.length], [1], [9, 3]]) {
      const { direct, passed } = read(cut(bytes, pieces), [false, false, false]);
      expect(direct).toEqual(['a']);
      expect(passed.reduce((sum, { length }) => sum + length, 0)).toBe(bytes.length - 7);
    }
  });
});
