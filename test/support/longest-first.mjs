// @ts-check
import { createRequire } from 'node:module';

/** Its types speak of what `require` gives. @type {unknown} */
const required = createRequire(import.meta.url)('@jest/test-sequencer');
const { default: Sequencer } = /** @type {typeof import('@jest/test-sequencer')} */ (required);

/** Suites that mostly wait, for processes, pages or an outage; longest first. Their size tells nothing of how long they take. */
const LONGEST = [
  'redis/workers',
  'browser/admin',
  'e2e/start',
  'browser/demo',
  'e2e/protocol-planted',
  'redis/verify',
  'redis/backup',
  'e2e/fuzz',
  'contracts/queue.redis',
  'redis/upgrade',
  'e2e/protocol-clients',
  'e2e/protocol-suite',
  'e2e/slow-consumer',
  'e2e/hostile-regexes',
  'client/test/drill/drill',
  'redis/identity-nodes',
  'redis/outage',
  'e2e/version-2',
  'e2e/sign-in',
  'support/redis-server',
  'redis/failover',
  'e2e/hostile-slow',
];

/** @param {import('@jest/test-result').Test} test */
function rank({ path }) {
  const at = LONGEST.findIndex((name) => path.endsWith(`/${name}.spec.ts`));
  return at === -1 ? LONGEST.length : at;
}

/** A long suite that begins last runs alone while the other workers have nothing to do. On a fresh machine Jest knows no durations. */
export default class LongestFirst extends Sequencer {
  /** @override @param {import('@jest/test-result').Test[]} tests */
  async sort(tests) {
    return [...(await super.sort(tests))].sort((a, b) => rank(a) - rank(b));
  }
}
