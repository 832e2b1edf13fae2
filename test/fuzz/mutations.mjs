// @ts-check
/** How a right JSON object goes wrong: by member, and as text. */
import fc from 'fast-check';
import { oddText, oddValue } from './values.mjs';

/**
 * Name and JSON text of each member, in order: unlike an object it can have one twice.
 * @typedef {readonly (readonly [string, string])[]} Members
 * @typedef {(members: Members) => Members} Mutation
 */

/** @param {Record<string, unknown>} object @returns {Members} */
export const membersOf = (object) => Object.entries(object).map(([name, value]) => [name, JSON.stringify(value)]);

/** @param {Members} members */
const textOf = (members) => `{${members.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join()}}`;

const place = fc.nat(20);
const memberName = fc.oneof(oddText, fc.constantFrom('type', 'to', 'messageId', 'content', 'address', '__proto__'));

/** @type {(at: number, change: (member: readonly [string, string]) => readonly [string, string]) => Mutation} */
const changed = (at, change) => (members) =>
  members.map((member, i) => (i === at % members.length ? change(member) : member));

/** @type {(at: number) => Mutation} */
const dropped = (at) => (members) => members.filter((_, i) => i !== at % members.length);

/** @type {(at: number, json: string) => Mutation} */
const doubled = (at, json) => (members) => {
  const twice = members[at % members.length];
  return twice === undefined ? members : [...members, [twice[0], json]];
};

/** @type {(name: string, json: string) => Mutation} */
const extended = (name, json) => (members) => [...members, [name, json]];

/** @type {Mutation} */
const reversed = (members) => [...members].reverse();

/** @type {fc.Arbitrary<Mutation>} */
const mutation = fc.oneof(
  place.map(dropped),
  fc.tuple(place, oddValue).map(([at, json]) => changed(at, ([name]) => [name, json])),
  fc.tuple(place, oddValue).map(([at, json]) => doubled(at, json)),
  place.map((at) => changed(at, ([name, json]) => [name, `[${json}]`])),
  place.map((at) => changed(at, ([name, json]) => [name, `{"a":${json}}`])),
  fc.tuple(place, memberName).map(([at, name]) => changed(at, ([, json]) => [name, json])),
  fc.tuple(memberName, oddValue).map(([name, json]) => extended(name, json)),
  fc.constant(reversed),
);

/** @type {fc.Arbitrary<(text: string) => string>} */
const textMutation = fc.oneof(
  { weight: 12, arbitrary: fc.constant((/** @type {string} */ text) => text) },
  {
    weight: 1,
    arbitrary: fc.nat(200).map((at) => (/** @type {string} */ text) => text.slice(0, at % (text.length + 1))),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(200), fc.string({ unit: 'binary', maxLength: 3 }))
      .map(([at, more]) => (/** @type {string} */ text) => {
        const cut = at % (text.length + 1);
        return text.slice(0, cut) + more + text.slice(cut);
      }),
  },
  { weight: 1, arbitrary: oddValue.map((json) => () => json) },
);

/** Right in half of the cases; else with up to three mutations. @param {fc.Arbitrary<Members>} object @returns {fc.Arbitrary<string>} */
export function mutated(object) {
  const mutations = fc.oneof(
    fc.constant(/** @type {Mutation[]} */ ([])),
    fc.array(mutation, { minLength: 1, maxLength: 3 }),
  );
  return fc
    .tuple(object, mutations, textMutation)
    .map(([members, all, change]) => change(textOf(all.reduce((result, mutate) => mutate(result), members))));
}
