import { Command } from 'ioredis';

/** What ioredis 6 keeps of a command that waits. */
interface Timed {
  _commandTimeoutTimer?: NodeJS.Timeout;
  readonly isSettled: boolean;
}

/**
 * A command that looks at the socket once more before it gives up: where this process itself stood still (a suspended machine, a
 * long collection), timers are called before what came meanwhile is read, and everything under way would count as unanswered.
 */
export class PatientCommand extends Command {
  override setTimeout(ms: number): void {
    const timed = this as unknown as Timed;
    timed._commandTimeoutTimer ??= setTimeout(() => {
      setImmediate(() => {
        if (!timed.isSettled) this.reject(new Error('Command timed out'));
      });
    }, ms);
  }
}
