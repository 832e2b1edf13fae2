/** What was found to be otherwise than the document says. */
export class Unmet extends Error {
  /** @param {string} what @param {unknown} expected @param {unknown} got */
  constructor(what, expected, got) {
    super(what);
    this.expected = shown(expected);
    this.got = shown(got);
  }
}

/**
 * Fails unless `got` has what `shape` says: members of objects as far as they are named, lists whole, functions as predicates.
 * @param {string} what @param {unknown} got @param {unknown} shape
 */
export function expect(what, got, shape) {
  if (!fits(got, shape)) throw new Unmet(what, shape, got);
}

/** @param {unknown} got @param {unknown} shape @returns {boolean} */
export function fits(got, shape) {
  if (typeof shape === 'function') return Boolean(shape(got));
  if (shape instanceof RegExp) return typeof got === 'string' && shape.test(got);
  if (typeof shape !== 'object' || shape === null) return Object.is(got, shape);
  if (typeof got !== 'object' || got === null) return false;
  if (Array.isArray(shape) !== Array.isArray(got)) return false;
  const members = /** @type {Record<string, unknown>} */ (got);
  if (Array.isArray(shape) && shape.length !== /** @type {unknown[]} */ (got).length) return false;
  return Object.entries(shape).every(([name, value]) => fits(members[name], value));
}

/** @param {unknown} value */
export const anInteger = (value) => Number.isSafeInteger(value);
/** @param {unknown} value */
export const aText = (value) => typeof value === 'string' && value !== '';
/** @param {unknown} value */
export const absent = (value) => value === undefined;
/** @param {number} least */
export const atLeast = (least) => {
  const check = (/** @type {any} */ value) => Number.isSafeInteger(value) && value >= least;
  return Object.defineProperty(check, 'name', { value: `atLeast ${least}` });
};

const SHOWN_MAX = 1500;

/** @param {unknown} value */
function shown(value) {
  if (typeof value === 'string') return value;
  const text = JSON.stringify(value, (_, member) => {
    if (typeof member === 'function') return `<${member.name}>`;
    if (member instanceof RegExp) return String(member);
    return member === undefined ? '<nothing>' : member;
  });
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)} …` : text;
}
