import { isSignature, type Proof, SCHEMES, type Scheme, signInNonce } from '@relay/protocol';
import { Wallet } from 'ethers';
import { SigningKey } from '../../test/support/signing.js';
import { recoverAddress } from './signature.js';

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const FIELD = 2n ** 256n - 2n ** 32n - 977n;

const key = SigningKey.of(1);
const nonceFor = (address: string): string =>
  signInNonce({
    domain: 'relay.example',
    address: address as never,
    expiresAtSeconds: 4_102_444_800,
    random: '0f'.repeat(16),
  });
const TEXT = nonceFor(key.address);

const word = (value: bigint): string => value.toString(16).padStart(64, '0');
const join = (r: bigint, s: bigint, v: number): string => `0x${word(r)}${word(s)}${v.toString(16).padStart(2, '0')}`;

function split(signature: string): { r: bigint; s: bigint; v: number } {
  const part = (from: number, to: number): string => signature.slice(2 + from, 2 + to);
  return { r: BigInt(`0x${part(0, 64)}`), s: BigInt(`0x${part(64, 128)}`), v: Number(`0x${part(128, 130)}`) };
}

function brokenOnes(scheme: Scheme): [name: string, text: string, proof: Proof][] {
  const good = key.sign(TEXT, scheme);
  const { r, s, v } = split(good);
  const proof = (signature: string, other = scheme): Proof => ({ scheme: other, signature });
  const broken: [string, string, Proof][] = [];
  const add = (name: string, signature: string, text = TEXT): unknown => broken.push([name, text, proof(signature)]);

  add('high s, v turned', join(r, ORDER - s, 1 - v));
  add('high s', join(r, ORDER - s, v));
  for (const [name, value] of [
    ['0', 0n],
    ['n', ORDER],
    ['n + 1', ORDER + 1n],
    ['p', FIELD],
    ['2^256 - 1', 2n ** 256n - 1n],
  ] as const) {
    add(`r = ${name}`, join(value, s, v));
    add(`s = ${name}`, join(r, value, v));
    add(`both = ${name}`, join(value, value, v));
  }
  add('s just above half of the order', join(r, (ORDER + 1n) / 2n, v));
  for (const id of [2, 3, 4, 26, 29, 30, 31, 35, 36, 37, 38, 128, 254, 255]) add(`v = ${id}`, join(r, s, id));
  if (scheme !== 'eip191') for (const id of [27, 28]) add(`v = ${id}`, join(r, s, id));
  add('the other v', join(r, s, 1 - v));
  for (const length of [0, 1, 32, 63, 64, 66, 96, 130])
    add(
      `${length} bytes`,
      `0x${good
        .slice(2)
        .repeat(2)
        .slice(0, length * 2)}`,
    );
  add('odd digits', good.slice(0, -1));
  add('no 0x', good.slice(2));
  add('0X', good.replace('0x', '0X'));
  add('two 0x', `0x${good}`);
  add('a space before', ` ${good}`);
  add('a newline after', `${good}\n`);
  add('no hex', `${good.slice(0, -1)}g`);
  add('full-width digits', good.replace(/\d/, '１'));
  add('base64', Buffer.from(good.slice(2), 'hex').toString('base64'));
  add('DER', `0x3044${`0220${word(r)}`}${`0220${word(s)}`}`);
  add('EIP-2098, 64 bytes', `0x${word(r)}${word(s | (BigInt(v) << 255n))}`);
  add('v first', `0x${v.toString(16).padStart(2, '0')}${word(r)}${word(s)}`);
  add('r and s swapped', join(s, r, v));
  add('zeros', `0x${'00'.repeat(65)}`);
  add('ones', `0x${'ff'.repeat(65)}`);
  for (const text of [
    '',
    ' ',
    TEXT.slice(1),
    `${TEXT} `,
    TEXT.toUpperCase(),
    TEXT.replace('relay.example', 'relay.examplf'),
  ]) {
    add(`another text: ${JSON.stringify(text)}`, good, text);
  }
  add('of another key', SigningKey.of(2).sign(TEXT, scheme));
  for (const other of SCHEMES)
    if (other !== scheme) broken.push([`made as ${other}`, TEXT, proof(key.sign(TEXT, other))]);
  return broken;
}

describe('recoverAddress', () => {
  it.each(SCHEMES)('finds who signed, in the scheme %s, by another library', (scheme) => {
    for (let i = 1; i <= 20; i++) {
      const signer = SigningKey.of(i);
      const text = nonceFor(signer.address);
      expect(recoverAddress(text, { scheme, signature: signer.sign(text, scheme) })).toBe(signer.address);
    }
  });

  it('takes what personal_sign of an Ethereum library makes, and the same with v 0 or 1', async () => {
    for (let i = 1; i <= 20; i++) {
      const { address, privateKey } = SigningKey.of(i);
      const wallet = new Wallet(privateKey);
      expect(wallet.address.toLowerCase()).toBe(address);
      const text = nonceFor(address);
      const signature = await wallet.signMessage(text);
      expect(recoverAddress(text, { scheme: 'eip191', signature })).toBe(address);
      const { r, s, v } = split(signature);
      expect([27, 28]).toContain(v);
      expect(recoverAddress(text, { scheme: 'eip191', signature: join(r, s, v - 27) })).toBe(address);
    }
  });

  it('counts bytes, not characters', async () => {
    const text = 'prüfe 🔑 \u{10ffff}';
    const { address, privateKey } = key;
    const signature = await new Wallet(privateKey).signMessage(text);
    expect(recoverAddress(text, { scheme: 'eip191', signature })).toBe(address);
    expect(recoverAddress(text, { scheme: 'idena-prefix', signature: key.sign(text, 'idena-prefix') })).toBe(address);
  });

  it('knows a signature that was made elsewhere, digit by digit', () => {
    // Of the private key 0x…01, whose address is in every Ethereum test suite.
    const one = new SigningKey(Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 1 : 0)));
    expect(one.address).toBe('0x7e5f4552091a69125d5dfcb7b8c2659029395bdf');
    expect(recoverAddress('x', { scheme: 'idena', signature: one.sign('x') })).toBe(one.address);
  });

  const broken = SCHEMES.flatMap((scheme) => brokenOnes(scheme).map((one) => [scheme, ...one] as const));

  it('is shown more broken ones than three hundred, with those whose bits were turned', () => {
    const flipped = Array.from({ length: 200 }, (_, i) => {
      const bytes = Buffer.from(key.sign(TEXT).slice(2), 'hex');
      const bit = (i * 2654435761) % (64 * 8);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      return `0x${bytes.toString('hex')}`;
    });
    for (const signature of flipped) expect(recoverAddress(TEXT, { scheme: 'idena', signature })).not.toBe(key.address);
    expect(broken.length + flipped.length).toBeGreaterThan(300);
  });

  it.each(broken)('%s: refuses %s', (_scheme, _name, text, proof) => {
    expect(recoverAddress(text, proof)).not.toBe(key.address);
  });

  it.each(
    broken.filter(([, name]) =>
      /^(high s|r = |s = |both = |s just|v = |\d+ bytes|odd|no |0X|two|a |full|base64|DER|EIP|zeros|ones)/.test(name),
    ),
  )('%s: is nobody’s signature: %s', (_scheme, _name, text, proof) => {
    expect(recoverAddress(text, proof)).toBeNull();
  });

  it('never sees what the decoder refuses by its form', () => {
    expect(isSignature(`0x${'00'.repeat(64)}`)).toBe(false);
    expect(isSignature(key.sign(TEXT))).toBe(true);
  });
});
