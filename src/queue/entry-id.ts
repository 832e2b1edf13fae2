declare const entryId: unique symbol;

/**
 * `<ms>-<sequence>`: opaque to clients. `sequence` counts every entry that a mailbox ever got, so bounds and gaps are
 * arithmetic; `ms` never goes back, so ids rise even where a count was lost with its store.
 */
export type EntryId = string & { readonly [entryId]: true };

export const ENTRY_ID = /^\d{1,15}-\d{1,15}$/;

export function formatEntryId(ms: number, sequence: number): EntryId {
  return `${ms}-${sequence}` as EntryId;
}

export function parseEntryId(value: string): EntryId | null {
  return ENTRY_ID.test(value) ? (value as EntryId) : null;
}

export function sequenceOf(id: EntryId | null): number {
  return id === null ? 0 : Number(id.slice(id.indexOf('-') + 1));
}

/** In the order of a mailbox: by time, then by sequence, which begins anew where a store lost its memory. */
export function isLater(id: EntryId, than: EntryId | null): boolean {
  if (than === null) return true;
  const difference = msOf(id) - msOf(than);
  return difference === 0 ? sequenceOf(id) > sequenceOf(than) : difference > 0;
}

/** When the entry was stored, ms since 1970. */
export function msOf(id: EntryId): number {
  return Number(id.slice(0, id.indexOf('-')));
}
