import type { Address } from '@relay/protocol';
import { type MailboxLoad, MailboxSurvey } from '../queue/mailbox-survey.js';
import { MailboxRanking, RANKED } from './mailbox-ranking.js';

const addressOf = (n: number): Address => `0x${n.toString(16).padStart(40, '0')}` as Address;

/** Many more mailboxes than a test can fill: what waits in each follows from its number. */
class ManyMailboxes extends MailboxSurvey {
  rounds = 0;
  fails = false;
  readonly emptied = new Set<Address>();

  constructor(
    private readonly count: number,
    private readonly perPart: number,
  ) {
    super();
  }

  loadOf(n: number): MailboxLoad {
    const address = addressOf(n);
    if (this.emptied.has(address)) return { address, messages: 0, bytes: 0, oldestAt: null };
    return { address, messages: ((n * 7_919) % this.count) + 1, bytes: n, oldestAt: (n * 104_729) % this.count };
  }

  override load(mailbox: Address): Promise<MailboxLoad> {
    return Promise.resolve(this.loadOf(Number.parseInt(mailbox.slice(2), 16)));
  }

  override async *round(): AsyncGenerator<readonly MailboxLoad[], undefined> {
    this.rounds++;
    for (let first = 0; first < this.count; first += this.perPart) {
      if (this.fails) throw new Error('the store is away');
      const length = Math.min(this.perPart, this.count - first);
      yield await Promise.resolve(Array.from({ length }, (_, i) => this.loadOf(first + i)));
    }
  }
}

describe('the ranks of mailboxes', () => {
  let now = 0;

  beforeEach(() => (now = 0));

  it('are right at once where there are few', async () => {
    const survey = new ManyMailboxes(997, 64);
    const { fullest, slowest, of, seen, ageMs } = await new MailboxRanking(survey, () => now).look();
    expect(fullest.map(({ messages }) => messages)).toEqual(Array.from({ length: RANKED }, (_, i) => 997 - i));
    expect(slowest.map(({ oldestAt }) => oldestAt)).toEqual(Array.from({ length: RANKED }, (_, i) => i));
    expect([of, seen, ageMs]).toEqual([997, 0, 0]);
  });

  it('are found in bounded steps where there are many, and are right after a round', async () => {
    const survey = new ManyMailboxes(20_011, 100);
    const ranking = new MailboxRanking(survey, () => now);
    let steps = 0;
    for (let ranks = await ranking.look(); ranks.of === null; ranks = await ranking.look()) {
      steps++;
      expect([ranks.seen, ranks.fullest.length]).toEqual([steps * 2_000, RANKED]);
      now += 2_000;
    }
    expect(steps).toBe(10);
    const { fullest, of } = await ranking.look();
    expect(of).toBe(20_011);
    expect(fullest.map(({ messages }) => messages)).toEqual(Array.from({ length: RANKED }, (_, i) => 20_011 - i));
    expect(survey.rounds).toBe(1);
  });

  it('go on with a step however many look, and however often', async () => {
    const ranking = new MailboxRanking(new ManyMailboxes(20_011, 100), () => now);
    await Promise.all([ranking.look(), ranking.look()]);
    expect((await ranking.look()).seen).toBe(2_000);
  });

  it('show mailboxes as they are now, and none that was emptied since', async () => {
    const survey = new ManyMailboxes(997, 64);
    const ranking = new MailboxRanking(survey, () => now);
    const [first, second] = (await ranking.look()).fullest;
    survey.emptied.add(first!.address);
    const { fullest } = await ranking.look();
    expect(fullest[0]).toEqual(second);
    expect(fullest).toHaveLength(RANKED);
  });

  it('begin anew where the store was away in the middle of a round', async () => {
    const survey = new ManyMailboxes(5_003, 100);
    const ranking = new MailboxRanking(survey, () => now);
    await ranking.look();
    survey.fails = true;
    now += 2_000;
    await expect(ranking.look()).rejects.toThrow('away');
    survey.fails = false;
    for (let i = 0; i < 3; i++) {
      now += 2_000;
      await ranking.look();
    }
    expect((await ranking.look()).of).toBe(5_003);
  });
});
