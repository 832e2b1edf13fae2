/**
 * @typedef {import('../world.mjs').World} World
 * @typedef {object} Case
 * @property {string} section of docs/protocol.md
 * @property {string} name
 * @property {readonly (1 | 2)[]} versions of the protocol that it is run with, where the relay has them
 * @property {(world: World) => string | null} skip why it cannot be tried here
 * @property {(world: World) => Promise<void>} run
 * @property {boolean} isSlow takes a quarter of a minute or more
 * @typedef {{ versions?: readonly (1 | 2)[], needs?: readonly Need[], isSlow?: boolean }} CaseOptions
 * @typedef {(world: World) => string | null} Need
 */

/** @type {readonly (1 | 2)[]} */
export const BOTH = [1, 2];
/** @type {readonly (1 | 2)[]} */
const NEWEST = [2];

/** @param {string} section @returns {(name: string, run: (world: World) => Promise<void>, options?: CaseOptions) => Case} */
export function casesOf(section) {
  return (name, run, { versions = NEWEST, needs = [], isSlow = false } = {}) => ({
    section,
    name,
    versions,
    isSlow,
    run,
    skip: (world) => needs.map((need) => need(world)).find((reason) => reason !== null) ?? null,
  });
}

/** @type {Need} */
export const canSignIn = ({ facts }) => (facts.auth.domain === null ? 'the relay has no domain to sign for' : null);
/** @type {Need} */
export const isOpen = ({ relay }) => (relay.isSigned ? 'every address has to be proved here' : null);
/** @type {Need} */
export const isSigned = ({ relay }) => (relay.isSigned ? null : 'addresses are believed here');
/** @param {string} feature @returns {Need} */
export const has = (feature) => (world) => (world.facts.features[feature] ? null : `no ${feature} here`);
/** @param {string} limit @param {number} most @returns {Need} */
export const atMost = (limit, most) => (world) => {
  const bound = world.facts.limits[limit] ?? Infinity;
  return bound <= most ? null : `${limit} is ${bound}: more than this suite sends`;
};
