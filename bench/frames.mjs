// @ts-check
/** WebSocket frames as a client sends them (RFC 6455, section 5.2). */

export const TEXT = 0x81; // with FIN: unfragmented
export const CLOSE = 0x88;
export const PING = 0x89;
export const PONG = 0x8a;

/**
 * Zero, so that a frame is built once and only its numbers change. `ws` does not unmask such a frame, which spares every
 * server the same; fill it before the first frame is built to have that work done as well (`--mask`).
 */
export const maskingKey = Buffer.alloc(4);

/** @type {(payload: Buffer, firstByte: number) => Buffer} */
export function frame(payload, firstByte) {
  return Buffer.concat([head(payload.length, firstByte), payload.map((byte, i) => byte ^ (maskingKey[i & 3] ?? 0))]);
}

/** @type {(length: number, firstByte: number) => Buffer} */
function head(length, firstByte) {
  if (length < 126) return Buffer.from([firstByte, 0x80 | length, ...maskingKey]);
  const isShort = length <= 0xffff;
  const header = Buffer.alloc(isShort ? 4 : 10);
  header[0] = firstByte;
  header[1] = 0x80 | (isShort ? 126 : 127);
  if (isShort) header.writeUInt16BE(length, 2);
  else header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, maskingKey]);
}

/** @param {unknown} value */
export function jsonFrame(value) {
  return frame(Buffer.from(JSON.stringify(value)), TEXT);
}
