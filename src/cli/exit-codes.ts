import { EXIT_CONFIGURATION, EXIT_DRAIN_TIMEOUT, EXIT_UNAVAILABLE } from '../common/start-error.js';

/** What the command line ends with; docs/operations.md has the same table. From sysexits.h, beside 1 and 2. */
export const EXIT = {
  ok: 0,
  /** It ran, and what it looked at is not in order, or what was asked for was refused. */
  failed: 1,
  usage: 2,
  /** Redis, the relay or a port is not available. */
  unavailable: EXIT_UNAVAILABLE,
  /** A mistake of ours. */
  software: 70,
  /** A drain that did not end in time. */
  temporary: EXIT_DRAIN_TIMEOUT,
  configuration: EXIT_CONFIGURATION,
} as const;

/** Ends a command with that code and text. */
export class CommandError extends Error {
  override readonly name = 'CommandError';

  constructor(
    readonly exitCode: number,
    message: string,
  ) {
    super(message);
  }
}
