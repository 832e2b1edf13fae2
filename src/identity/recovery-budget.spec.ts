import type { Address, Proof } from '@relay/protocol';
import { RecoveryBudget } from './recovery-budget.js';

const PROOF: Proof = { scheme: 'idena', signature: `0x${'11'.repeat(65)}` };

/** Each recovery takes a millisecond. */
function budgetOf(options: { maxWaiting?: number } = {}) {
  let now = 0;
  const recovered: string[] = [];
  const turns: (() => void)[] = [];
  const budget = new RecoveryBudget({
    recover: (text) => {
      now += 1;
      recovered.push(text);
      if (text === 'broken') throw new Error('broken');
      return text as Address;
    },
    now: () => now,
    nextTurn: (run) => turns.push(run),
    ...options,
  });
  const turn = (): void => turns.splice(0).forEach((run) => run());
  return { budget, recovered, turns, turn };
}

describe('RecoveryBudget', () => {
  it('does a few in each turn, in order, and none in the turn that asks', async () => {
    const { budget, recovered, turns, turn } = budgetOf();
    const texts = Array.from({ length: 10 }, (_, i) => `t${i}`);
    const answers = texts.map((text) => budget.addressOf(text, PROOF));
    expect(recovered).toEqual([]);
    turn();
    expect(recovered).toEqual(texts.slice(0, 4));
    turn();
    turn();
    expect(recovered).toEqual(texts);
    expect(turns).toEqual([]);
    expect(await Promise.all(answers)).toEqual(texts);
  });

  it('refuses more than may wait, and takes more once there is room', async () => {
    const { budget, turn } = budgetOf({ maxWaiting: 4 });
    const answers = ['a', 'b', 'c', 'd'].map((text) => budget.addressOf(text, PROOF));
    await expect(budget.addressOf('e', PROOF)).rejects.toMatchObject({ code: 'unavailable' });
    turn();
    const late = budget.addressOf('f', PROOF);
    turn();
    expect(await Promise.all([...answers, late])).toEqual(['a', 'b', 'c', 'd', 'f']);
  });

  it('goes on after one that throws', async () => {
    const { budget, turn } = budgetOf();
    const broken = budget.addressOf('broken', PROOF);
    const next = budget.addressOf('next', PROOF);
    turn();
    await expect(broken).rejects.toThrow('broken');
    expect(await next).toBe('next');
  });

  it('keeps the event loop free while a thousand wait', async () => {
    const budget = new RecoveryBudget();
    let turns = 0;
    let isDone = false;
    const watch = (): void => {
      turns++;
      if (!isDone) setImmediate(watch);
    };
    const flood = Promise.all(
      Array.from({ length: 1000 }, (_, i) =>
        budget.addressOf(`nonce ${i}`, { ...PROOF, signature: `0x${'11'.repeat(64)}01` }),
      ),
    );
    watch();
    await flood;
    isDone = true;
    // 4 ms of work in each: how many that are, the fastest machine decides.
    expect(turns).toBeGreaterThan(5);
  });
});
