import type { LoggerService } from '@nestjs/common';
import { pino, type Logger as Pino } from 'pino';
import pretty from 'pino-pretty';
import type { LogLevel } from './settings.js';
import { randomBytes } from 'node:crypto';
import { type AddressName, addressNames } from './address-names.js';
import { StartError } from './start-error.js';

/** What a log line may carry beside its text. Objects are left out: contents, bodies, frames and keys are objects or parts of one. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

const MAX_TEXT = 200;
/** Never written, whatever the caller thought. */
const SECRET = /content|token|signature|secret|password|authorization|cookie|key|data|body|payload/i;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** An address; with more digits a key, a signature or a hash, which are nobody's business. */
const HEX = /0x[0-9a-f]{40,}/gi;
const ADDRESS_LENGTH = 42;

interface LoggerOptions {
  readonly level: LogLevel;
  readonly json: boolean;
  readonly destination?: NodeJS.WritableStream;
  /** Where left out, names last as long as the process. */
  readonly addressName?: AddressName;
  /** Which of several workers this is; in every line. */
  readonly worker?: number;
}

/** Lines for operators. Fields are redacted by their type and name, not by the discipline of the caller. */
export class Logger {
  private constructor(
    private readonly pino: Pino,
    private readonly addressName: AddressName,
  ) {}

  static create(options: LoggerOptions): Logger {
    const destination = options.destination ?? process.stdout;
    const stream = options.json
      ? destination
      : pretty({ destination, colorize: process.stdout.isTTY, ignore: 'pid,hostname' });
    const name = options.addressName ?? addressNames({ logAddresses: false, adminToken: '' }, randomBytes);
    const base = options.worker === undefined ? null : { worker: options.worker };
    return new Logger(pino({ level: options.level, base, timestamp: pino.stdTimeFunctions.isoTime }, stream), name);
  }

  debug(message: string, fields: LogFields = {}): void {
    if (this.pino.isLevelEnabled('debug')) this.pino.debug(this.redacted(fields), this.unnamed(message));
  }

  info(message: string, fields: LogFields = {}): void {
    if (this.pino.isLevelEnabled('info')) this.pino.info(this.redacted(fields), this.unnamed(message));
  }

  warn(message: string, fields: LogFields = {}): void {
    if (this.pino.isLevelEnabled('warn')) this.pino.warn(this.redacted(fields), this.unnamed(message));
  }

  /** `cause`: logged by type, text and stack, never with the members that libraries hang on errors. */
  error(message: string, cause?: unknown, fields: LogFields = {}): void {
    this.pino.error({ ...this.redacted(fields), ...this.describe(cause) }, this.unnamed(message));
  }

  private redacted(fields: LogFields): Record<string, unknown> {
    const safe: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(fields)) {
      if (SECRET.test(name)) safe[name] = '[redacted]';
      else if (typeof value === 'string') safe[name] = this.clean(value);
      else if (value === null || typeof value !== 'object') safe[name] = value;
    }
    return safe;
  }

  private describe(cause: unknown): Record<string, unknown> {
    if (!(cause instanceof Error)) return {};
    const stack = placesOf(cause)
      .slice(0, 10)
      .map((line) => this.clean(line));
    return { error: this.clean(cause.name), reason: this.clean(cause.message), stack };
  }

  private clean(text: string): string {
    // A name is shorter than its address: what is cut off here does not come into view again.
    return clean(this.unnamed(text.slice(0, 4 * MAX_TEXT)));
  }

  /** Texts of libraries name keys of the store, and those end with an address. */
  private unnamed(text: string): string {
    return text.replace(HEX, (hex) => (hex.length === ADDRESS_LENGTH ? this.addressName(hex) : '0x…'));
  }
}

/** One line, no terminal sequences, bounded. */
export function clean(text: string, max: number = MAX_TEXT): string {
  return text.slice(0, max).replace(CONTROL, '?');
}

/** The stack without the text before it, whose lines may look like places. */
function placesOf({ stack = '', message }: Error): string[] {
  const start = stack.indexOf(message);
  if (start < 0) return [];
  const lines = stack.slice(start + message.length).split('\n');
  return lines.filter((line) => /^\s+at /.test(line)).map((line) => line.trim());
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
