import type { Address } from '@relay/protocol';

/** Frozen: part of the stored format. */
export const BUCKETS = 1024;

/**
 * Everything of one address lives in one bucket, and so in one slot of a Cluster: a script may touch the mailbox, its
 * state and the bucket's totals together.
 */
export function bucketOf(address: Address): number {
  return Number.parseInt(address.slice(-3), 16) % BUCKETS;
}

/** The slot of a Cluster that a key is in: CRC-16/XMODEM of what stands in its first braces, or of all of it. */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = key.indexOf('}', open + 1);
  let crc = 0;
  for (const byte of Buffer.from(open >= 0 && close > open + 1 ? key.slice(open + 1, close) : key)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return crc & 0x3fff;
}
