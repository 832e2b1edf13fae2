import { Turnstile } from './turnstile.js';

/** Work that goes on until it is told to end. */
function task(turnstile: Turnstile, key: string, log: string[], name: string) {
  let end!: () => void;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const done = turnstile.run(key, async () => {
    log.push(name);
    await ended;
  });
  return { end, done };
}

describe('Turnstile', () => {
  it('lets so many of a key work at a time, the others in the order they came', async () => {
    const log: string[] = [];
    const turnstile = new Turnstile(2);
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => task(turnstile, 'key', log, name));
    const other = task(turnstile, 'other key', log, 'other');
    expect(log).toEqual(['a', 'b', 'other']);
    b!.end();
    await b!.done;
    expect(log).toEqual(['a', 'b', 'other', 'c']);
    for (const each of [a!, c!, d!, other]) each.end();
    await Promise.all([a!.done, c!.done, d!.done, other.done]);
    expect(log).toEqual(['a', 'b', 'other', 'c', 'd']);
  });

  it('goes on after work that failed, and gives what it answered', async () => {
    const turnstile = new Turnstile(1);
    const failing = turnstile.run('key', () => Promise.reject(new Error('no')));
    const next = turnstile.run('key', () => Promise.resolve(7));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe(7);
  });
});
