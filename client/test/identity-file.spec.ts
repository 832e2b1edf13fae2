import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newIdentity } from '../identity.js';
import { fileIdentity } from '../identity.file.js';

describe('an identity in a file', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'relay-identity-'));
    path = join(folder, 'alice', 'key');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is the same one each time, and readable by its owner alone', async () => {
    const { address } = await fileIdentity(path);
    expect((await fileIdentity(path)).address).toBe(address);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'alice'))).toEqual(['key']);
  });

  it('is one that was put there', async () => {
    const { address, privateKey } = newIdentity();
    const given = join(folder, 'given');
    writeFileSync(given, `0x${privateKey}\n`);
    expect((await fileIdentity(given)).address).toBe(address);
  });

  it('is one for all who make it at the same time', async () => {
    const both = await Promise.all([fileIdentity(path), fileIdentity(join(folder, 'alice', '.', 'key'))]);
    expect(new Set(both.map(({ address }) => address)).size).toBe(1);
  });

  it('never takes the place of a file that holds something else', async () => {
    const other = join(folder, 'other');
    writeFileSync(other, 'notes');
    await expect(fileIdentity(other)).rejects.toThrow();
    expect(readFileSync(other, 'utf8')).toBe('notes');
  });
});
