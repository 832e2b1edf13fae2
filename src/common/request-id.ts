export const REQUEST_ID = 'X-Request-Id';

/** Of a proxy, or of a client: too long to be counted through, too plain to do harm in a log. */
const WELL_FORMED = /^[\w.-]{16,64}$/;

/** The id that a request brings along; `null` where it brings none, or one that is not to be repeated. */
export function wellFormed(id: string | readonly string[] | undefined): string | null {
  return typeof id === 'string' && WELL_FORMED.test(id) ? id : null;
}
