// @ts-check
/** Everything that is tried, by name. A case is judged by what its own peers saw, by two bystanders, and by the relay's health. */
import fc from 'fast-check';
import { callsFrom, insistOnAnswer, insistOnEnd, rawRequests } from './requests.mjs';
import { playAll, sessions } from './sessions.mjs';
import { firstFrame, meet, pour, rawBytes } from './strangers.mjs';
import { insistOnHealth } from './world.mjs';

/**
 * @typedef {import('./world.mjs').World} World
 * @typedef {import('./world.mjs').Bystanders} Bystanders
 * @typedef {{ counts: 'frames' | 'requests', share: number, make: (world: World, bystanders: Bystanders) => fc.IAsyncProperty<[unknown]> | Promise<fc.IAsyncProperty<[unknown]>> }} Kind
 */

/**
 * @template T
 * @param {fc.Arbitrary<T>} arbitrary
 * @param {Bystanders} bystanders
 * @param {(value: T) => Promise<void>} run
 */
function judged(arbitrary, bystanders, run) {
  const property = fc.asyncProperty(arbitrary, async (value) => {
    await run(value);
    await bystanders.insistUntouched();
    insistOnHealth(bystanders.world);
  });
  return /** @type {fc.IAsyncProperty<[unknown]>} */ (/** @type {unknown} */ (property));
}

/** `share` is how much of all frames, or of all requests. @type {Readonly<Record<string, Kind>>} */
export const KINDS = {
  sessions: {
    counts: 'frames',
    share: 0.8,
    make: (world, them) => judged(sessions, them, (all) => playAll(world, all, them)),
  },
  strangers: {
    counts: 'frames',
    share: 0.1,
    make: (world, them) => judged(firstFrame, them, (first) => meet(world, first)),
  },
  bytes: { counts: 'frames', share: 0.1, make: (world, them) => judged(rawBytes, them, (raw) => pour(world, raw)) },
  calls: {
    counts: 'requests',
    share: 0.7,
    make: async (world, them) => judged(await callsFrom(world), them, (call) => insistOnAnswer(world, call)),
  },
  'raw requests': {
    counts: 'requests',
    share: 0.3,
    make: (world, them) => judged(rawRequests, them, (raw) => insistOnEnd(world, raw)),
  },
};
