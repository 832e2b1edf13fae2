const END = 0x80;

/** One byte 0x80, then zeros up to a multiple (ISO/IEC 7816-4): the length of a short text tells less. */
export function pad(plaintext: Uint8Array, multipleBytes: number): Uint8Array {
  const length = Math.ceil((plaintext.length + 1) / multipleBytes) * multipleBytes;
  const padded = new Uint8Array(length);
  padded.set(plaintext);
  padded[plaintext.length] = END;
  return padded;
}

/** `null` for what was not padded so. */
export function unpad(padded: Uint8Array): Uint8Array | null {
  let end = padded.length - 1;
  while (end >= 0 && padded[end] === 0) end--;
  return padded[end] === END ? padded.slice(0, end) : null;
}
