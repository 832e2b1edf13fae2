const TEXT = 0x81;
const PING = 0x89;
/** A frame's header is 2, 4 or 10 bytes; servers do not mask (RFC 6455 §5.2). */
const LONGEST_HEADER = 10;
const BYTES_PER_UNIT = 3;
const INITIAL_BYTES = 64 * 1024;
const KEPT_BYTES = 1024 * 1024;

/** Where the frames of one flush are assembled. One buffer serves all connections: a flush begins and ends in one call. */
let scratch = Buffer.allocUnsafeSlow(INITIAL_BYTES);

/** Text frames, then a ping where `pingPayload` is set, ready for the socket. Bytes: RFC 6455 §5.2. */
export function assemble(texts: readonly string[], pingPayload: string | null): Buffer {
  let offset = 0;
  for (const text of texts) {
    offset = writeFrame(TEXT, text, offset);
  }
  if (pingPayload !== null) offset = writeFrame(PING, pingPayload, offset);
  const bytes = Buffer.from(scratch.subarray(0, offset));
  if (scratch.length > KEPT_BYTES) scratch = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  return bytes;
}

function writeFrame(opcode: number, text: string, offset: number): number {
  const most = text.length * BYTES_PER_UNIT;
  ensure(offset + LONGEST_HEADER + most, offset);
  // Where the header's size follows from the text's length, whatever its bytes are, the text is encoded in place.
  if (most < 126) return writeShort(opcode, text, offset);
  if (text.length >= 126 && most < 65536) return writeMedium(opcode, text, offset);
  const length = Buffer.byteLength(text);
  const start = writeHeader(opcode, length, offset);
  return start + scratch.write(text, start, length, 'utf8');
}

function writeShort(opcode: number, text: string, offset: number): number {
  const length = scratch.write(text, offset + 2, 'utf8');
  scratch[offset] = opcode;
  scratch[offset + 1] = length;
  return offset + 2 + length;
}

function writeMedium(opcode: number, text: string, offset: number): number {
  const length = scratch.write(text, offset + 4, 'utf8');
  scratch[offset] = opcode;
  scratch[offset + 1] = 126;
  scratch[offset + 2] = length >>> 8;
  scratch[offset + 3] = length & 0xff;
  return offset + 4 + length;
}

function writeHeader(opcode: number, length: number, offset: number): number {
  scratch[offset] = opcode;
  if (length < 126) {
    scratch[offset + 1] = length;
    return offset + 2;
  }
  if (length < 65536) {
    scratch[offset + 1] = 126;
    return scratch.writeUInt16BE(length, offset + 2);
  }
  scratch[offset + 1] = 127;
  return scratch.writeUInt32BE(length, scratch.writeUInt32BE(0, offset + 2));
}

function ensure(bytes: number, used: number): void {
  if (bytes <= scratch.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes, scratch.length * 2));
  scratch.copy(larger, 0, 0, used);
  scratch = larger;
}
