/** How many WebSockets of a network opened (or, below 0, closed). */
export type Change = readonly [network: string, by: number];

/** What a worker is told first. */
export interface Beginning {
  /** 1 to `count`; one that replaces another takes its number over. */
  readonly worker: number;
  readonly count: number;
  /** That of the primary, with its `.env`: a worker that is replaced has the settings of the others, whatever was edited since. */
  readonly environment: Readonly<Record<string, string>>;
  /** 64 hex digits: what names of addresses in logs are made with where there is no ADMIN_TOKEN. */
  readonly namingKey: string;
  /** What the others have open. */
  readonly opened: readonly Change[];
}

/** A worker answers with a `ProcessState` or `ProcessHealth`, the primary with a `Group` of them. */
export type GroupQuestion = 'state' | 'health';

/** `ping`: whether it turns; `metrics`: as prom-client's JSON. */
export type Question = 'ping' | GroupQuestion | 'metrics';

interface Ask {
  readonly type: 'ask';
  readonly id: number;
  readonly question: Question;
}

interface Answer {
  readonly type: 'answer';
  /** Of the question. */
  readonly id: number;
  readonly value: unknown;
}

interface Opened {
  readonly type: 'opened';
  readonly changes: readonly Change[];
}

export type ToWorker =
  | { readonly type: 'begin'; readonly beginning: Beginning }
  /** Once all workers are prepared: whoever listens before the others gets all connections. */
  | { readonly type: 'listen' }
  | { readonly type: 'stop'; readonly signal: string }
  /** Whether new connections are to be passed on to the other workers. */
  | { readonly type: 'pass on'; readonly isOn: boolean }
  /** By all the others together. */
  | Opened
  | Ask
  | Answer;

export type ToPrimary =
  | { readonly type: 'hello' }
  /** Ready but for the port. */
  | { readonly type: 'prepared' }
  | { readonly type: 'listening'; readonly url: string }
  /** It cannot start, and ends. */
  | { readonly type: 'failed'; readonly exitCode: number; readonly reasons: readonly string[] }
  | { readonly type: 'accepting'; readonly isOn: boolean }
  | Opened
  | Ask
  | Answer;
