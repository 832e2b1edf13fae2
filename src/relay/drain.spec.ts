import { Admission } from './admission.js';
import type { Connection } from './connection.js';
import { Connections } from './connections.js';
import { Drain } from './drain.js';
import { Verdicts } from './verdicts.js';
import { ManualClock } from '../../test/support/manual-clock.js';

describe('Drain', () => {
  const verdicts = new Verdicts(new ManualClock());

  const admission = (): Admission =>
    new Admission(
      {
        allowedOrigins: ['*'],
        maxConnections: 1e6,
        maxConnectionsHere: 1e6,
        maxConnectionsPerIp: 1e6,
        trustProxy: false,
      },
      { makeRoom: () => false },
    );

  function crowd(size: number, connections: Connections, answers = true): { told: number[]; cut: number } {
    const seen = { told: [] as number[], cut: 0 };
    for (let i = 0; i < size; i++) {
      const connection = {
        goAway: (reconnectAfterMs: number) => {
          seen.told.push(reconnectAfterMs);
          if (answers) connections.remove(connection);
        },
        stopReading: () => Promise.resolve(),
        link: { terminate: () => seen.cut++ },
      } as unknown as Connection;
      connections.add(connection);
    }
    return seen;
  }

  it('sends everybody away in slices, within half of its budget, with spread delays', async () => {
    const connections = new Connections();
    const seen = crowd(10_000, connections);
    const pauses: number[] = [];
    const slices: number[] = [];
    let random = 0;
    const drain = new Drain(admission(), connections, verdicts, {
      budgetMs: 20_000,
      pause: (ms) => {
        pauses.push(ms);
        slices.push(seen.told.length);
        return Promise.resolve();
      },
      random: () => (random = (random + 0.1) % 1),
    });
    expect(await drain.run()).toBe(0);
    expect(seen.told).toHaveLength(10_000);
    // Without waiting for sends at the beginning and for goodbyes at the end.
    expect(pauses.slice(1, -1).reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(10_000);
    expect(slices.slice(0, 2)).toEqual([0, 100]);
    expect(Math.max(...seen.told) - Math.min(...seen.told)).toBeGreaterThan(5_000);
  });

  it('lets nobody in from its start on', async () => {
    const gate = admission();
    const drain = new Drain(gate, new Connections(), verdicts, {
      budgetMs: 0,
      pause: () => Promise.resolve(),
      random: () => 0,
    });
    expect(gate.isDraining).toBe(false);
    const done = drain.run();
    expect(gate.isDraining).toBe(true);
    await done;
  });

  it('answers what it has read before it says goodbye, but does not wait for ever', async () => {
    const connections = new Connections();
    const seen = crowd(1, connections);
    const [client] = connections.values();
    let ended = (): void => undefined;
    let giveUp = (): void => undefined;
    Object.assign(client!, { stopReading: () => new Promise<void>((resolve) => (ended = resolve)) });
    const pause = () => new Promise<void>((resolve) => (giveUp = resolve));
    const drain = new Drain(admission(), connections, verdicts, { budgetMs: 0, pause, random: () => 0 });
    const done = drain.run();
    expect(seen.told).toEqual([]);
    ended();
    await done;
    expect(seen.told).toEqual([500]);

    crowd(1, connections);
    Object.assign([...connections.values()][0]!, { stopReading: () => new Promise<void>(() => undefined) });
    const hanging = new Drain(admission(), connections, verdicts, { budgetMs: 0, pause, random: () => 0 }).run();
    giveUp();
    expect(await hanging).toBe(0);
  });

  it('cuts whoever does not answer, and says how many', async () => {
    const connections = new Connections();
    const seen = crowd(3, connections, false);
    const drain = new Drain(admission(), connections, verdicts, {
      budgetMs: 0,
      pause: () => Promise.resolve(),
      random: () => 0,
    });
    expect(await drain.run()).toBe(3);
    expect(seen.cut).toBe(3);
  });
});
