import type { Address } from '@relay/protocol';
import type { Receipt } from '../queue/queue.repository.js';
import { MAX_TOLD_READ, Told } from './told.js';

const BOB = `0x${'b'.repeat(40)}` as Address;
const CAROL = `0x${'c'.repeat(40)}` as Address;

const receipt = (kind: Receipt['kind'], messageId: string, peer = BOB): Receipt => ({
  kind,
  peer,
  messageId,
  timestamp: 1,
});

describe('Told', () => {
  let told: Told;

  beforeEach(() => (told = new Told()));

  it('takes no delivery for news once the message was read, but everything else', () => {
    expect(told.isNews(receipt('delivered', 'm'))).toBe(true);
    told.toldRead(BOB, 'm');
    expect(told.isNews(receipt('delivered', 'm'))).toBe(false);
    expect(told.isNews(receipt('delivered', 'other'))).toBe(true);
    expect(told.isNews(receipt('delivered', 'm', CAROL))).toBe(true);
    expect(told.isNews(receipt('read', 'm'))).toBe(true);
    expect(told.isNews(receipt('expired', 'm'))).toBe(true);
  });

  it('remembers the last messages that were read, each once; the oldest give way', () => {
    for (let n = 0; n < MAX_TOLD_READ; n++) told.toldRead(BOB, `m${n}`);
    told.toldRead(BOB, 'm1');
    expect(told.isNews(receipt('delivered', 'm0'))).toBe(false);
    told.toldRead(BOB, 'one more');
    expect(told.isNews(receipt('delivered', 'm0'))).toBe(true);
    for (const id of ['m1', `m${MAX_TOLD_READ - 1}`, 'one more']) {
      expect(told.isNews(receipt('delivered', id))).toBe(false);
    }
  });

  it('remembers what was delivered early until the store has answered every send, and of whom', () => {
    told.toldEarly(BOB, 'm');
    expect(told.wasToldEarly(BOB, 'm')).toBe(true);
    expect(told.wasToldEarly(CAROL, 'm')).toBe(false);
    told.sendsEnded();
    expect(told.wasToldEarly(BOB, 'm')).toBe(false);
  });

  it('is empty where nothing is remembered, so that a connection need not keep it', () => {
    expect(told.isEmpty).toBe(true);
    told.toldEarly(BOB, 'm');
    expect(told.isEmpty).toBe(false);
    told.sendsEnded();
    expect(told.isEmpty).toBe(true);
    told.toldRead(BOB, 'm');
    told.sendsEnded();
    expect(told.isEmpty).toBe(false);
  });
});
