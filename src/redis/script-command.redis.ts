import { PatientCommand } from './patient-command.redis.js';

export type Argument = string | number | Buffer;

/** A text whose length as UTF-8 is known already. */
export interface Measured {
  readonly text: string;
  readonly bytes: number;
}

export type ScriptArgument = Argument | Measured;

/** Number of keys, keys and arguments of a call as Redis reads them, and how many that are; `null` where some are bytes. */
export function textOf(
  keys: readonly string[],
  args: readonly ScriptArgument[],
): { readonly text: string; readonly count: number } | null {
  let text = numberText(keys.length);
  for (const key of keys) text += bulk(key, Buffer.byteLength(key));
  for (const arg of args) {
    if (typeof arg === 'string') text += bulk(arg, Buffer.byteLength(arg));
    else if (typeof arg === 'number') text += numberText(arg);
    else if (Buffer.isBuffer(arg)) return null;
    else text += bulk(arg.text, arg.bytes);
  }
  return { text, count: 1 + keys.length + args.length };
}

/** A script by its digest, or whole. */
export function startOf(name: 'evalsha' | 'eval', script: string, count: number): string {
  return `*${count + 2}\r\n${bulk(name, name.length)}${bulk(script, Buffer.byteLength(script))}`;
}

/**
 * A command that is its text already: for the two hundred arguments of a call, what ioredis does with each (flatten, look at its type,
 * at its length) takes as long as all the rest of it.
 */
export class ScriptCommand extends PatientCommand {
  constructor(
    name: 'evalsha' | 'eval',
    private readonly text: string,
    encoding: BufferEncoding | null,
  ) {
    super(name, [], { replyEncoding: encoding });
  }

  override toWritable(): string {
    return this.text;
  }
}

function numberText(number: number): string {
  const digits = String(number);
  return bulk(digits, digits.length);
}

function bulk(text: string, bytes: number): string {
  return `$${bytes}\r\n${text}\r\n`;
}
