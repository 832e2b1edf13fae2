import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runSuite } from '../support/protocol-suite.js';
import { RelayProcess, ROOT } from '../support/relay-process.js';

const COMMON = { PUBLIC_DOMAIN: 'relay.test' };
const CLIENTS = ['second-client.mjs', 'sdk-client.mjs'];

describe.each(CLIENTS)('%s, driven by the protocol suite', (file) => {
  const command = `"${process.execPath}" "${join(ROOT, 'test/protocol', file)}"`;

  it.each(['open', 'signed'])('is a client of a relay in %s mode', async (mode) => {
    const relay = await RelayProcess.start({ ...COMMON, AUTH_MODE: mode });
    const { failures, exitCode, passed, skipped } = await runSuite(relay.wsUrl, '--client', command);
    await relay.stop();
    expect(failures).toEqual([]);
    expect([exitCode, passed + skipped]).toEqual([0, 28]);
    expect(skipped).toBe(mode === 'open' ? 2 : 0);
  });
});

describe('second-client.mjs', () => {
  const source = readFileSync(join(ROOT, 'test/protocol/second-client.mjs'), 'utf8');

  it('has at most 100 lines, and nothing of the SDK or the server', () => {
    expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(100);
    const imports = [...source.matchAll(/from '([^']+)'/g)].map(([, name]) => name);
    expect(imports).toEqual(['node:crypto', 'node:readline', 'ws']);
  });
});
