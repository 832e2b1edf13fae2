import fc from 'fast-check';
import { packContent, unpackEntry } from './packed-entry.redis.js';

/** What mailbox.lua says of an entry. */
const HEADER = /^([mjdrx])\d+ \d+ \d+ (\d+) (\d+) (0x[0-9a-f]{40}) ([\x20-\x7e]{1,128})\n/;
const KINDS = { m: 'message', j: 'message', d: 'delivered', r: 'read', x: 'expired' } as const;
const ID = '1795570000000-17';

function asDescribed(packed: string): unknown {
  const header = HEADER.exec(packed);
  if (header === null) return null;
  const [{ length }, letter, expires, timestamp, peer, messageId] = header as unknown as [string, ...string[]];
  const kind = KINDS[letter as 'm'];
  const common = { kind, id: ID, sequence: 17, messageId, timestamp: Number(timestamp) };
  const expiresAt = Number(expires);
  if (letter !== 'm' && letter !== 'j') return { entry: { ...common, peer }, expiresAt };
  const content = packed.slice(length);
  return { entry: { ...common, from: peer, content, queuedAt: 1795570000000 }, expiresAt };
}

const whole = fc.nat(2 ** 31).map((some) => String(some * 7));
const peer = fc
  .array(fc.constantFrom(...'0123456789abcdef'), { minLength: 40, maxLength: 40 })
  .map((hex) => `0x${hex.join('')}`);
const messageId = fc.string({ minLength: 1, maxLength: 128 });
const packed = fc
  .tuple(
    fc.constantFrom('m', 'd', 'r', 'x'),
    fc.tuple(whole, whole, whole, whole, whole),
    peer,
    messageId,
    fc.string({ unit: 'binary' }),
  )
  .map(([letter, numbers, from, id, content]) => `${letter}${numbers.join(' ')} ${from} ${id}\n${content}`);

describe('an entry of a mailbox', () => {
  it('is read as its format says', () => {
    fc.assert(fc.property(packed, (text) => expect(unpackEntry(ID, text)).toEqual(asDescribed(text))));
  });

  it('is nothing where a character of its header is another, missing or too many, just where its format says so', () => {
    const change = fc.record({
      at: fc.nat(110),
      length: fc.nat(2),
      by: fc.constantFrom('', ' ', '0', 'm', '\n', 'é', '-', '\0'),
    });
    fc.assert(
      fc.property(packed, change, (text, { at, length, by }) => {
        const changed = text.slice(0, at) + by + text.slice(at + length);
        if (changed.startsWith('j')) return;
        expect(unpackEntry(ID, changed)).toEqual(asDescribed(changed));
      }),
      { numRuns: 2000 },
    );
  });

  it.each(['', 'm', 'm1', 'm1 2 3 4 5 ', `m1 2 3 4 5 0x${'0'.repeat(40)}`, `m1 2 3 4 5 0x${'0'.repeat(40)} a`])(
    'is nothing where it ends early: %j',
    (text) => expect(unpackEntry(ID, text)).toBeNull(),
  );

  it('has its content back, also where that is no UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('', '\ud800', '\udc00x'), (before, lone) => {
        const content = before + lone;
        const { letter, text } = packContent(content);
        const entry = unpackEntry(ID, `${letter}1 2 3 4 5 0x${'0'.repeat(40)} id\n${text}`)?.entry;
        expect(entry).toMatchObject({ content });
      }),
    );
  });
});
