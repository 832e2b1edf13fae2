import { PatientCommand } from './patient-command.redis.js';

export type Argument = string | number | Buffer;

/** A text whose length as UTF-8 is known already. */
export interface Measured {
  readonly text: string;
  readonly bytes: number;
}

export type ScriptArgument = Argument | Measured;

/** Of each length, how a part of a call begins: made anew for each of two hundred parts they are most of a call's garbage. */
const HEADS = Array.from({ length: 2048 }, (_, bytes) => `\r\n$${bytes}\r\n`);

/** A script as part of a call, by its digest or whole. */
export function scriptPart(name: 'evalsha' | 'eval', script: string): string {
  return head(name.length) + name + head(Buffer.byteLength(script)) + script;
}

/**
 * A call as Redis reads it; `null` where some of it is bytes. In one piece: were it left to V8 to join a thousand parts when it is
 * written, each would be an object of its own, kept for as long as Redis takes to answer and moved by each collection.
 */
export function textOf(script: string, keys: readonly string[], args: readonly ScriptArgument[]): string | null {
  const parts = [`*${keys.length + args.length + 3}`, script];
  addTo(parts, String(keys.length));
  for (const key of keys) parts.push(head(Buffer.byteLength(key)), key);
  for (const arg of args) {
    if (typeof arg === 'string') parts.push(head(Buffer.byteLength(arg)), arg);
    else if (typeof arg === 'number') addTo(parts, String(arg));
    else if (Buffer.isBuffer(arg)) return null;
    else parts.push(head(arg.bytes), arg.text);
  }
  parts.push('\r\n');
  return parts.join('');
}

/**
 * A command that is its text already: for the two hundred arguments of a call, what ioredis does with each (flatten, look at its type,
 * at its length) takes as long as all the rest of it.
 */
export class ScriptCommand extends PatientCommand {
  constructor(
    name: 'evalsha' | 'eval',
    private text: string,
    encoding: BufferEncoding | null,
  ) {
    super(name, [], { replyEncoding: encoding });
  }

  override toWritable(): string {
    return this.text;
  }

  /** It is answered, and will not be written again. Commands outlive their answers by some collections of the young generation. */
  release(): void {
    this.text = '';
  }
}

function addTo(parts: string[], digits: string): void {
  parts.push(head(digits.length), digits);
}

function head(bytes: number): string {
  return HEADS[bytes] ?? `\r\n$${bytes}\r\n`;
}
