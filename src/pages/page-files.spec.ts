import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { PageFiles } from './page-files.js';

const SCRIPT = 'const text = "again and again";\n'.repeat(50);

describe('the files of a page', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'relay-pages-'));
    mkdirSync(join(folder, 'demo/assets/deeper'), { recursive: true });
    writeFileSync(join(folder, 'secret.js'), 'no');
    writeFileSync(join(folder, 'demo/index.html'), '<!doctype html>');
    writeFileSync(join(folder, 'demo/assets/index-AbCd12_-.js'), SCRIPT);
    writeFileSync(join(folder, 'demo/assets/index.js.map'), '{}');
    writeFileSync(join(folder, 'demo/assets/deeper/x.js'), '');
    symlinkSync(join(folder, 'secret.js'), join(folder, 'demo/assets/link.js'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('say what they are, and whether they may be kept for ever', () => {
    const files = PageFiles.read('demo', [folder]);
    expect(files.index).toMatchObject({ contentType: 'text/html; charset=utf-8', isImmutable: false });
    const script = files.asset('index-AbCd12_-.js');
    expect(script).toMatchObject({ contentType: 'text/javascript; charset=utf-8', isImmutable: true });
    expect(gunzipSync(script!.gzipped!).toString()).toBe(SCRIPT);
  });

  it('are not compressed where that makes them larger', () => {
    expect(PageFiles.read('demo', [folder]).index!.gzipped).toBeNull();
  });

  it.each([
    '../index.html',
    '../../secret.js',
    'deeper/x.js',
    'index.js.map',
    'link.js',
    '',
    '__proto__',
    'constructor',
  ])('leave out %j', (name) => {
    expect(PageFiles.read('demo', [folder]).asset(name)).toBeUndefined();
  });

  it('come from the first folder that has the page, and are none where nobody built it', () => {
    expect(PageFiles.read('demo', [join(folder, 'nowhere'), folder]).index).toBeDefined();
    expect(PageFiles.read('admin', [folder]).index).toBeUndefined();
  });
});
