/** Names and numbers that describe a kind of work: never an address, an id that a client chose, or anything of a content. */
export type TraceFields = Readonly<Record<string, string | number | boolean>>;

export interface Finished {
  readonly name: string;
  /** `server`: somebody asked us; `client`: we asked the store. */
  readonly kind: 'server' | 'client';
  /** It ends now. */
  readonly tookMs: number;
  readonly fields: TraceFields;
  readonly isFailed: boolean;
  /** W3C `traceparent` of who asked, as it came. */
  readonly parent?: string | undefined;
}

/** How long single pieces of work took, for who looks at them one by one; the metrics have them all. */
export abstract class Tracing {
  /** False: nothing is recorded, and nobody need ask the time for it. */
  abstract readonly isOn: boolean;

  /** Something that has just ended. */
  abstract record(finished: Finished): void;
}

export class NoTracing extends Tracing {
  override readonly isOn = false;

  override record(): void {
    // Nobody looks.
  }
}
