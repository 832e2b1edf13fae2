import { type Body, decodeBody, encodeBody } from './body.js';

const BODIES: readonly Body[] = [
  { kind: 'hello' },
  { kind: 'text', text: 'Grüße "quoted"\n' },
  { kind: 'burst', run: 'ab12', index: 0, of: 1 },
];

describe('what is inside an envelope', () => {
  it.each(BODIES)('comes out as it went in: %j', (body) => {
    expect(decodeBody(encodeBody(body))).toEqual(body);
  });

  it.each([
    '',
    'not JSON',
    'null',
    '[]',
    '"text"',
    '{}',
    '{"kind":"text"}',
    '{"kind":"text","text":1}',
    '{"kind":"other","text":"x"}',
    '{"kind":"burst","run":"a","index":1,"of":1}',
    '{"kind":"burst","run":"a","index":-1,"of":1}',
    '{"kind":"burst","run":"a","index":0,"of":1e9}',
    '{"kind":"burst","run":"a","index":0.5,"of":2}',
    '{"kind":"burst","run":1,"index":0,"of":1}',
  ])('is nothing where this page did not write it: %s', (text) => {
    expect(decodeBody(text)).toBeNull();
  });
});
