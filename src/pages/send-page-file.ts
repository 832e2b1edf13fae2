import { RelayError } from '@relay/protocol';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PageFile } from './page-files.js';

const YEAR_SECONDS = 365 * 24 * 60 * 60;

/** Throws `not_found` for a file that is not there. A HEAD gets the same without the bytes: Node leaves them out. */
export function sendPageFile(request: IncomingMessage, response: ServerResponse, file: PageFile | undefined): void {
  if (file === undefined) throw new RelayError('not_found');
  const isGzipped = file.gzipped !== null && acceptsGzip(request.headers['accept-encoding']);
  const body = isGzipped ? file.gzipped : file.bytes;
  response.setHeader('Content-Type', file.contentType);
  response.setHeader('Content-Length', body.length);
  response.setHeader('Cache-Control', file.isImmutable ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-cache');
  response.setHeader('Vary', 'Accept-Encoding');
  if (isGzipped) response.setHeader('Content-Encoding', 'gzip');
  response.end(body);
}

/** "gzip;q=0" is a no. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  return /(^|[\s,])gzip(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(String(header ?? ''));
}
