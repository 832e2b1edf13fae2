import { PatientCommand } from './patient-command.redis.js';

export type Argument = string | number | Buffer;

/** A text whose length as UTF-8 is known already. */
export interface Measured {
  readonly text: string;
  readonly bytes: number;
}

export type ScriptArgument = Argument | Measured;

/** How each part begins. */
const DOLLAR = 0x24;

/** All of a call behind its script: number of keys, keys and arguments. */
export interface Body {
  readonly text: string;
  /** How many these are. */
  readonly count: number;
}

/** As Redis reads it; `null` where some are bytes. */
export function bodyOf(keys: readonly string[], args: readonly ScriptArgument[]): Body | null {
  let text = numberText(keys.length);
  for (const key of keys) text += bulk(key, Buffer.byteLength(key));
  for (const arg of args) {
    if (typeof arg === 'string') text += bulk(arg, Buffer.byteLength(arg));
    else if (typeof arg === 'number') text += numberText(arg);
    else if (Buffer.isBuffer(arg)) return null;
    else text += bulk(arg.text, arg.bytes);
  }
  return { text: flat(text), count: 1 + keys.length + args.length };
}

/**
 * A command that is its text already: for the two hundred arguments of a call, what ioredis does with each (flatten, look at its type,
 * at its length) takes as long as all the rest of it.
 */
export class ScriptCommand extends PatientCommand {
  private text: string;

  /** `script`: its digest, or the whole of it. */
  constructor(name: 'evalsha' | 'eval', script: string, { text, count }: Body, encoding: BufferEncoding | null) {
    super(name, [], { replyEncoding: encoding });
    this.text = `*${count + 2}\r\n${bulk(name, name.length)}${bulk(script, Buffer.byteLength(script))}${text}`;
  }

  override toWritable(): string {
    return this.text;
  }

  /** It is answered, and will not be written again. */
  release(): void {
    this.text = '';
  }
}

/**
 * The same text, in one piece. Put together of a thousand parts, each of them is an object of its own that is kept, and moved by each
 * collection, for as long as Redis takes to answer.
 */
function flat(text: string): string {
  // V8 joins a text before it looks at a character; a look whose result made no difference would be left out of compiled code.
  return text.charCodeAt(0) === DOLLAR ? text : Buffer.from(text).toString();
}

function numberText(number: number): string {
  const digits = String(number);
  return bulk(digits, digits.length);
}

function bulk(text: string, bytes: number): string {
  return `$${bytes}\r\n${text}\r\n`;
}
