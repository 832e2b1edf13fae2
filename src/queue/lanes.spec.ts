import {
  type Backlog,
  CHARACTERS_PER_TURN,
  Lanes,
  MOST_CHARACTERS_UNDER_WAY,
  MOST_CHARACTERS_WAITING,
  MOST_UNDER_WAY,
  MOST_WAITING,
  PATIENCE_MS,
} from './lanes.js';

describe('lanes before a store', () => {
  let nowMs: number;
  let went: string[];
  let refused: string[];
  let backlog: Backlog;
  let lanes: Lanes<string>;

  const made = (): Lanes<string> =>
    new Lanes({
      now: () => nowMs,
      go: (item) => went.push(item),
      refuse: (item) => refused.push(item),
      backlog,
    });

  beforeEach(() => {
    nowMs = 1_000;
    went = [];
    refused = [];
    backlog = { items: 0, characters: 0 };
    lanes = made();
  });

  /** As much as may be under way. */
  const fill = (): void => {
    for (let n = 0; n < MOST_UNDER_WAY; n++) lanes.enter('busy', `busy ${n}`, 1);
    went = [];
  };
  const enter = (name: string, count: number, characters = 1): void => {
    for (let n = 0; n < count; n++) lanes.enter(name, `${name} ${n}`, characters);
  };

  it('keep nothing back while there is room', () => {
    enter('a', MOST_UNDER_WAY - 1);
    expect(went).toHaveLength(MOST_UNDER_WAY - 1);
    expect(backlog.items).toBe(0);
  });

  it('let no more go than may be under way, and one more for each that was answered', () => {
    enter('a', MOST_UNDER_WAY + 5);
    expect(went).toHaveLength(MOST_UNDER_WAY);
    lanes.left(3, 3);
    expect(went.slice(MOST_UNDER_WAY)).toEqual([0, 1, 2].map((n) => `a ${MOST_UNDER_WAY + n}`));
    expect(backlog).toEqual({ items: 2, characters: 2 });
    lanes.left(100, 100);
    expect(went).toHaveLength(MOST_UNDER_WAY + 5);
    expect(backlog).toEqual({ items: 0, characters: 0 });
  });

  it('have whoever sends one thing wait for one of each other lane, however much they hold', () => {
    fill();
    for (const flood of ['x', 'y', 'z']) enter(flood, 1_000);
    enter('contact', 1);
    lanes.left(4, 4);
    expect(went).toEqual(['x 0', 'y 0', 'z 0', 'contact 0']);
  });

  it('let a newcomer go first, once in a round', () => {
    fill();
    for (const flood of ['x', 'y']) enter(flood, 1_000);
    lanes.left(3, 3);
    expect(went).toEqual(['x 0', 'y 0', 'x 1']);
    enter('contact', 1);
    lanes.left(1, 1);
    expect(went.at(-1)).toBe('contact 0');
    // It had its turn of this round, and has its place in the next.
    enter('contact', 1);
    lanes.left(5, 5);
    expect(went.slice(4)).toEqual(['y 1', 'x 2', 'contact 0', 'y 2', 'x 3']);
    // Its turn came, it had nothing, and it is a newcomer again.
    lanes.left(3, 3);
    expect(went.slice(9)).toEqual(['y 3', 'x 4', 'y 4']);
    enter('contact', 1);
    lanes.left(1, 1);
    expect(went.at(-1)).toBe('contact 0');
  });

  it('keep the order within a lane, whatever else goes between', () => {
    fill();
    enter('a', 50);
    enter('b', 20);
    for (let n = 0; n < 70; n++) lanes.left(1, 1);
    const ofEach = (name: string): string[] => went.filter((item) => item.startsWith(name));
    expect(ofEach('a')).toEqual(Array.from({ length: 50 }, (_, n) => `a ${n}`));
    expect(ofEach('b')).toEqual(Array.from({ length: 20 }, (_, n) => `b ${n}`));
  });

  it('overtake nobody who waits, though there is room', () => {
    enter('large', 2, MOST_CHARACTERS_UNDER_WAY);
    enter('small', 1);
    expect(went).toEqual(['large 0']);
    lanes.left(1, MOST_CHARACTERS_UNDER_WAY);
    expect(went).toEqual(['large 0', 'large 1']);
    lanes.left(1, MOST_CHARACTERS_UNDER_WAY);
    expect(went).toEqual(['large 0', 'large 1', 'small 0']);
  });

  it('count characters too: what is behind something large waits for more turns, and a newcomer does not', () => {
    fill();
    enter('large', 2, 3 * CHARACTERS_PER_TURN);
    enter('small', 8, CHARACTERS_PER_TURN);
    lanes.left(10, 10);
    const small = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => `small ${n}`);
    expect(went).toEqual(['large 0', ...small.slice(0, 5), 'large 1', ...small.slice(5)]);
  });

  it('may be less patient', () => {
    lanes = new Lanes({
      now: () => nowMs,
      go: (item) => went.push(item),
      refuse: (item) => refused.push(item),
      backlog,
      patienceMs: 500,
    });
    fill();
    enter('a', 2);
    nowMs += 500;
    lanes.left(1, 1);
    expect([went, refused]).toEqual([[], ['a 0', 'a 1']]);
  });

  it('give up what waited too long, and nothing else', () => {
    fill();
    enter('a', 2);
    nowMs += PATIENCE_MS - 1;
    enter('b', 2);
    lanes.left(1, 1);
    expect([went, refused]).toEqual([['a 0'], []]);
    nowMs++;
    lanes.left(1, 1);
    expect([went, refused]).toEqual([['a 0', 'b 0'], ['a 1']]);
    nowMs += PATIENCE_MS;
    lanes.left(1, 1);
    expect(refused).toEqual(['a 1', 'b 1']);
    expect(backlog).toEqual({ items: 0, characters: 0 });
    // There is room now: nobody waits, and a lane that was given up opens again.
    enter('a', 1);
    expect(went.at(-1)).toBe('a 0');
  });

  it('go on with a lane that was given up and has something anew', () => {
    fill();
    enter('a', 1);
    enter('b', 1);
    nowMs += PATIENCE_MS;
    lanes.left(0, 0);
    expect(refused).toEqual(['a 0', 'b 0']);
    for (const name of ['b', 'a', 'c']) enter(name, 2);
    lanes.left(6, 6);
    expect(went).toEqual(['b 0', 'a 0', 'c 0', 'b 1', 'a 1', 'c 1']);
  });

  it('refuse what is more than may wait, and keep half of the room for lanes in which nothing does', () => {
    fill();
    enter('a', MOST_WAITING);
    expect([backlog.items, refused.length]).toEqual([MOST_WAITING / 2, MOST_WAITING / 2]);
    lanes.enter('b', 'b', 1);
    expect(backlog.items).toBe(MOST_WAITING / 2 + 1);
    lanes.enter('b', 'b again', 1);
    expect(refused.at(-1)).toBe('b again');
    for (let n = backlog.items; n <= MOST_WAITING; n++) lanes.enter(`one of many ${n}`, `many ${n}`, 1);
    expect([backlog.items, refused.at(-1)]).toEqual([MOST_WAITING, `many ${MOST_WAITING}`]);
  });

  it('refuse by characters too, of all that share the bound', () => {
    fill();
    const others = made();
    for (let n = 0; n < MOST_UNDER_WAY; n++) others.enter('busy', 'busy', 1);
    lanes.enter('a', 'a', MOST_CHARACTERS_WAITING);
    others.enter('b', 'b', 1);
    expect(refused).toEqual(['b']);
    lanes.left(1, 1);
    others.enter('b', 'b again', 1);
    expect(refused).toEqual(['b']);
    others.left(1, 1);
    expect(went.slice(-2)).toEqual(['a', 'b again']);
  });

  it('lose and double nothing, whatever comes in which order', () => {
    const entered: string[] = [];
    let answered = 0;
    // The same sequence each time: a linear congruential generator.
    let state = 12_345;
    const random = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((state / 2_147_483_648) * below);
    };
    for (let n = 0; n < 50_000; n++) {
      const name = `lane ${random(20)}`;
      entered.push(`${name}: ${n}`);
      lanes.enter(name, `${name}: ${n}`, 1);
      if (random(10) > 0) continue;
      const some = Math.min(went.length - answered, random(12));
      answered += some;
      lanes.left(some, some);
      expect(went.length - answered).toBeLessThanOrEqual(MOST_UNDER_WAY);
    }
    while (answered < went.length) {
      answered++;
      lanes.left(1, 1);
    }
    expect(refused).toEqual([]);
    expect([...went].sort()).toEqual([...entered].sort());
    const inLane = (items: readonly string[], lane: number): string[] =>
      items.filter((item) => item.startsWith(`lane ${lane}:`));
    for (let lane = 0; lane < 20; lane++) expect(inLane(went, lane)).toEqual(inLane(entered, lane));
  });
});
