import { compare, drill } from './run.mjs';

describe('killed again and again', () => {
  it('two applications lose nothing and are handed nothing twice', async () => {
    const result = await drill({ seconds: 8, killEveryMs: 800, ratePerSecond: 200 });
    expect(result.findings).toEqual([]);
    expect(result.kills).toBeGreaterThanOrEqual(3);
    expect(result.sent).toBeGreaterThan(100);
  });

  it.each<[string, string[], string[], string[]]>([
    ['what was lost', ['0', '1', '2'], ['0', '2'], ['lost 1']],
    ['what came twice', ['0', '1'], ['0', '1', '1'], ['1 handed over twice', 'out of order']],
    ['what came out of order', ['0', '1', '2'], ['0', '2', '1'], ['out of order']],
    ['nothing where one more arrived than the log has', ['0', '1'], ['0', '1', '2'], []],
  ])('its judge finds %s', (_, sent, saved, findings) => {
    expect(compare(sent, saved)).toEqual(findings);
  });
});
