import { fingerprint, joined } from './fingerprint.js';

/** As it has been since the first version: what is remembered in Redis must be known again after an upgrade. */
function byCodeUnits(content: string): number {
  let low = 0x9e3779b9 ^ content.length;
  let high = 0x85ebca6b;
  for (let i = 0; i < content.length; i++) {
    const unit = content.charCodeAt(i);
    low = Math.imul(low ^ unit, 0xcc9e2d51);
    high = Math.imul(high ^ unit, 0x1b873593);
    low = (low << 13) | (low >>> 19);
    high = (high << 15) | (high >>> 17);
  }
  return joined(low, high);
}

describe('fingerprint', () => {
  const long = 'abcdefghijklmnopqrstuvwxyz'.repeat(3000);

  it.each([
    ['nothing', ''],
    ['base64', 'SGVsbG8sIHdvcmxk'.repeat(20)],
    ['umlauts', 'äöüß'.repeat(10)],
    ['signs of two units', '🦊'.repeat(50)],
    ['a lone surrogate', 'a\ud800b'],
    ['as much as is read at once', long.slice(0, 16_384)],
    ['one more', long.slice(0, 16_385)],
    ['one that ends a second time', long.slice(0, 32_768)],
    ['a pair of surrogates that is cut', `${long.slice(0, 16_383)}🦊${long}`],
    ['a slice', long.slice(5, 500)],
    ['what was joined', long.slice(0, 50) + 'ü' + long.slice(70, 90)],
  ])('is what it always was: %s', (_, content) => {
    expect(fingerprint(content)).toBe(byCodeUnits(content));
  });

  it('is the number that stands in stores', () => {
    expect(fingerprint('hello')).toBe(2304596472108904);
    expect(fingerprint('grüße 🦊')).toBe(7880898680293758);
  });
});
