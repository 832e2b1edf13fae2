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
});
