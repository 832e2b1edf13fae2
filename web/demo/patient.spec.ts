import type { Opened } from '@relay/client/encryption';
import { readPatiently, WAITS_MS } from './patient.js';

const UNKNOWN: Opened = { kind: 'unreadable', reason: 'unknown_sender_key' };
const TAMPERED: Opened = { kind: 'unreadable', reason: 'tampered' };
const TEXT: Opened = { kind: 'text', text: 'hello', senderKey: 'accepted' };

describe('reading with patience', () => {
  /** What it ends with, and how long it waited before. */
  async function reading(...answers: Opened[]): Promise<[Opened, number[]]> {
    const waited: number[] = [];
    const read = (): Promise<Opened> => Promise.resolve(answers.length > 1 ? answers.shift()! : answers[0]!);
    const opened = await readPatiently(read, (ms) => Promise.resolve(waited.push(ms)));
    return [opened, waited];
  }

  it('does not wait for what can be read, or never will be', async () => {
    expect(await reading(TEXT)).toEqual([TEXT, []]);
    expect(await reading(TAMPERED)).toEqual([TAMPERED, []]);
  });

  it('asks again for a key that is not there yet', async () => {
    expect(await reading(UNKNOWN, UNKNOWN, TEXT)).toEqual([TEXT, WAITS_MS.slice(0, 2)]);
  });

  it('gives up in the end', async () => {
    expect(await reading(UNKNOWN)).toEqual([UNKNOWN, WAITS_MS]);
  });
});
