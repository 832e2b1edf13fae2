import type { LoggerService } from '@nestjs/common';
import { pino, type Logger as Pino } from 'pino';
import pretty from 'pino-pretty';
import type { LogLevel } from './settings.js';
import { StartError } from './start-error.js';

/** What a log line may carry beside its text. Objects are left out: contents, bodies, frames and keys are objects or parts of one. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

const MAX_TEXT = 200;
/** Never written, whatever the caller thought. */
const SECRET = /content|token|signature|secret|password|authorization|cookie|key|data|body|payload/i;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** Lines for operators. Fields are redacted by their type and name, not by the discipline of the caller. */
export class Logger {
  private constructor(private readonly pino: Pino) {}

  static create(options: { level: LogLevel; json: boolean; destination?: NodeJS.WritableStream }): Logger {
    const destination = options.destination ?? process.stdout;
    const stream = options.json
      ? destination
      : pretty({ destination, colorize: process.stdout.isTTY, ignore: 'pid,hostname' });
    return new Logger(pino({ level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream));
  }

  debug(message: string, fields: LogFields = {}): void {
    this.pino.debug(redacted(fields), message);
  }

  info(message: string, fields: LogFields = {}): void {
    this.pino.info(redacted(fields), message);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.pino.warn(redacted(fields), message);
  }

  /** `cause`: logged by type, text and stack, never with the members that libraries hang on errors. */
  error(message: string, cause?: unknown, fields: LogFields = {}): void {
    this.pino.error({ ...redacted(fields), ...describe(cause) }, message);
  }
}

function redacted(fields: LogFields): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (SECRET.test(name)) safe[name] = '[redacted]';
    else if (typeof value === 'string') safe[name] = clean(value);
    else if (value === null || typeof value !== 'object') safe[name] = value;
  }
  return safe;
}

/** One line, no terminal sequences, bounded. */
export function clean(text: string, max: number = MAX_TEXT): string {
  return text.slice(0, max).replace(CONTROL, '?');
}

function describe(cause: unknown): Record<string, unknown> {
  if (!(cause instanceof Error)) return {};
  return { error: clean(cause.name), reason: clean(cause.message), stack: placesOf(cause).slice(0, 10) };
}

/** The stack without the text before it, whose lines may look like places. */
function placesOf({ stack = '', message }: Error): string[] {
  const start = stack.indexOf(message);
  if (start < 0) return [];
  const lines = stack.slice(start + message.length).split('\n');
  return lines.filter((line) => /^\s+at /.test(line)).map((line) => clean(line.trim()));
}

/** Nest's own lines, through the same redaction. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, context?: unknown): void {
    this.logger.debug(text(message), { context: text(context) });
  }

  warn(message: unknown, context?: unknown): void {
    this.logger.warn(text(message), { context: text(context) });
  }

  error(message: unknown, ...rest: unknown[]): void {
    // Said once, in plain words, by whoever starts us.
    if (message instanceof StartError) return;
    this.logger.error(text(message), message instanceof Error ? message : undefined, { context: text(rest.at(-1)) });
  }

  debug(message: unknown, context?: unknown): void {
    this.logger.debug(text(message), { context: text(context) });
  }
}

function text(value: unknown): string {
  if (value instanceof Error) return clean(value.message);
  return typeof value === 'string' ? clean(value) : '';
}
