// @ts-check
/** The grammar of REST, read from the relay's own reference, and how it goes wrong. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { ERRORS } from '@relay/protocol';
import { request as openRequest } from 'node:http';
import { connect } from 'node:net';
import { membersOf, mutated } from './mutations.mjs';
import { fieldsOf } from './oracle.mjs';
import { addressOf, oddText, OFFLINE } from './values.mjs';
import { insist } from './world.mjs';

/**
 * @typedef {import('./world.mjs').World} World
 * @typedef {{ method: string, path: string, headers: Record<string, string>, body: string | null }} Call
 * @typedef {{ status: number, headers: import('node:http').IncomingHttpHeaders, text: string }} Answer
 * @typedef {{ type?: string, items?: Schema, properties?: Record<string, Schema>, $ref?: string, enum?: unknown[] }} Schema
 * @typedef {{ name: string, in: string, schema?: Schema }} Parameter
 * @typedef {{ parameters?: Parameter[], requestBody?: { content?: Record<string, { schema?: Schema }> } }} Operation
 * @typedef {{ paths: Record<string, Record<string, Operation>>, components?: { schemas?: Record<string, Schema> } }} Reference
 */

const PATIENCE_MS = 30_000;
const METHODS = ['GET', 'POST', 'DELETE', 'HEAD', 'PUT', 'PATCH', 'OPTIONS', 'TRACE'];
const SEGMENTS = ['%', '%zz', '%00', '..', '.', '%2f', '%2e%2e', 'stats', 'all', 'batch', 'online', ';', '~', '*', ''];
/** @type {Record<string, string>[]} */
const HEADERS = [
  { 'content-encoding': 'gzip' },
  { origin: 'null' },
  { origin: 'https://evil.example' },
  { 'x-forwarded-for': ',,::,%' },
  { forwarded: 'for=_' },
  { accept: 'text/html' },
  { 'accept-encoding': '*;q=0' },
  { range: 'bytes=0-0' },
  { 'if-none-match': '*' },
  { expect: '100-continue' },
  { authorization: 'Bearer x' },
  { authorization: 'Basic eDp5' },
  { authorization: `Bearer ${'x'.repeat(8_000)}` },
  { cookie: 'a=b; '.repeat(500) },
  { 'x-http-method-override': 'DELETE' },
  { 'access-control-request-method': 'DELETE' },
  { upgrade: 'h2c', connection: 'upgrade' },
  { connection: 'close' },
  { te: 'trailers' },
];
const CONTENT_TYPES = [
  'text/plain',
  'application/json; charset=utf-16',
  'application/json;;',
  'multipart/form-data',
  '/',
];

const encoded = oddText.map((text) => encodeURIComponent(Buffer.from(text).toString()).slice(0, 4_000));
const address = fc.constantFrom(...OFFLINE);
const segment = fc.oneof(
  { weight: 6, arbitrary: address },
  { weight: 2, arbitrary: encoded },
  fc.constantFrom(...SEGMENTS),
);

/** Right in most cases, by what the reference says of it. @type {(schema: Schema | undefined, reference: Reference, name?: string) => fc.Arbitrary<unknown>} */
function valueOf(schema, reference, name = '') {
  if (schema?.$ref !== undefined) {
    return valueOf(reference.components?.schemas?.[schema.$ref.split('/').at(-1) ?? ''], reference, name);
  }
  if (schema?.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema?.type === 'object') {
    const properties = Object.entries(schema.properties ?? {});
    return fc.record(Object.fromEntries(properties.map(([key, of]) => [key, valueOf(of, reference, key)])));
  }
  if (schema?.type === 'array') return fc.array(valueOf(schema.items, reference, name), { maxLength: 8 });
  if (schema?.type === 'integer' || schema?.type === 'number') return fc.nat(200);
  if (schema?.type === 'boolean') return fc.boolean();
  return /address/i.test(name) ? address : fc.string();
}

const parameterText = fc.oneof(
  fc.constantFrom('1', '100', '101', '1-1', '0-0', '9999999999999-1', addressOf(3)),
  encoded.map((text) => text.slice(0, 1_000)),
);
const parameterName = fc.constantFrom(
  'limit',
  'after',
  'upTo',
  'token',
  'limit[]',
  'after[a]',
  '__proto__',
  'constructor',
  '',
);

/** @type {(parameters: readonly Parameter[]) => fc.Arbitrary<string>} */
function queryOf(parameters) {
  const names = parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
  const known = names.length === 0 ? parameterName : fc.oneof(fc.constantFrom(...names), parameterName);
  const all = fc.array(fc.tuple(known, parameterText), { maxLength: 3 });
  return all.map((pairs) => (pairs.length === 0 ? '' : `?${pairs.map(([name, text]) => `${name}=${text}`).join('&')}`));
}

/** @type {(path: string) => fc.Arbitrary<string>} */
function pathOf(path) {
  const parts = path.split('/').map((part) => (part.startsWith('{') ? segment : fc.constant(part)));
  return fc.tuple(...parts).map((all) => all.join('/'));
}

/** Calls of one operation: right, but for one or two things. @type {(path: string, method: string, operation: Operation, reference: Reference) => fc.Arbitrary<Call>} */
function callsOf(path, method, operation, reference) {
  const schema = operation.requestBody?.content?.['application/json']?.schema;
  const object = valueOf(schema ?? { type: 'object', properties: { address: {}, publicKey: {} } }, reference);
  const body = mutated(object.map((value) => membersOf(/** @type {Record<string, unknown>} */ (value))));
  const isRare = fc.nat(9).map((n) => n === 0);
  return fc
    .record({
      target: pathOf(path),
      query: queryOf(operation.parameters ?? []),
      method: fc.oneof({ weight: 6, arbitrary: fc.constant(method.toUpperCase()) }, fc.constantFrom(...METHODS)),
      headers: fc.array(fc.constantFrom(...HEADERS), { maxLength: 2 }),
      type: fc.oneof({ weight: 8, arbitrary: fc.constant('application/json') }, fc.constantFrom(...CONTENT_TYPES)),
      body,
      hasBody: isRare.map((rare) => (schema !== undefined) !== rare),
    })
    .map(({ target, query, method, headers, type, body, hasBody }) => {
      const isSent = hasBody && method !== 'TRACE';
      const described = isSent ? { 'content-type': type, 'content-length': String(Buffer.byteLength(body)) } : {};
      const all = Object.fromEntries([...headers, described].flatMap((some) => Object.entries(some)));
      return { method, path: target + query, headers: all, body: isSent ? body : null };
    });
}

/** @param {World} world @returns {Promise<fc.Arbitrary<Call>>} */
export async function callsFrom(world) {
  const { text } = await ask(world.port, { method: 'GET', path: '/docs/openapi.json', headers: {}, body: null });
  /** @type {unknown} */
  const parsed = JSON.parse(text);
  const reference = /** @type {Reference} */ (parsed);
  const operations = Object.entries(reference.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => callsOf(path, method, operation, reference)),
  );
  insist(operations.length > 10, () => 'the reference knows no calls');
  const elsewhere = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`);
  const lost = elsewhere.map((path) => ({ method: 'GET', path, headers: {}, body: null }));
  return fc.oneof({ weight: 8, arbitrary: fc.oneof(...operations) }, { weight: 1, arbitrary: lost });
}

/** One request on a connection of its own. @type {(port: number, call: Call) => Promise<Answer>} */
export function ask(port, { method, path, headers, body }) {
  return new Promise((resolve, reject) => {
    const request = openRequest({ host: '127.0.0.1', port, method, path, headers, agent: false, timeout: PATIENCE_MS });
    request.on('response', (response) => {
      /** @type {Buffer[]} */
      const chunks = [];
      response.on('data', (/** @type {Buffer} */ chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
        });
      });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer to ${method} ${path}`)));
    request.on('error', reject);
    request.end(body ?? undefined);
  });
}

/** Answered with JSON or a problem, and never with a failure. @type {(world: World, call: Call) => Promise<void>} */
export async function insistOnAnswer(world, call) {
  world.sent.requests++;
  const { status, headers, text } = await ask(world.port, call);
  const shown = () => `${call.method} ${call.path.slice(0, 200)} → ${status} ${text.slice(0, 300)}`;
  insist(status < 500 || status === 503 || status === 507, shown);
  // The callback of a sign-in by wallet is what a person sees, whatever came of it.
  const isCallback =
    /^\/+auth\/+v1\/+callback/i.test(call.path) && !(headers['content-type'] ?? '').includes('problem');
  const isPage = (/^\/+docs/i.test(call.path) && status === 200) || isCallback;
  if (call.method === 'HEAD') return insist(text === '', shown);
  if (status >= 400 && !isCallback) return insistOnProblem(status, headers, text, shown);
  if (isPage || [204, 301, 302, 304].includes(status)) return;
  insist((headers['content-type'] ?? '').startsWith('application/json') && fieldsOf(text) !== null, shown);
}

/** RFC 9457. @type {(status: number, headers: Answer['headers'], text: string, shown: () => string) => void} */
function insistOnProblem(status, headers, text, shown) {
  insist((headers['content-type'] ?? '').startsWith('application/problem+json'), shown);
  const problem = fieldsOf(text);
  insist(problem?.status === status && Object.hasOwn(ERRORS, String(problem.code)), shown);
  insist(!/node_modules|\bat [\w.<>]+ \(|\w*Error:|Unexpected token|"stack"/.test(text), shown);
}

/** The bytes of a right request, some of them wrong, and perhaps more requests behind it on the same connection. */
export const rawRequests = fc.record({
  repeat: fc.constantFrom(1, 1, 2, 20),
  method: fc.constantFrom(...METHODS, 'get', 'PRI', 'X'),
  path: fc.oneof(
    encoded.map((text) => `/api/status/${text}`),
    fc.constantFrom('/health', '/ws', '*', 'http://[', 'x:1', '/docs'),
  ),
  headers: fc.array(
    fc.tuple(
      fc.constantFrom(
        'content-length',
        'transfer-encoding',
        'host',
        'connection',
        'upgrade',
        'expect',
        'x',
        'sec-websocket-version',
      ),
      fc.oneof(
        fc.constantFrom('0', '5', '-1', '1e9', 'chunked', 'gzip, chunked', 'websocket', 'close', '13', 'h2c'),
        fc.string(),
      ),
    ),
    { maxLength: 4 },
  ),
  body: fc.oneof(fc.constant(''), fc.constantFrom('5\r\nhello\r\n0\r\n\r\n', '{}', 'ffffffff\r\n', '0\r\n\r\n')),
  changes: fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 2 }),
});

/** Answered or ended, and every status is one that a client may see. @type {(world: World, raw: { repeat: number, method: string, path: string, headers: [string, string][], body: string, changes: [number, number][] }) => Promise<void>} */
export async function insistOnEnd(world, { repeat, method, path, headers, body, changes }) {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const bytes = Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: relay\r\n${lines}\r\n${body}`.repeat(repeat));
  for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
  world.sent.requests++;
  /** @type {string} */
  const answer = await new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(world.port, '127.0.0.1', () => socket.end(bytes));
    socket.setTimeout(PATIENCE_MS, () => {
      socket.destroy();
      reject(new Error(`neither answered nor ended: ${JSON.stringify(bytes.toString('latin1').slice(0, 300))}`));
    });
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
  const statuses = answer.match(/^HTTP\/1\.1 \d{3}/gm) ?? [];
  const wrong = statuses.filter((status) => / 5\d\d/.test(status) && !status.endsWith('503'));
  insist(wrong.length === 0, () => `${wrong.join()} for ${JSON.stringify(bytes.toString('latin1').slice(0, 300))}`);
}
