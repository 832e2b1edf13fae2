import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { CLIENT_FRAME_TYPES, decodeClientFrame, Rejection } from './index.js';
import { CLIENT_SCHEMAS, SERVER_SCHEMAS } from './schemas.js';

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: false });

type Frame = Record<string, unknown>;

/** Values around what a field may be: those of every other field, and the usual wrong ones. */
const STRANGE: readonly unknown[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  1.5,
  2,
  64,
  100,
  101,
  1024,
  1025,
  2 ** 53 - 1,
  2 ** 53,
  '',
  ' ',
  'classic',
  'phone-1',
  'a'.repeat(64),
  'a'.repeat(65),
  'a'.repeat(128),
  'a'.repeat(129),
  'a'.repeat(512),
  'a'.repeat(513),
  'é',
  'a\nb',
  '1-1',
  '1-1 ',
  '1234567890123456-1',
  `0x${'0'.repeat(40)}`,
  `0x${'Ab'.repeat(20)}`,
  `0X${'ab'.repeat(20)}`,
  `0x${'ab'.repeat(21)}`,
  `0x${'ab'.repeat(65)}`,
  'idena',
  'eip191',
  'eip',
  [],
  [`0x${'ab'.repeat(20)}`],
  [`0x${'ab'.repeat(20)}`, 1],
  {},
  new Array(500).fill(`0x${'ab'.repeat(20)}`),
  new Array(501).fill(`0x${'ab'.repeat(20)}`),
];

/** As it arrives: what is undefined is not there. */
function sent(frame: Frame): Frame {
  return JSON.parse(JSON.stringify(frame)) as Frame;
}

function isDecoded(frame: Frame): boolean {
  return !(decodeClientFrame(JSON.stringify(frame)) instanceof Rejection);
}

describe.each(Object.entries(CLIENT_SCHEMAS))('the schema of %s', (type, { schema, example }) => {
  let isValid: ValidateFunction;
  const names = [...Object.keys(schema.properties ?? {}).filter((name) => name !== 'type'), 'stranger'];

  beforeAll(() => {
    isValid = ajv.compile(schema);
  });

  it('takes its example, as the relay does', () => {
    expect(isValid(example)).toBe(true);
    expect(decodeClientFrame(JSON.stringify(example))).toMatchObject({ type });
  });

  it('takes and refuses what the relay takes and refuses, one field changed or left out', () => {
    for (const name of names) {
      const changed: Frame[] = [
        { ...example, [name]: undefined },
        ...STRANGE.map((value) => ({ ...example, [name]: value })),
      ];
      const different = changed.map(sent).filter((frame) => isValid(frame) !== isDecoded(frame));
      expect({ name, different }).toEqual({ name, different: [] });
    }
  });

  it('and several', () => {
    const field = fc.constantFrom(...names);
    const change = fc.tuple(field, fc.option(fc.constantFrom(...STRANGE), { nil: undefined }));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 5 }), (changes) => {
        const frame: Frame = { ...example, ...Object.fromEntries(changes) };
        expect(isValid(sent(frame))).toBe(isDecoded(frame));
      }),
    );
  });
});

describe('the schemas', () => {
  it('are there for every frame that a client may send', () => {
    expect(Object.keys(CLIENT_SCHEMAS).sort()).toEqual([...CLIENT_FRAME_TYPES].sort());
  });

  it.each(Object.entries(SERVER_SCHEMAS))('of what the relay sends take their own example: %s', (_, one) => {
    expect(ajv.compile(one.schema)(one.example)).toBe(true);
  });
});
