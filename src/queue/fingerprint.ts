/** In code units. */
const AT_ONCE = 16_384;
/** The code units of a content, or of a part of it. One for all: filled and read within one call. */
const units = new Uint16Array(AT_ONCE);
const bytes = Buffer.from(units.buffer);

/**
 * 53 bits over a content's UTF-16 code units (MurmurHash3's mixing, two lanes). It only tells a sender's honest repeat
 * from its own mistake, so it need not resist anybody: whoever forges one deceives nobody but himself.
 */
export function fingerprint(content: string): number {
  const { length } = content;
  let low = 0x9e3779b9 ^ length;
  let high = 0x85ebca6b;
  for (let start = 0; start < length; start += AT_ONCE) {
    const part = length <= AT_ONCE ? content : content.slice(start, start + AT_ONCE);
    // Copied first: `charCodeAt` may take six times as long for each of them as all the rest.
    bytes.write(part, 'utf16le');
    for (let i = 0; i < part.length; i++) {
      const unit = units[i]!;
      low = Math.imul(low ^ unit, 0xcc9e2d51);
      high = Math.imul(high ^ unit, 0x1b873593);
      low = (low << 13) | (low >>> 19);
      high = (high << 15) | (high >>> 17);
    }
  }
  return joined(low, high);
}

/** The two lanes, mixed once more, as one whole number. */
export function joined(low: number, high: number): number {
  const lower = Math.imul(low ^ (high >>> 13), 0xc2b2ae35);
  const upper = Math.imul(high ^ (lower >>> 16), 0x85ebca6b);
  return (upper & 0x1fffff) * 0x100000000 + (lower >>> 0);
}
