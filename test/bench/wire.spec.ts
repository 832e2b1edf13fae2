import { frame, jsonFrame, maskingKey, TEXT } from '../../bench/frames.mjs';
import { packetIdOf, publish, sequenceOf } from '../../bench/mqtt.mjs';
import { MESSAGE, Traffic } from '../../bench/traffic.mjs';
import { wireOf } from '../../bench/wire.mjs';

describe('frames of the generator', () => {
  it.each([
    [125, [0x81, 0x80 | 125]],
    [126, [0x81, 0x80 | 126, 0, 126]],
    [65_535, [0x81, 0x80 | 126, 0xff, 0xff]],
    [65_536, [0x81, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0]],
  ])('say that %d bytes follow as RFC 6455 §5.2 wants it', (length, head) => {
    const bytes = frame(Buffer.alloc(length, 'x'), TEXT);
    expect([...bytes.subarray(0, head.length)]).toEqual(head);
    expect(bytes).toHaveLength(head.length + maskingKey.length + length);
  });

  it('are masked with the key that stands in them', () => {
    maskingKey.set([1, 2, 3, 4]);
    const bytes = jsonFrame([]);
    maskingKey.fill(0);
    expect([...bytes.subarray(2)]).toEqual([1, 2, 3, 4, 0x5b ^ 1, 0x5d ^ 2]);
  });
});

describe('packets of MQTT', () => {
  it.each([0, 1, 65_533, 65_534, 65_535, 200_000])('name message %d by an id that leads back to it', (sequence) => {
    const id = packetIdOf(sequence);
    expect(id).toBeGreaterThan(0);
    expect(id).toBeLessThan(65_536);
    for (const later of [1, 2, 512, 65_535]) expect(sequenceOf(id, sequence + later)).toBe(sequence);
  });

  it('name nobody where nothing was sent that could have that id', () => {
    expect(sequenceOf(5, 3)).toBeLessThan(0);
  });

  it.each([
    [100, [0x32, 108]],
    [200, [0x32, 0xd0, 0x01]],
  ])('have their length, %d bytes of payload and more, in groups of seven bits', (size, head) => {
    expect([...publish('to/x', Buffer.alloc(size)).subarray(0, head.length)]).toEqual(head);
  });
});

describe.each(['ws://localhost', 'mqtt://localhost'])('messages over %s', (url) => {
  const traffic = new Traffic({ pairs: 2, size: 300, wire: wireOf(new URL(url)) });
  const block = traffic.block(1, 3);

  it('are numbered where they stand, each apart', () => {
    for (const index of [0, 1, 2]) traffic.number(block, index, 70_000 + index);
    const texts = [0, 1, 2].map((index) => {
      const end = (index + 1) * block.frameLength;
      return JSON.parse(block.bytes.toString('utf8', index * block.frameLength + block.headerLength, end)) as {
        messageId: string;
        content: string;
      };
    });
    expect(texts.map(({ messageId }) => messageId.slice(-9))).toEqual(['000070000', '000070001', '000070002']);
    for (const { messageId, content } of texts) expect(content.startsWith(messageId)).toBe(true);
  });
});

describe('a message that arrives', () => {
  const traffic = new Traffic({ pairs: 2, size: 40, wire: wireOf(new URL('mqtt://localhost')) });
  const { bytes, headerLength } = traffic.block(1, 1);
  const read = (text: string) => traffic.read(Buffer.from(text), 0, Buffer.byteLength(text));
  const text = bytes.toString('utf8', headerLength);

  it('is known by its number, its pair and its content', () => {
    expect([read(text), traffic.pair, traffic.sequence, traffic.intact]).toEqual([MESSAGE, 1, 0, true]);
  });

  it('is corrupt with one letter changed, or from somebody else', () => {
    const letter = text.indexOf('content') + 35;
    const changed = text.slice(0, letter) + (text[letter] === 'x' ? 'y' : 'x') + text.slice(letter + 1);
    expect([read(changed), traffic.intact]).toEqual([MESSAGE, false]);
    expect([read(text.replace('"0x5', '"0x6')), traffic.intact]).toEqual([MESSAGE, false]);
  });
});
