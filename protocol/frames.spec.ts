import fc from 'fast-check';
import { quoted } from './frames.js';

describe('a text as it stands in a frame', () => {
  it('is what JSON.stringify makes of it', () => {
    const unit = fc.oneof(
      fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
      fc.constantFrom('"', '\\', '\n', '\x7f', '\u2028', '\ud7ff', '\ud800', '\udfff', '\ue000', '😀', 'a', ' ', '!'),
    );
    const text = fc.array(unit, { maxLength: 20 }).map((units) => units.join(''));
    fc.assert(
      fc.property(text, (some) => {
        expect(quoted(some)).toBe(JSON.stringify(some));
      }),
      { numRuns: 2000 },
    );
    for (let code = 0; code <= 0xffff; code++) {
      const one = String.fromCharCode(code);
      if (quoted(one) !== JSON.stringify(one)) throw new Error(`${code} is not quoted as JSON does`);
    }
  });

  it.each([63, 64, 65, 66, 67, 16_383, 16_384, 16_385, 32_768, 40_001])(
    'is so in a text of %i characters',
    (length) => {
      const plain = 'abcdefghijklmnopqrstuvwxyz +/=~[]^_`{|}!#$%&'.repeat(1000).slice(0, length);
      expect(quoted(plain)).toBe(JSON.stringify(plain));
      for (const unit of ['"', '\\', '\0', '\x1f', '\x7f', '\x80', 'ü', '€', '\ud83d', '\udd8a', '🦊']) {
        for (const place of [0, 1, 2, 3, 16_383, 16_384, length - 3, length - 2, length - 1]) {
          if (place >= length) continue;
          const text = plain.slice(0, place) + unit + plain.slice(place + 1);
          if (quoted(text) !== JSON.stringify(text))
            throw new Error(`${JSON.stringify(unit)} at ${place} is not quoted as JSON does`);
        }
      }
    },
  );

  it('does not take what was looked at before for a part of it', () => {
    quoted('"'.repeat(200));
    const text = 'x'.repeat(70);
    expect(quoted(text)).toBe(JSON.stringify(text));
    expect(quoted(`${text}"`)).toBe(JSON.stringify(`${text}"`));
  });
});
