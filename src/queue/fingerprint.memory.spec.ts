import fc from 'fast-check';
import { MAX_QUICK_LENGTH, quickFingerprint } from './fingerprint.memory.js';

const content = fc.oneof(
  { weight: 10, arbitrary: fc.string({ unit: 'grapheme-ascii', maxLength: 100 }) },
  { weight: 10, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  // Large, and so few.
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: MAX_QUICK_LENGTH - 14, max: MAX_QUICK_LENGTH + 16 })
      .map((length) => 'x'.repeat(length)),
  },
);

describe('the fingerprint of a content in memory', () => {
  it('is a whole number, and the same for equal contents, whatever came between', () => {
    fc.assert(
      fc.property(content, content, (one, other) => {
        const print = quickFingerprint(one);
        quickFingerprint(other);
        expect(Number.isSafeInteger(print)).toBe(true);
        expect(quickFingerprint([...one].join(''))).toBe(print);
      }),
    );
  });

  it('differs where one character does, wherever it stands', () => {
    fc.assert(
      fc.property(content, fc.nat(), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }), (text, at, unit) => {
        const place = at % (text.length + 1);
        const changed = text.slice(0, place) + unit + text.slice(place + 1);
        fc.pre(changed !== text);
        expect(quickFingerprint(changed)).not.toBe(quickFingerprint(text));
      }),
      { numRuns: 100 },
    );
  });

  it('differs between a content and the same with something behind it', () => {
    for (let length = 0; length < 40; length++) {
      const text = 'a'.repeat(length);
      const longer = ['\0', '\0\0\0\0', 'a', 'ä'].map((end) => quickFingerprint(text + end));
      expect(new Set([quickFingerprint(text), ...longer]).size).toBe(5);
    }
  });
});
