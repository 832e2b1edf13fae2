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

/** @param {number} position  in the payload */
export function maskAt(position) {
  return maskingKey[position & 3] ?? 0;
}

/** @type {(payload: Buffer, firstByte: number) => Buffer} */
export function frame(payload, firstByte) {
  if (payload.length > 0xffff) throw new RangeError('frames above 65535 bytes are not needed here');
  const long = payload.length >= 126;
  const header = Buffer.alloc(long ? 4 : 2);
  header[0] = firstByte;
  header[1] = 0x80 | (long ? 126 : payload.length);
  if (long) header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, maskingKey, payload.map((byte, i) => byte ^ maskAt(i))]);
}

/** @param {unknown} value */
export function jsonFrame(value) {
  return frame(Buffer.from(JSON.stringify(value)), TEXT);
}
