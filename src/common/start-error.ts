/** sysexits.h: 78 a wrong configuration, 69 something it needs is not available, 75 a drain that did not end in time. */
export const EXIT_CONFIGURATION = 78;
export const EXIT_UNAVAILABLE = 69;
export const EXIT_DRAIN_TIMEOUT = 75;

/** The relay cannot start, for `reasons` that an operator can act on; one line each, without secrets. */
export class StartError extends Error {
  override readonly name = 'StartError';

  constructor(
    /** One of the above; 1 for a worker that did not say why. */
    readonly exitCode: number,
    readonly reasons: readonly string[],
  ) {
    super(`Cannot start:\n${reasons.map((reason) => `  - ${reason}`).join('\n')}`);
  }
}
