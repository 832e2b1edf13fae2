import { CLOSE_CODES, type ErrorCode, ERRORS } from '@relay/protocol';

/** Counts by outcome. Plain numbers, read when somebody asks: a library's counter costs a tenth of the message that it would count. */
export class Tally<Outcome extends string> {
  readonly counts: Readonly<Record<Outcome, number>>;

  constructor(readonly outcomes: readonly Outcome[]) {
    this.counts = Object.fromEntries(outcomes.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
  }

  add(outcome: Outcome, count = 1): void {
    (this.counts as Record<Outcome, number>)[outcome] += count;
  }
}

/** From a tenth of a millisecond to a minute, in seconds; beyond the last is `+Inf`. */
export const DURATION_BOUNDS_SECONDS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60,
];
const BOUNDS_MS = DURATION_BOUNDS_SECONDS.map((seconds) => seconds * 1000);

/** How long something took, as a histogram. */
export class Durations {
  /** One for each bound, not cumulative, and one for what is beyond the last. */
  readonly counts = new Float64Array(BOUNDS_MS.length + 1);
  sumMs = 0;

  observe(ms: number): void {
    let i = 0;
    while (i < BOUNDS_MS.length && ms > BOUNDS_MS[i]!) i++;
    this.counts[i]!++;
    this.sumMs += ms;
  }
}

/** Ends of connections: our close codes, the client's 1005 (none given), 1006 (no closing handshake), and any other. */
export const END_CODES: readonly string[] = [...Object.keys(CLOSE_CODES), '1005', '1006', 'other'];

/** What the relay counts as it works, in this process since its start. `src/metrics/` names it for Prometheus. */
export class Metrics {
  /** What became of frames that send a message: `stored`, `repeat`, `blocked` by its recipient, `ephemeral`, or the code of the refusal. */
  readonly sends = new Tally<'stored' | 'repeat' | 'blocked' | 'ephemeral' | ErrorCode>([
    'stored',
    'repeat',
    'blocked',
    'ephemeral',
    ...(Object.keys(ERRORS) as ErrorCode[]),
  ]);
  /** From the decoded frame to the store's answer. */
  readonly accepting = new Durations();
  /** From when the mailbox took a message to its first acknowledgement, as far as clients are connected meanwhile. */
  readonly delivering = new Durations();
  /** Receipts for senders: sent straight to who is connected, or stored in the mailbox. */
  readonly receipts = new Tally<'sent' | 'stored'>(['sent', 'stored']);
  readonly connectionsOpened = new Tally<'opened'>(['opened']);
  readonly connectionsEnded = new Tally<string>(END_CODES);
  readonly upgradesRefused = new Tally<string>(['400', '403', '404', '405', '426', '429', '503']);
  readonly signIns = new Tally<'believed' | 'proven' | 'resumed' | ErrorCode>([
    'believed',
    'proven',
    'resumed',
    ...(Object.keys(ERRORS) as ErrorCode[]),
  ]);
  /** Frames and requests that a limit refused. */
  readonly limited = new Tally<'rest' | 'frames' | 'connections' | 'sign_ins' | 'network'>([
    'rest',
    'frames',
    'connections',
    'sign_ins',
    'network',
  ]);
  /**
   * Calls to Redis, each once: one command, or one script, which may store or acknowledge many messages. `refused` also where
   * it was not sent. Not here: subscriptions, and what is asked of every primary at once. None with STORAGE=memory.
   */
  readonly storeCalls = new Tally<'ok' | 'refused' | 'unknown' | 'error'>(['ok', 'refused', 'unknown', 'error']);
  /** Of those that are `ok`. */
  readonly storeRoundTrips = new Durations();
  /** Messages stored where four fifths of what may wait, or more, did so. */
  readonly nearlyFull = new Tally<'stored'>(['stored']);
  /** Parts of the store whose ledger was compared with its mailboxes, by this node. */
  readonly ledgerChecks = new Tally<'checked' | 'skipped'>(['checked', 'skipped']);
  /** By how many messages they differed when last looked at; 0 also where another node looks. */
  ledgerImbalance = 0;
  readonly jobsFailed = new Tally<'failed'>(['failed']);

  ledgerChecked({ imbalance, checked, skipped }: Record<'imbalance' | 'checked' | 'skipped', number>): void {
    this.ledgerImbalance = imbalance;
    this.ledgerChecks.add('checked', checked);
    this.ledgerChecks.add('skipped', skipped);
  }

  ended(code: number): void {
    const name = String(code);
    this.connectionsEnded.add(name in this.connectionsEnded.counts ? name : 'other');
  }
}
