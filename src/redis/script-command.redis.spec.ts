import fc from 'fast-check';
import { Command } from 'ioredis';
import { type ScriptArgument, ScriptCommand, scriptPart, textOf } from './script-command.redis.js';

const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('', '\r\n', '$1\r\n'));
const measured = text.map((some): ScriptArgument => ({ text: some, bytes: Buffer.byteLength(some) }));
// Whole numbers beyond the safe ones, which nobody sends, ioredis writes with digits that they do not have.
const fraction = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((some) => !Number.isInteger(some));
const number = fc.oneof(fc.maxSafeInteger(), fraction);
const args = fc.array(fc.oneof(text, number, measured));

const plain = (arg: ScriptArgument): string | number | Buffer =>
  typeof arg === 'object' && !Buffer.isBuffer(arg) ? arg.text : arg;

describe('a command that is a text already', () => {
  it('is the text that ioredis makes of its parts', () => {
    const property = fc.property(
      fc.constantFrom('evalsha' as const, 'eval' as const),
      text,
      fc.array(text),
      args,
      (name, script, keys, some) => {
        const command = new ScriptCommand(name, textOf(scriptPart(name, script), keys, some)!, 'utf8');
        const known = new Command(name, [script, keys.length, ...keys, ...some.map(plain)]);
        expect(command.toWritable()).toBe(known.toWritable({}));
      },
    );
    fc.assert(property, { numRuns: 1000 });
  });

  it('is none where some of it is bytes', () => {
    expect(textOf('script', ['a'], ['b', Buffer.from('c')])).toBeNull();
  });
});
