import { jest } from '@jest/globals';
import fc from 'fast-check';
import { KeyRepository } from '../../src/keys/key.repository.js';
import { QueueRepository } from '../../src/queue/queue.repository.js';
import { KINDS } from '../fuzz/properties.mjs';
import { Bystanders, type World } from '../fuzz/world.mjs';
import { type RunningRelay, startRelay } from '../support/relay.js';

/** A bounded run of what `npm run fuzz` does for longer, with the built relay. Printed where a case fails. */
const SEED = Number(process.env.FUZZ_SEED ?? 20_261_124);
const RUNS = Number(process.env.FUZZ_RUNS ?? 80);
const TEST_MS = 300_000 + RUNS * 1_000;

interface Fuzzed {
  readonly relay: RunningRelay;
  readonly bystanders: Bystanders;
}

async function start(): Promise<Fuzzed> {
  const relay = await startRelay({ env: { MAX_CONNECTIONS_PER_IP: '100000', HISTORY_RETENTION_HOURS: '1' } });
  const sent = { frames: 0, requests: 0 };
  let told = relay.log().length;
  // What a client sends is never worth a warning, and a bug of ours always is.
  const faults = (): string[] => {
    const lines = relay.log().slice(told).split('\n');
    told = relay.log().length;
    return lines.filter((line) => line !== '' && (JSON.parse(line) as { level: number }).level >= 40);
  };
  const world: World = { port: relay.port, keepsHistory: true, maxFrameBytes: 131_072, faults, sent };
  return { relay, bystanders: await Bystanders.arrive(world) };
}

async function check({ bystanders }: Fuzzed, kind: string, numRuns = RUNS): Promise<fc.RunDetails<[unknown]>> {
  return fc.check(await KINDS[kind]!.make(bystanders.world, bystanders), { seed: SEED, numRuns });
}

async function stop({ relay, bystanders }: Fuzzed): Promise<void> {
  bystanders.leave();
  await relay.stop();
}

describe('a relay that is sent anything', () => {
  let fuzzed: Fuzzed;

  beforeAll(async () => {
    fuzzed = await start();
    process.stdout.write(`seed ${SEED}, ${RUNS} cases of each kind\n`);
  });

  afterAll(async () => stop(fuzzed));

  it.each(Object.keys(KINDS))(
    'answers as it should, and others get their messages: %s',
    async (kind) => {
      const details = await check(fuzzed, kind);
      if (details.failed) throw new Error(fc.defaultReportMessage(details));
      const { sent } = fuzzed.bystanders.world;
      expect(sent[KINDS[kind]!.counts]).toBeGreaterThanOrEqual(RUNS);
    },
    TEST_MS,
  );
});

describe('the search itself', () => {
  let fuzzed: Fuzzed;

  beforeAll(async () => {
    fuzzed = await start();
  });

  afterAll(async () => {
    jest.restoreAllMocks();
    await stop(fuzzed);
  });

  it.each<[string, string, () => { mockRestore(): void }]>([
    [
      'a store that throws',
      'sessions',
      () =>
        jest
          .spyOn(fuzzed.relay.app.get(QueueRepository, { strict: false }), 'markRead')
          .mockRejectedValue(new Error('planted')),
    ],
    [
      'a call that fails with 500',
      'calls',
      () =>
        jest
          .spyOn(fuzzed.relay.app.get(KeyRepository, { strict: false }), 'getMany')
          .mockRejectedValue(new Error('planted')),
    ],
  ])(
    'finds %s',
    async (_name, kind, plant) => {
      const planted = plant();
      const details = await check(fuzzed, kind, 600);
      planted.mockRestore();
      expect(details.failed).toBe(true);
      expect(details.counterexample).not.toBeNull();
    },
    2 * TEST_MS,
  );
});
