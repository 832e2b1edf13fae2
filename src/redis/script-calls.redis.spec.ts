import type { Command, Redis } from 'ioredis';
import { ScriptCalls } from './script-calls.redis.js';

const ECHO = { name: 'echo', lua: 'return ARGV[1]' };

describe('a call of a script', () => {
  const sent: { command: Command; answer(value: unknown): void }[] = [];
  const redis = {
    isCluster: false,
    sendCommand: (command: Command) => new Promise((resolve) => void sent.push({ command, answer: resolve })),
  } as unknown as Redis;
  const textOf = (index: number): string => String(sent[index]!.command.toWritable({}));

  it('lets go of its text once it is answered, and not before', async () => {
    const calls = new ScriptCalls(redis, () => []);
    const answer = calls.run(ECHO, [], ['a content']);
    expect(textOf(0)).toContain('a content');
    sent[0]!.answer('done');
    expect(await answer).toBe('done');
    expect(textOf(0)).toBe('');
  });
});
