import { readFileSync } from 'node:fs';

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
const namesIn = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, name = '']) => name);

const alerts = namesIn(read('deploy/monitoring/rules/alerts.yml'), /^ +- alert: (\w+)$/gm);
const rows = read('docs/operations.md').matchAll(/^\| `(Relay\w+)` +\| (.+?) *\|$/gm);
const advice = new Map([...rows].map(([, name = '', text = '']) => [name, text]));

describe('alerts', () => {
  it('are each in the handbook, with what to do, in the same order, and nothing else is', () => {
    expect(alerts.length).toBeGreaterThan(10);
    expect([...advice.keys()]).toEqual(alerts);
    for (const text of advice.values()) expect(text.length).toBeGreaterThan(30);
  });

  it('are tested with those that must never be missed', () => {
    const tested = new Set(namesIn(read('deploy/monitoring/alerts.test.yml'), /^ +alertname: (\w+)$/gm));
    const vital = ['RelayStoreDown', 'RelayLedgerOutOfBalance', 'RelayEventLoopStalled', 'RelayMailboxNearItsBound'];
    expect(vital.filter((name) => !tested.has(name))).toEqual([]);
    expect([...tested].filter((name) => !alerts.includes(name))).toEqual([]);
  });
});
