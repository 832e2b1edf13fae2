import { fingerprint, joined } from './fingerprint.js';

/** As long as a frame may be by default. Longer contents, and those with other characters, go the slow way. */
export const MAX_QUICK_LENGTH = 128 * 1024;
/** The characters, read four at a time. One for all: filled and read within one call. */
const bytes = Buffer.alloc(MAX_QUICK_LENGTH + 4);
const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);

/**
 * As `fingerprint`, for what never leaves this process: another number, in a sixth of the time where the content is ASCII, as
 * ciphertext in base64 or hex is. Equal contents have equal ones, whichever way they go.
 */
export function quickFingerprint(content: string): number {
  const { length } = content;
  if (length > MAX_QUICK_LENGTH || Buffer.byteLength(content) !== length) return fingerprint(content);
  // What the last word has beyond the content.
  words[length >>> 2] = 0;
  bytes.write(content, 0, 'latin1');
  let low = 0x9e3779b9 ^ length;
  let high = 0x85ebca6b;
  for (let i = 0; i << 2 < length; i++) {
    const word = words[i]!;
    low = Math.imul(low ^ word, 0xcc9e2d51);
    high = Math.imul(high ^ word, 0x1b873593);
    low = (low << 13) | (low >>> 19);
    high = (high << 15) | (high >>> 17);
  }
  return joined(low, high);
}
