import fc from 'fast-check';
import { assemble } from './wire.js';

interface Parsed {
  readonly opcode: number;
  readonly text: string;
}

/** Reads what a server may send: whole, unmasked frames (RFC 6455 §5.2). */
function parse(bytes: Buffer): Parsed[] {
  const frames: Parsed[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const first = bytes[offset]!;
    expect(first & 0xf0).toBe(0x80);
    let length = bytes[offset + 1]!;
    expect(length & 0x80).toBe(0);
    offset += 2;
    if (length === 126) {
      length = bytes.readUInt16BE(offset);
      expect(length).toBeGreaterThan(125);
      offset += 2;
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(offset));
      expect(length).toBeGreaterThan(65535);
      offset += 8;
    }
    frames.push({ opcode: first & 0x0f, text: bytes.toString('utf8', offset, offset + length) });
    offset += length;
  }
  expect(offset).toBe(bytes.length);
  return frames;
}

describe('assemble', () => {
  const lengths = [0, 1, 41, 42, 43, 124, 125, 126, 127, 21844, 21845, 21846, 65534, 65535, 65536, 65537, 200_000];

  it.each(lengths.flatMap((length) => ['a', 'é', '漢'].map((letter) => [length, letter] as const)))(
    'writes a frame of %d times %s with the shortest header that holds it',
    (length, letter) => {
      const text = letter.repeat(length);
      expect(parse(assemble([text], null))).toEqual([{ opcode: 1, text }]);
    },
  );

  it('writes any texts, one after the other, and the ping after them', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ maxLength: 2000 }));
    const payload = fc.option(fc.string({ unit: 'grapheme-ascii', maxLength: 41 }));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 20 }), payload, (texts, ping) => {
        const frames = parse(assemble(texts, ping));
        const expected = texts.map((each) => ({ opcode: 1, text: Buffer.from(each).toString() }));
        expect(frames).toEqual(ping === null ? expected : [...expected, { opcode: 9, text: ping }]);
      }),
    );
  });

  it('gives each caller bytes of its own', () => {
    const first = assemble(['first'], null);
    assemble(['other'], null);
    expect(parse(first)).toEqual([{ opcode: 1, text: 'first' }]);
  });
});
