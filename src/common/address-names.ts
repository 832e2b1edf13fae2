import { createHmac, hkdfSync } from 'node:crypto';

/** What stands for an address in a log. */
export type AddressName = (address: string) => string;

export interface NamingSettings {
  readonly logAddresses: boolean;
  /** `''`: none. */
  readonly adminToken: string;
}

const KEY_BYTES = 32;
/** 64 bits: no two of a billion addresses are likely to share a name. */
const NAME_DIGITS = 16;

/**
 * The address itself where the operator wants that; else a keyed hash, so that a list of all known addresses does not tell whose it is.
 * The key comes from ADMIN_TOKEN, which all nodes share, so that one address has one name on all of them; without one
 * it is random, and a name lasts as long as the process (docs/decisions/0032).
 */
export function addressNames(
  { logAddresses, adminToken }: NamingSettings,
  randomBytes: (count: number) => Buffer,
): AddressName {
  if (logAddresses) return (address) => address;
  const key =
    adminToken === ''
      ? randomBytes(KEY_BYTES)
      : Buffer.from(hkdfSync('sha256', adminToken, '', 'relay: names of addresses in logs', KEY_BYTES));
  return (address) =>
    `addr:${createHmac('sha256', key).update(address.toLowerCase()).digest('hex').slice(0, NAME_DIGITS)}`;
}
