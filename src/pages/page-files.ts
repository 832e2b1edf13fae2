import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

export interface PageFile {
  readonly contentType: string;
  /** Its name changes with its content, so it may be kept for ever. */
  readonly isImmutable: boolean;
  readonly bytes: Buffer;
  /** `null` where it would not be smaller. */
  readonly gzipped: Buffer | null;
}

/** What a page may consist of; anything else in its folder is not served. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

/** `<name>-<hash>.<type>`, as the build names what it puts into `assets/`. */
const HASHED = /-[\w-]{8}\.\w+$/;

/** Where the build puts pages: beside the compiled server, or in `dist/` where the sources run. */
const BUILT = ['../web', '../../dist/web'].map((path) => fileURLToPath(new URL(path, import.meta.url)));

/**
 * A page as `npm run build -w web` left it: `index.html`, and `assets/` in one folder. It is read whole, once: a request only names a file
 * of the map, so there is no path to lead astray.
 */
export class PageFiles {
  private constructor(private readonly files: ReadonlyMap<string, PageFile>) {}

  /** Without any files where the page was never built. */
  static read(page: string, folders: readonly string[] = BUILT): PageFiles {
    for (const folder of folders) {
      const files = filesOf(join(folder, page));
      if (files.size > 0) return new PageFiles(files);
    }
    return new PageFiles(new Map());
  }

  get index(): PageFile | undefined {
    return this.files.get('index.html');
  }

  asset(name: string): PageFile | undefined {
    return this.files.get(`assets/${name}`);
  }
}

function filesOf(folder: string): Map<string, PageFile> {
  const names = ['', 'assets/'].flatMap((path) => namesIn(folder, path));
  return new Map(names.map((name) => [name, fileOf(join(folder, name))]));
}

function namesIn(folder: string, path: string): string[] {
  try {
    const entries = readdirSync(join(folder, path), { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && extname(entry.name) in CONTENT_TYPES)
      .map(({ name }) => path + name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function fileOf(path: string): PageFile {
  const bytes = readFileSync(path);
  const gzipped = gzipSync(bytes);
  return {
    contentType: CONTENT_TYPES[extname(path)]!,
    isImmutable: HASHED.test(path),
    bytes,
    gzipped: gzipped.length < bytes.length ? gzipped : null,
  };
}
