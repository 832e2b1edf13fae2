import type { Address } from '@relay/protocol';
import { ClientError } from '../errors.js';
import { OutgoingMessage, type Receipt, Tracked } from '../outgoing.js';

const BOB = `0x${'b0'.repeat(20)}` as Address;
const receipt = (kind: Receipt['kind']): Receipt => ({ kind, messageId: 'm', peer: BOB, timestamp: 1, id: null });
const expired = (): ClientError => new ClientError('expired');

describe('what is told of a message', () => {
  const told = (...kinds: Receipt['kind'][]): Receipt['kind'][] => {
    const tracked = new Tracked();
    tracked.add(new OutgoingMessage('m', BOB));
    return kinds.filter((kind) => tracked.advance(receipt(kind), expired));
  };

  it('rises, whatever comes again or late', () => {
    expect(told('queued', 'delivered', 'queued', 'read', 'delivered', 'queued', 'read')).toEqual([
      'queued',
      'delivered',
      'read',
    ]);
  });

  it('ends with its expiry', () => {
    expect(told('queued', 'expired', 'delivered', 'expired', 'read')).toEqual(['queued', 'expired']);
  });
});
