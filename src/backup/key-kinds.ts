/** One kind of key under the prefix, and what a backup does with it. */
export interface KeyKind {
  /** What its keys begin with, up to the first `:` or `{`; `nodes` for `{nodes}`. */
  readonly name: string;
  /**
   * `mailbox`: saved in one step with the others of its address, restored all or none.
   * `address`: saved in the same step, restored where the address has none of its kind.
   * `own`: a unit by itself; bans are restored each by itself. `bucket`: counts and receipts of a bucket, added to what is there.
   * `derived`: made anew from the others. `fleeting`: of running processes; of no use afterwards.
   */
  readonly backup: 'mailbox' | 'address' | 'own' | 'bucket' | 'derived' | 'fleeting';
  /** Fields of a hash that are of no use afterwards begin so. */
  readonly dropFields?: string;
}

/** Every kind of key that a relay writes. A kind that is missing here fails a test (test/redis/backup.spec.ts); a backup saves it as `own`. */
export const KEY_KINDS: readonly KeyKind[] = [
  { name: 'mb', backup: 'mailbox' },
  { name: 'st', backup: 'mailbox' },
  { name: 'shr', backup: 'mailbox' },
  { name: 'rd', backup: 'mailbox' },
  { name: 'gho', backup: 'mailbox' },
  { name: 'key', backup: 'address' },
  { name: 'blk', backup: 'address' },
  { name: 'alw', backup: 'address' },
  { name: 'kno', backup: 'address' },
  { name: 'own', backup: 'address' },
  // Hashes of tokens: whoever signed in stays so, but where the address signed in to the target (`own`): what was ended there stays ended.
  { name: 'ses', backup: 'address' },
  // Which nodes hold connections of the address.
  { name: 'pre', backup: 'address', dropFields: 'c:' },
  { name: 'tot', backup: 'bucket' },
  { name: 'out', backup: 'bucket' },
  { name: 'exp', backup: 'derived' },
  { name: 'ghx', backup: 'derived' },
  { name: 'keys', backup: 'derived' },
  { name: 'clock', backup: 'own' },
  { name: 'ban', backup: 'own' },
  { name: 'lock', backup: 'fleeting' },
  // A sign-in by wallet takes two minutes, a revocation is looked for within ten, a count within its window.
  { name: 'lnk', backup: 'fleeting' },
  { name: 'rev', backup: 'fleeting' },
  { name: 'lim', backup: 'fleeting' },
  // Only compared by running processes; a restore of a block list raises it.
  { name: 'blv', backup: 'fleeting' },
  { name: 'nodes', backup: 'fleeting' },
  { name: 'onl', backup: 'fleeting' },
  // What nodes say of themselves, and what operators asked of them.
  { name: 'beat', backup: 'fleeting' },
  // Of a restore that is under way.
  { name: 'restoring', backup: 'fleeting' },
  { name: 'added', backup: 'fleeting' },
  { name: 'staged', backup: 'fleeting' },
];

const BY_NAME = new Map(KEY_KINDS.map((kind) => [kind.name, kind]));

/** Those that are saved with an address, in the order of their keys in a unit. */
export const ADDRESS_KINDS: readonly KeyKind[] = KEY_KINDS.filter(
  ({ backup }) => backup === 'mailbox' || backup === 'address',
);

export interface ParsedKey {
  readonly kind: KeyKind;
  readonly isKnown: boolean;
  /** -1: of none. */
  readonly bucket: number;
  /** What stands behind the bucket; `''`: nothing. */
  readonly name: string;
}

const KEY = /^([a-z]+)(?::\{(\d{1,4})\}(?::(.+))?)?/;

/** `key` without the prefix. */
export function parseKey(key: string): ParsedKey {
  const [, name = key.startsWith('{nodes}') ? 'nodes' : '', bucket, rest = ''] = KEY.exec(key) ?? [];
  const kind = BY_NAME.get(name);
  return {
    kind: kind ?? { name, backup: 'own' },
    isKnown: kind !== undefined,
    bucket: bucket === undefined ? -1 : Number(bucket),
    name: rest,
  };
}
