import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { listenFailure } from './listen-failure.js';

const NAMES = { portSetting: 'PORT', hostSetting: 'HOST' };

async function failureOf(port: number, host: string): Promise<string> {
  const server = createServer().listen(port, host);
  const [error] = (await once(server, 'error')) as [Error];
  return listenFailure({ port, host, ...NAMES }, error);
}

describe('why nothing can listen there', () => {
  it('a port that is taken is named, with what to do', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    expect(await failureOf(port, '127.0.0.1')).toBe(
      `PORT ${port} is taken on 127.0.0.1 (EADDRINUSE): end what listens there (ss -ltnp), or set PORT`,
    );
    holder.close();
  });

  it('an address of another machine is named', async () => {
    // TEST-NET-1 of RFC 5737: nobody has it.
    expect(await failureOf(0, '192.0.2.1')).toBe('HOST 192.0.2.1 is not an address of this machine (EADDRNOTAVAIL)');
  });

  it.each([
    ['EACCES', /^PORT 80 is not permitted \(EACCES\): .*1023/],
    ['ENOTFOUND', /^HOST there is not an address/],
    ['EMFILE', /^PORT 80 of HOST there cannot be listened on \(EMFILE\)$/],
  ])('%s is told in words', (code, expected) => {
    const error = Object.assign(new Error('listen'), { code });
    expect(listenFailure({ port: 80, host: 'there', ...NAMES }, error)).toMatch(expected);
  });
});
