import { MemoryContactRepository } from '../../src/contacts/contact.repository.memory.js';
import { ManualClock } from '../support/manual-clock.js';
import { contactContract } from './contact.contract.js';

contactContract('memory', () => {
  const clock = new ManualClock();
  return Promise.resolve({ contacts: new MemoryContactRepository(clock), clock, close: () => Promise.resolve() });
});

describe('contacts in memory', () => {
  it('are bounded: what was only noticed gives way to what people decided', async () => {
    const address = (n: number) => `0x${n.toString(16).padStart(40, '0')}` as never;
    const contacts = new MemoryContactRepository(new ManualClock(), 100 * 150);
    for (let owner = 1; owner <= 200; owner++) await contacts.know(address(owner), [address(1000)]);
    expect(contacts.knows(address(1), address(1000))).toBe(false);
    expect(contacts.knows(address(200), address(1000))).toBe(true);
    for (let peer = 1; peer <= 100; peer++) await contacts.put('blocked', address(1), address(peer));
    await expect(contacts.put('blocked', address(1), address(101))).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    expect(contacts.knows(address(200), address(1000))).toBe(false);
  });
});
