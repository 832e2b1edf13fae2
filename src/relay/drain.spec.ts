import { Admission } from './admission.js';
import type { Connection } from './connection.js';
import { Connections } from './connections.js';
import { Drain } from './drain.js';

describe('Drain', () => {
  const admission = (): Admission =>
    new Admission({ allowedOrigins: ['*'], maxConnections: 1e6, maxConnectionsPerIp: 1e6, trustProxy: false });

  function crowd(size: number, connections: Connections, answers = true): { told: number[]; cut: number } {
    const seen = { told: [] as number[], cut: 0 };
    for (let i = 0; i < size; i++) {
      const connection = {
        goAway: (reconnectAfterMs: number) => {
          seen.told.push(reconnectAfterMs);
          if (answers) connections.remove(connection);
        },
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
    const drain = new Drain(admission(), connections, {
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
    expect(pauses.slice(0, -1).reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(10_000);
    expect(slices[0]).toBe(100);
    expect(Math.max(...seen.told) - Math.min(...seen.told)).toBeGreaterThan(5_000);
  });

  it('lets nobody in from its start on', async () => {
    const gate = admission();
    const drain = new Drain(gate, new Connections(), { budgetMs: 0, pause: () => Promise.resolve(), random: () => 0 });
    expect(gate.isDraining).toBe(false);
    const done = drain.run();
    expect(gate.isDraining).toBe(true);
    await done;
  });

  it('cuts whoever does not answer, and says how many', async () => {
    const connections = new Connections();
    const seen = crowd(3, connections, false);
    const drain = new Drain(admission(), connections, {
      budgetMs: 0,
      pause: () => Promise.resolve(),
      random: () => 0,
    });
    expect(await drain.run()).toBe(3);
    expect(seen.cut).toBe(3);
  });
});
