import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { addressOf, ClassicClient } from '../support/classic-client.js';
import { eventually } from '../support/redis-server.js';
import { type RunningRelay, startRelay } from '../support/relay.js';

describe('native TLS', () => {
  let folder: string;
  let relay: RunningRelay;
  const file = (name: string): string => join(folder, name);

  function make(name: string): void {
    const pair = ['-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
    const { status, stderr } = spawnSync('openssl', ['req', '-x509', ...kind, '-subj', `/CN=${name}`, ...pair]);
    if (status !== 0) throw new Error(stderr.toString());
  }
  const use = (name: string): void => {
    copyFileSync(file(`${name}.key`), file('key'));
    copyFileSync(file(`${name}.pem`), file('cert'));
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'relay-tls-'));
    make('first');
    make('second');
    use('first');
    relay = await startRelay({ env: { TLS_CERT_FILE: file('cert'), TLS_KEY_FILE: file('key') } });
  });
  afterAll(async () => {
    await relay.stop();
    rmSync(folder, { recursive: true });
  });

  async function certificate(): Promise<unknown> {
    const socket = connect({ port: relay.port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return subject.CN;
  }

  it('serves, and takes new files without dropping who is connected; what cannot be used changes nothing', async () => {
    expect(await certificate()).toBe('first');
    const url = `wss://127.0.0.1:${relay.port}`;
    const alice = await ClassicClient.signIn(url, addressOf(1), { rejectUnauthorized: false });
    use('second');
    await eventually('the second certificate', async () => (await certificate()) === 'second');
    writeFileSync(file('cert'), 'nonsense');
    await eventually('a warning', () => Promise.resolve(relay.log().includes('the old ones stay')));
    expect(await certificate()).toBe('second');
    alice.send({ type: 'ping' });
    await alice.waitFor('pong');
  });

  it('refuses to start with files that cannot be used', async () => {
    const env = { TLS_CERT_FILE: file('first.pem'), TLS_KEY_FILE: file('second.key') };
    await expect(startRelay({ env })).rejects.toThrow('TLS_CERT_FILE and TLS_KEY_FILE cannot be used');
  });
});
