import fc from 'fast-check';
import { setImmediate as turn } from 'node:timers/promises';
import * as ws from 'ws';
import { FrameReader, type Receiver } from './frame-reader.js';
import { WEBSOCKET_OPTIONS } from './relay-ws.adapter.js';
import { unmask } from './unmask.js';

type RealReceiver = Receiver & { on(event: string, listener: (...args: never[]) => void): void; _maxPayload: number };
const { Receiver: WsReceiver } = ws as unknown as { Receiver: new (options: object) => RealReceiver };

const MAX_PAYLOAD = 300;

interface Frame {
  readonly first: number;
  readonly isMasked: boolean;
  readonly key: readonly number[];
  readonly payload: Buffer;
  /** Its length in two bytes where one would do. */
  readonly isLong: boolean;
}

function bytesOf({ first, isMasked, key, payload, isLong }: Frame): Buffer {
  const { length } = payload;
  const mask = isMasked ? 0x80 : 0;
  const header = length < 126 && !isLong ? [first, mask | length] : [first, mask | 126, length >> 8, length & 0xff];
  if (!isMasked) return Buffer.concat([Buffer.from(header), payload]);
  return Buffer.concat([Buffer.from(header), Buffer.from(key), payload.map((byte, i) => byte ^ key[i & 3]!)]);
}

/** What a receiver made of these pieces, in order. */
async function events(pieces: readonly Buffer[], isQuick: boolean): Promise<{ seen: string[]; quick: number }> {
  const receiver = new WsReceiver({ ...WEBSOCKET_OPTIONS, isServer: true, maxPayload: MAX_PAYLOAD, maxFragments: 4 });
  const seen: string[] = [];
  let quick = 0;
  receiver.on('message', (data: Buffer, isBinary: boolean) => seen.push(`${isBinary} ${data.toString('hex')}`));
  receiver.on('ping', (data: Buffer) => seen.push(`ping ${data.toString('hex')}`));
  receiver.on('pong', (data: Buffer) => seen.push(`pong ${data.toString('hex')}`));
  receiver.on('conclude', (code: number, reason: Buffer) => {
    seen.push(`close ${code} ${reason.toString('hex')}`);
  });
  receiver.on('error', (error: Error & { code: string }) => {
    seen.push(`error ${error.code}`);
  });
  const onText = (text: string): void => {
    quick++;
    seen.push(`false ${Buffer.from(text).toString('hex')}`);
  };
  if (isQuick) FrameReader.before(receiver, { receive: onText });
  for (const piece of pieces) {
    receiver.write(Buffer.from(piece));
    // Nothing more is written to it then.
    if (receiver._errored || receiver.writableEnded) break;
  }
  // It tells of an error in the next tick.
  await turn();
  return { seen, quick };
}

const key = fc.oneof(
  fc.constant([0, 0, 0, 0]),
  fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 }),
);
const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('x'.repeat(125), 'x'.repeat(126), 'x'.repeat(MAX_PAYLOAD), 'x'.repeat(MAX_PAYLOAD + 1), '\ufffd'),
);
const payload = fc.oneof(
  { weight: 6, arbitrary: text.map((some) => Buffer.from(some)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 130 }).map((some) => Buffer.from(some)) },
);
const first = fc.oneof(
  { weight: 12, arbitrary: fc.constant(0x81) },
  { weight: 4, arbitrary: fc.constantFrom(0x89, 0x8a, 0x01, 0x80, 0x00) },
  { weight: 1, arbitrary: fc.constantFrom(0x82, 0x88, 0x83, 0xc1, 0x91, 0x09) },
);
const isMasked = fc.oneof({ weight: 20, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) });
const frame: fc.Arbitrary<Frame> = fc.record({ first, isMasked, key, payload, isLong: fc.boolean() });

describe('reading whole text frames before ws', () => {
  it('tells the same as ws alone, whatever comes and however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(frame, { maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 6 }),
        async (frames, cuts) => {
          const bytes = Buffer.concat(frames.map(bytesOf));
          const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
          const pieces = places.slice(1).map((end, i) => bytes.subarray(places[i], end));
          const some = pieces.filter(({ length }) => length > 0);
          expect((await events(some, true)).seen).toEqual((await events(some, false)).seen);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('leaves only what must be left, also where a frame comes in two pieces and between pongs', async () => {
    const whole = (content: string, first = 0x81): Buffer =>
      bytesOf({ first, isMasked: true, key: [1, 2, 3, 4], payload: Buffer.from(content), isLong: false });
    const pong = whole('1-1', 0x8a);
    const bytes = Buffer.concat([whole('a'), pong, whole('x'.repeat(200)), whole('ä')]);
    for (let cut = 1; cut < bytes.length; cut++) {
      const { seen, quick } = await events([bytes.subarray(0, cut), bytes.subarray(cut)], true);
      expect(seen).toHaveLength(4);
      // Cut within the pong, what comes with its end is read with it.
      expect(quick).toBe(cut > 7 && cut < 7 + pong.length ? 1 : 3);
    }
  });

  it('knows the receiver that every connection has', () => {
    const receiver = new WsReceiver({ ...WEBSOCKET_OPTIONS, isServer: true });
    const plain = receiver.write;
    FrameReader.attach({ _receiver: receiver } as unknown as ws.WebSocket, { receive: () => undefined });
    expect(receiver.write).not.toBe(plain);
  });

  it('undoes a mask wherever it begins, and touches nothing else', () => {
    const place = fc.record({ start: fc.integer({ min: 4, max: 12 }), length: fc.nat({ max: 40 }), offset: fc.nat(7) });
    fc.assert(
      fc.property(place, fc.uint8Array({ minLength: 80, maxLength: 80 }), ({ start, length, offset }, random) => {
        const chunk = Buffer.from(random.buffer, offset, 64);
        const before = Buffer.from(chunk);
        const expected = before.map((byte, i) => {
          return i < start || i >= start + length ? byte : byte ^ before[start - 4 + ((i - start) & 3)]!;
        });
        unmask(chunk, start, start + length);
        expect(chunk.equals(expected)).toBe(true);
        unmask(chunk, start, start + length);
        expect(chunk.equals(before)).toBe(true);
      }),
    );
  });
});
