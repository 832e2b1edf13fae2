import { request as openRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { ERRORS, type ErrorCode } from '@relay/protocol';

export interface Call {
  readonly method?: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Less than a test has, so that the reason is what it fails with. */
const PATIENCE_MS = 60_000;

/** One request on a connection of its own; nothing about it is normalised, unlike `fetch`. */
export function call(port: number, { method = 'GET', path, headers = {}, body }: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = openRequest({ host: '127.0.0.1', port, method, path, headers, agent: false, timeout: PATIENCE_MS });
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text: '' });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer to ${method} ${path}`)));
    request.on('error', reject);
    request.end(body);
  });
}

export function callJson(port: number, method: string, path: string, value: unknown): Promise<Answer> {
  return call(port, { method, path, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) });
}

/** Everything that comes back for these bytes, until the other side ends the connection. */
export function exchange(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`still open: ${Buffer.concat(chunks).toString()}`)));
    // A reset after the answer is a way to end it.
    socket.on('error', (error) => (chunks.length > 0 ? undefined : reject(error)));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
  });
}

/** What a library, a stack or a page of HTML would leave in an answer. */
const LEAKS =
  /node_modules|\bat [\w.<>]+ \(|\w*Error:|Unexpected (token|end)|is not (valid JSON|a function|a constructor)|class-|express|nest|Cannot \w+ \/|<html|"stack"|WebSocket-Key header/i;

/** A refusal as every one must be: RFC 9457 with our `code`, and the `error` text that the first relay's clients show. */
export function expectProblem({ status, headers, text }: Answer, expected: number, code: ErrorCode): void {
  expect([status, headers['content-type']]).toEqual([expected, expect.stringMatching(/^application\/problem\+json/)]);
  const { type, title, detail, ...rest } = JSON.parse(text) as Record<string, unknown>;
  expect(type).toBe('about:blank');
  expect([typeof title, typeof detail]).toEqual(['string', 'string']);
  expect(rest).toMatchObject({ status: expected, code, error: detail, retryable: ERRORS[code].retryable });
  expect(
    Object.keys(rest).filter((member) => !['status', 'code', 'error', 'retryable', 'errors'].includes(member)),
  ).toEqual([]);
  expect(text).not.toMatch(LEAKS);
  expect(headers['x-powered-by']).toBeUndefined();
}
