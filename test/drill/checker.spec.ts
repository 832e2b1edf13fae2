import { check, type Declarations } from './checker.mjs';
import { excusesFor } from './excuses.mjs';
import { type Event, hashOf, type NewEvent } from './history.mjs';

const ALICE = `0x${'a'.repeat(40)}`;
const BOB = `0x${'b'.repeat(40)}`;
const CAROL = `0x${'c'.repeat(40)}`;
const NODE = 'ws://127.0.0.1:20001';

/** Connections. */
const ALICES = 1;
const PHONE = 2;
const TABLET = 3;
const CAROLS = 4;
const PHONE_AGAIN = 5;

const HASH = hashOf('some content');

const signIn = (connection: number, address: string, device: string, protocol: 1 | 2 = 2): NewEvent[] => [
  { kind: 'connect', connection, address, device, protocol, node: NODE },
  { kind: 'open', connection },
];
const send = (messageId: string, to = BOB, connection = ALICES, from = ALICE): NewEvent => {
  return { kind: 'send', connection, from, to, messageId, hash: HASH };
};
const verdict = (
  messageId: string,
  said: 'queued' | 'delivered' | [code: string, outcome: string],
  to = BOB,
  connection = ALICES,
): NewEvent => {
  const answer =
    typeof said === 'string'
      ? { verdict: said, code: null, outcome: null }
      : { verdict: 'error' as const, code: said[0], outcome: said[1] };
  return { kind: 'verdict', connection, from: ALICE, to, messageId, ...answer };
};
const receive = (messageId: string, id: string, connection: number, from = ALICE): NewEvent => {
  return { kind: 'receive', connection, id, from, messageId, hash: HASH };
};
const handover = (messageId: string, id: string, device: string, address = BOB): NewEvent => {
  return { kind: 'handover', address, device, id, from: ALICE, messageId };
};
const ack = (upTo: string, connection: number): NewEvent => ({ kind: 'ack', connection, upTo });
const receipt = (
  messageId: string,
  status: 'queued' | 'delivered' | 'read' | 'expired',
  connection = ALICES,
): NewEvent => {
  return { kind: 'receipt', connection, status, peer: BOB, messageId, id: null };
};
/** It came, was handed over and acknowledged. */
const taken = (messageId: string, id: string, connection: number, device: string): NewEvent[] => [
  receive(messageId, id, connection),
  handover(messageId, id, device),
  ack(id, connection),
];

/** Nothing is wrong with this one. An event every 100 ms, where it says nothing else. */
const STORY: readonly (NewEvent & { t?: number })[] = [
  ...signIn(ALICES, ALICE, 'phone'),
  ...signIn(PHONE, BOB, 'phone'),
  ...signIn(TABLET, BOB, 'tablet'),
  ...signIn(CAROLS, CAROL, 'classic', 1),

  send('m1'),
  ...taken('m1', '1-1', PHONE, 'phone'),
  ...taken('m1', '1-1', TABLET, 'tablet'),
  verdict('m1', 'delivered'),

  send('m2'),
  verdict('m2', 'queued'),
  ...taken('m2', '1-2', PHONE, 'phone'),
  ...taken('m2', '1-2', TABLET, 'tablet'),
  receipt('m2', 'delivered'),
  { kind: 'read', connection: PHONE, from: ALICE, messageId: 'm2' },
  receipt('m2', 'read'),

  send('m3', CAROL),
  receive('m3', '7-1', CAROLS),
  handover('m3', '7-1', 'classic', CAROL),
  verdict('m3', 'delivered', CAROL),

  send('m4', CAROL),
  verdict('m4', ['mailbox_full', 'refused'], CAROL),

  { kind: 'roundtrip', connection: PHONE, sentAt: 3_500, t: 3_600 },
  { kind: 'roundtrip', connection: PHONE, sentAt: 5_000, t: 5_100 },
  { kind: 'close', connection: PHONE, code: 1006, by: 'relay', t: 6_000 },
  { ...signIn(PHONE_AGAIN, BOB, 'phone')[0]!, t: 6_500 },
  { ...signIn(PHONE_AGAIN, BOB, 'phone')[1]!, t: 6_600 },
  { ...send('m5'), t: 7_000 },
  ...taken('m5', '1-5', PHONE_AGAIN, 'phone').map((event) => ({ ...event, t: 7_100 })),
  ...taken('m5', '1-5', TABLET, 'tablet').map((event) => ({ ...event, t: 7_200 })),
  { ...verdict('m5', 'delivered'), t: 7_300 },
  { kind: 'size', address: BOB, size: 0, t: 20_000 },
];

function timed(story: readonly (NewEvent & { t?: number })[]): Event[] {
  let t = 0;
  return story.map((event) => ({ ...event, t: (t = event.t ?? t + 100) }));
}

type Match = Partial<Record<string, unknown>>;

/** A history to spoil. */
class Story {
  constructor(readonly events: readonly Event[] = timed(STORY)) {}

  without(match: Match): Story {
    this.find(match);
    return new Story(this.events.filter((event) => !fits(event, match)));
  }

  /** Right behind the first that fits, at the same time. */
  after(match: Match, ...more: NewEvent[]): Story {
    const place = this.find(match) + 1;
    const { t } = this.events[place - 1]!;
    const added = more.map((event) => ({ ...event, t }));
    return new Story([...this.events.slice(0, place), ...added, ...this.events.slice(place)]);
  }

  /** The first that fits. */
  with(match: Match, change: Match): Story {
    const place = this.find(match);
    const changed = this.events.map((event, i) => (i === place ? { ...event, ...change } : event));
    return new Story(changed.toSorted((a, b) => a.t - b.t));
  }

  at(t: number, ...more: NewEvent[]): Story {
    const added = more.map((event) => ({ ...event, t }));
    return new Story([...this.events, ...added].toSorted((a, b) => a.t - b.t));
  }

  brokenRules(declarations: Partial<Declarations> = {}): string[] {
    return [...new Set(check(this.events, declarations).map(({ rule }) => rule))];
  }

  private find(match: Match): number {
    const place = this.events.findIndex((event) => fits(event, match));
    if (place < 0) throw new Error(`nothing fits ${JSON.stringify(match)}`);
    return place;
  }
}

function fits(event: Event, match: Match): boolean {
  return Object.entries(match).every(([name, value]) => (event as unknown as Match)[name] === value);
}

const story = new Story();
const storeFault = { kind: 'fault', what: 'kill-redis', target: 'redis', touches: 'store', result: '' } as const;
const drain = { kind: 'fault', what: 'term-node', target: NODE, touches: 'node' } as const;

/** `m6` is sent and answered; who gets it is for the case to say. */
const withSixth = story.at(8_000, send('m6'), verdict('m6', 'queued'));
const replacement = {
  kind: 'connect',
  connection: 9,
  address: BOB,
  device: 'tablet',
  protocol: 2,
  node: NODE,
} as const;

describe('the checker', () => {
  it('finds nothing in a history where nothing went wrong', () => {
    expect(check(story.events, { emptyAddresses: [BOB] })).toEqual([]);
  });

  it('says enough to find the place', () => {
    const [violation] = check(story.without({ kind: 'handover', messageId: 'm1', device: 'tablet' }).events);
    expect(violation).toEqual({
      rule: 'lost',
      text: `m1 (${ALICE} → ${BOB}): \`delivered\` at 1.600 s, and never handed over on tablet`,
    });
  });

  const planted: readonly [bug: string, rule: string, Story][] = [
    [
      'an accepted message that one device never got',
      'lost',
      story.without({ kind: 'handover', messageId: 'm5', device: 'tablet' }),
    ],
    [
      'an accepted message that no classic connection got',
      'lost',
      story.without({ kind: 'handover', messageId: 'm3' }),
    ],
    ['a queued message that nobody got', 'lost', withSixth],
    ['a message that expired', 'lost', story.at(8_000, receipt('m5', 'expired'))],
    ['a gap', 'lost', story.at(8_000, { kind: 'gap', connection: TABLET, reason: 'dropped', count: 3 })],

    ['a message that nobody sent', 'invented', story.at(8_000, receive('m99', '1-9', TABLET))],
    ['a verdict for a message of somebody else', 'invented', story.at(8_000, receipt('m1', 'queued', CAROLS))],
    ['a message at the wrong address', 'misdirected', story.at(8_000, receive('m3', '1-9', TABLET))],
    [
      'another content',
      'altered',
      story.with({ kind: 'receive', connection: TABLET, messageId: 'm5' }, { hash: 'other' }),
    ],

    ['an entry handed over twice', 'doubled', story.at(8_000, handover('m5', '1-5', 'phone'))],
    ['a message stored twice', 'stored-twice', story.at(8_000, receive('m5', '1-6', PHONE_AGAIN))],
    ['an entry twice on one connection', 'sent-twice', story.at(8_000, receive('m5', '1-5', PHONE_AGAIN))],
    ['a message that was refused', 'refused-arrived', story.at(8_000, receive('m4', '7-2', CAROLS))],

    [
      'devices that see another order',
      'order-of-devices',
      // Sent again after an error, so its sender expects no order.
      withSixth
        .at(7_010, { ...send('m7') }, verdict('m7', ['store_unavailable', 'unknown']))
        .at(8_100, send('m7'), verdict('m7', 'queued'))
        .at(8_200, ...taken('m6', '1-6', PHONE_AGAIN, 'phone'), ...taken('m7', '1-7', PHONE_AGAIN, 'phone'))
        .at(8_300, ...taken('m7', '1-7', TABLET, 'tablet'), ...taken('m6', '1-6', TABLET, 'tablet'))
        .at(8_400, receipt('m6', 'delivered'), receipt('m7', 'delivered')),
    ],
    [
      'the order of a sender turned round',
      'order-of-sender',
      withSixth
        .at(8_100, send('m7'), verdict('m7', 'queued'))
        .at(8_200, ...taken('m7', '1-6', PHONE_AGAIN, 'phone'), ...taken('m6', '1-7', PHONE_AGAIN, 'phone'))
        .at(8_300, ...taken('m7', '1-6', TABLET, 'tablet'), ...taken('m6', '1-7', TABLET, 'tablet'))
        .at(8_400, receipt('m6', 'delivered'), receipt('m7', 'delivered')),
    ],

    [
      '`delivered` before anybody acknowledged',
      'false-delivered',
      story.with({ kind: 'verdict', messageId: 'm5' }, { t: 7_050 }),
    ],
    [
      '`delivered` before a classic client received',
      'false-delivered',
      story.with({ kind: 'verdict', messageId: 'm3' }, { t: 2_850 }),
    ],
    [
      '`delivered` for what was written to a socket and never acknowledged',
      'false-delivered',
      story
        .without({ kind: 'ack', upTo: '1-5', connection: PHONE_AGAIN })
        .without({ kind: 'ack', upTo: '1-5', connection: TABLET }),
    ],
    ['`read` that nobody said', 'false-read', story.at(8_000, receipt('m1', 'read'))],
    ['`delivered` after `read`', 'delivered-after-read', story.at(8_000, receipt('m2', 'delivered'))],
    ['`queued` after `delivered`', 'queued-after-delivered', story.at(8_000, receipt('m5', 'queued'))],

    ['an acknowledged entry that comes back', 'acknowledged-again', story.at(6_700, receive('m2', '1-2', PHONE_AGAIN))],

    ['a send without an answer', 'no-verdict', story.at(8_000, send('m4', CAROL))],
    [
      'a send that no connection ever answered',
      'no-verdict',
      story.at(19_000, send('m8', CAROL)).at(19_100, { kind: 'close', connection: ALICES, code: 1006, by: 'relay' }),
    ],
    ['an answer that comes too late', 'late-verdict', story.with({ kind: 'verdict', messageId: 'm5' }, { t: 17_100 })],
    ['`id_conflict`', 'id-conflict', story.with({ kind: 'verdict', messageId: 'm4' }, { code: 'id_conflict' })],
    [
      'an error of a kind that should not occur',
      'unexpected-error',
      story.with({ kind: 'verdict', messageId: 'm4' }, { code: 'internal' }),
    ],
    [
      'an error that does not say what became of the message',
      'unexpected-error',
      story.with({ kind: 'verdict', messageId: 'm4' }, { outcome: null }),
    ],
    [
      'an error out of the blue',
      'unexpected-error',
      story.at(8_000, { kind: 'error', connection: PHONE_AGAIN, code: 'ack_ahead' }),
    ],
    [
      'a repeat that is refused although the message was accepted',
      'answers-differ',
      story.at(8_000, send('m5'), verdict('m5', ['mailbox_full', 'refused'])),
    ],

    [
      'a repeat that is only queued although the message was delivered',
      'answers-differ',
      story
        .at(8_000, { kind: 'close', connection: ALICES, code: 1006, by: 'relay' })
        .at(8_200, ...signIn(9, ALICE, 'phone'), send('m5', BOB, 9), verdict('m5', 'queued', BOB, 9)),
    ],

    [
      'no `delivered` for what was acknowledged',
      'receipt-missing',
      story.without({ kind: 'receipt', status: 'delivered' }).without({ kind: 'receipt', status: 'read' }),
    ],
    ['no `read` although somebody said so', 'receipt-missing', story.without({ kind: 'receipt', status: 'read' })],

    [
      'two sessions of one device',
      'one-session',
      story.at(8_000, {
        kind: 'contest',
        address: BOB,
        device: 'tablet',
        survivors: 2,
        silent: 0,
        codes: [4409, 4409],
      }),
    ],
    [
      'no session of a device that connected many times',
      'one-session',
      story.at(8_000, {
        kind: 'contest',
        address: BOB,
        device: 'tablet',
        survivors: 0,
        silent: 0,
        codes: [4409, 4409],
      }),
    ],
    ['a session replaced by nobody', 'one-session', story.with({ kind: 'close', connection: PHONE }, { code: 4409 })],
    [
      'entries for a session that was replaced',
      'replaced-still-served',
      story.at(3_500, replacement).at(3_600, { kind: 'open', connection: 9 }),
    ],

    ['a process that ended by itself', 'process-ended', story.at(8_000, { kind: 'ended', process: NODE, exit: '1' })],
    [
      'a node that does not stop as it should',
      'drain',
      story.at(8_000, { ...drain, from: 7_000, to: 8_000, result: 'SIGKILL' }),
    ],
    [
      'a connection cut while its node said goodbye',
      'drain',
      story.at(8_000, { ...drain, from: 5_900, to: 8_000, result: 'exit 0' }),
    ],
    ['a close that says that a client did wrong', 'unexpected-close', story.with({ kind: 'close' }, { code: 4400 })],
  ];

  it.each(planted)('catches %s, as %s and nothing else', (_bug, rule, spoiled) => {
    expect(spoiled.brokenRules()).toEqual([rule]);
  });

  const LAYOUT = { kind: 'layout', saves: 9, savesKept: 9, opens: 2, opensKept: 2, rebuilt: 0 } as const;
  it.each([
    ['a later place of a state that an older version lost', 'field-lost', { savesKept: 8 }],
    ['a later place of a device that an older version lost', 'field-lost', { opensKept: 0 }],
    ['an upgrade that never was one', 'not-upgraded', { opens: 0, opensKept: 0 }],
    ['a state that one version takes for damaged', 'state-rebuilt', { rebuilt: 1 }],
  ])('catches %s', (_what, rule, change) => {
    expect(story.at(8_000, LAYOUT).brokenRules()).toEqual([]);
    expect(story.at(8_000, { ...LAYOUT, ...change }).brokenRules()).toEqual([rule]);
  });

  it('catches entries for a session that was replaced while another node stood still', () => {
    const stop = { ...drain, what: 'stop-node', target: 'ws://another', from: 3_000, to: 6_900, result: '' } as const;
    const history = story.at(3_500, replacement).at(3_600, { kind: 'open', connection: 9 }).at(6_900, stop);
    expect(history.brokenRules()).toEqual(['replaced-still-served']);
  });

  it('catches a store that does not add up', () => {
    const differs: NewEvent = { kind: 'audit', differences: ['bucket 1: waiting by the totals: 4, expected 3'] };
    expect(story.at(8_000, { kind: 'audit', differences: [] }).brokenRules()).toEqual([]);
    expect(story.at(8_000, differs).brokenRules()).toEqual(['store-out-of-balance']);
  });

  describe('where a restart must go unnoticed', () => {
    /** Forty sends at `t`, each answered after so many ms. */
    const sends = (t: number, tookMs: (i: number) => number): Story => {
      let busy = new Story(story.events.filter((event) => event.kind !== 'close'));
      for (let i = 0; i < 40; i++) {
        busy = busy.at(t, send(`s${i}`)).at(t + tookMs(i), verdict(`s${i}`, ['mailbox_full', 'refused']));
        busy = busy.at(t + tookMs(i), receipt(`s${i}`, 'queued'));
      }
      return busy;
    };
    const rulesOf = (one: Story) => one.brokenRules({ sendP99Ms: 2_000 }).filter((rule) => /^cut$|^slow/.test(rule));

    it('catches sends that are slow for a few seconds, and counts one that is slow among many', () => {
      expect(rulesOf(sends(10_000, () => 1_900))).toEqual([]);
      expect(rulesOf(sends(10_000, (i) => (i < 2 ? 2_500 : 20)))).toEqual(['slow-sends']);
      expect(rulesOf(sends(10_000, () => 2_500))).toEqual(['slow-sends']);
    });

    it('does not count what its sender left unanswered by leaving', () => {
      const left = sends(10_000, () => 2_500).at(10_100, {
        kind: 'close',
        connection: ALICES,
        code: 1000,
        by: 'relay',
      });
      expect(rulesOf(left)).toEqual([]);
    });

    it('catches a connection that was cut, and not one that was never there', () => {
      expect(rulesOf(story)).toEqual(['cut']);
      expect(story.brokenRules()).toEqual([]);
      expect(rulesOf(story.with({ kind: 'close' }, { code: 1012 }))).toEqual([]);
      const refused = story
        .with({ kind: 'close' }, { code: 1012 })
        .at(8_000, replacement)
        .at(8_001, { kind: 'close', connection: 9, code: 1006, by: 'relay' });
      expect(rulesOf(refused)).toEqual([]);
    });
  });

  it('catches a store that keeps what it no longer owes, or does not say', () => {
    const emptyAddresses = [BOB];
    expect(story.with({ kind: 'size' }, { size: 2 }).brokenRules({ emptyAddresses })).toEqual(['store-not-empty']);
    expect(story.without({ kind: 'size' }).brokenRules({ emptyAddresses })).toEqual(['store-not-empty']);
  });

  const allowed: readonly [what: string, Story][] = [
    [
      'a send whose connection ended, repeated on the next one',
      story
        .at(8_000, send('m6'))
        .at(8_100, { kind: 'close', connection: ALICES, code: 1006, by: 'relay' })
        .at(8_200, ...signIn(9, ALICE, 'phone'), send('m6', BOB, 9))
        .at(8_300, ...taken('m6', '1-6', PHONE_AGAIN, 'phone'), ...taken('m6', '1-6', TABLET, 'tablet'))
        .at(8_400, verdict('m6', 'delivered', BOB, 9)),
    ],
    [
      'an entry again on a new connection, where its acknowledgement may have been lost',
      story.without({ kind: 'roundtrip', sentAt: 5_000 }).at(6_700, receive('m2', '1-2', PHONE_AGAIN)),
    ],
    [
      'an entry again, where the store broke when it was acknowledged',
      story.at(5_500, { ...storeFault, from: 3_000, to: 3_200 }).at(6_700, receive('m2', '1-2', PHONE_AGAIN)),
    ],
    [
      'a message of unknown outcome that arrives, and one that does not',
      story
        .at(8_000, send('m6'), verdict('m6', ['store_unavailable', 'unknown']))
        .at(8_000, send('m7'), verdict('m7', ['store_unavailable', 'unknown']))
        .at(8_100, ...taken('m6', '1-6', PHONE_AGAIN, 'phone'), ...taken('m6', '1-6', TABLET, 'tablet'))
        .at(8_200, receipt('m6', 'delivered')),
    ],
    [
      '`delivered` as the answer to a repeat, even after `read`',
      story.at(8_000, send('m2'), verdict('m2', 'delivered')),
    ],
    [
      'a replaced session where wake-ups were lost',
      story
        .at(3_500, replacement)
        .at(3_600, { kind: 'open', connection: 9 })
        .at(3_700, { ...storeFault, touches: 'wake-ups', from: 3_000, to: 3_700 }),
    ],
    [
      'entries for a session that was replaced while its node stood still',
      story
        .at(3_500, replacement)
        .at(3_600, { kind: 'open', connection: 9 })
        .at(6_900, { ...drain, what: 'stop-node', from: 3_000, to: 6_900, result: '' }),
    ],
    [
      'a receipt that comes in place of a verdict',
      story
        .at(8_000, send('m6'))
        .at(8_100, ...taken('m6', '1-6', PHONE_AGAIN, 'phone'), ...taken('m6', '1-6', TABLET, 'tablet'))
        .at(8_200, receipt('m6', 'delivered')),
    ],
    [
      'no survivor that answers, where one is on a node that stands still',
      story.at(8_000, { kind: 'contest', address: BOB, device: 'tablet', survivors: 0, silent: 1, codes: [4409] }),
    ],
    ['a device that signed in after the send, and is owed nothing', story.at(8_000, ...signIn(9, BOB, 'watch'))],
  ];

  it.each(allowed)('allows %s', (_what, history) => {
    expect(history.brokenRules()).toEqual([]);
  });

  it('allows a receipt to be lost where that was declared, and only there', () => {
    const lost = story.without({ kind: 'receipt', status: 'delivered' }).without({ kind: 'receipt', status: 'read' });
    const around = (from: number, to: number, address = ALICE) => ({ excuses: [{ address, from, to }] });
    expect(lost.brokenRules(around(0, 4_000))).toEqual([]);
    expect(lost.brokenRules(around(0, 1_000))).toEqual(['receipt-missing']);
    expect(lost.brokenRules(around(0, 4_000, CAROL))).toEqual(['receipt-missing']);
  });

  it('declares receipts around a link that broke, and none where it was closed in order', () => {
    expect(excusesFor(story.events)).toEqual([{ address: BOB, from: 4_000, to: 8_000 }]);
    expect(excusesFor(story.with({ kind: 'close' }, { code: 1012 }).events)).toEqual([]);
  });
});
