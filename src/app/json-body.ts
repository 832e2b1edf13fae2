import { RelayError } from '@relay/protocol';
import express, { type Request, type RequestHandler } from 'express';
import { isUtf8 } from 'node:buffer';
import { InvalidRequest } from '../common/problem.js';

/** The deepest body that any call takes is an object with a list; the largest is a list of 500. */
const MAX_DEPTH = 8;
const MAX_MEMBERS = 2_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPENING: readonly number[] = [0x5b, 0x7b];
const CLOSING: readonly number[] = [0x5d, 0x7d];

/**
 * Reads request bodies: JSON that says so, in UTF-8, no larger, no deeper and with no more members than any call needs.
 * All of it is checked before anything walks the value: validators recurse, and copy what nobody asked for.
 */
export function readJson(maxBytes: number): RequestHandler[] {
  return [declaration(maxBytes), express.raw({ type: () => true, limit: maxBytes }), parse];
}

/** What the headers say. A plain HTML form can send none of what passes here. */
function declaration(maxBytes: number): RequestHandler {
  return (request, response, next) => {
    const length = Number(request.headers['content-length'] ?? 0);
    if (length === 0 && request.headers['transfer-encoding'] === undefined) return next();
    if (!isJson(request)) return next(new RelayError('unsupported', 'Content-Type must be application/json'));
    if (length <= maxBytes) return next();
    // Refused before it was sent: what may still come is nothing that this connection could go on with.
    response.set('Connection', 'close');
    next(new RelayError('too_large'));
  };
}

function isJson(request: Request): boolean {
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '').toLowerCase().split(';');
  const charsets = parameters
    .map((parameter) => parameter.trim())
    .filter((parameter) => parameter.startsWith('charset='));
  return type.trim() === 'application/json' && charsets.every((charset) => /^charset="?utf-8"?$/.test(charset));
}

const parse: RequestHandler = (request, _response, next) => {
  const { body } = request as { body: unknown };
  // A PUT that says everything in its path has an empty body, and says so or not; what it might have said is left out.
  const isEmpty = !Buffer.isBuffer(body) || body.length === 0;
  if (isEmpty && request.method === 'PUT') request.body = {};
  if (!Buffer.isBuffer(body) || (isEmpty && request.method !== 'POST')) return next();
  try {
    request.body = parseObject(body);
  } catch (error) {
    return next(error);
  }
  next();
};

function parseObject(body: Buffer): object {
  const wrong = new InvalidRequest([{ field: 'body', message: 'must be a JSON object in UTF-8' }]);
  if (!isUtf8(body)) throw wrong;
  refuseComplexity(body);
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    throw wrong;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong;
  return value;
}

/** One pass over the bytes; strings are skipped. What is no JSON at all is for the parser to say. */
function refuseComplexity(body: Buffer): void {
  let depth = 0;
  let members = 0;
  for (let i = 0; i < body.length; i++) {
    const byte = body[i]!;
    if (byte === QUOTE) i = endOfString(body, i);
    else if (byte === COMMA && ++members > MAX_MEMBERS) throw new RelayError('too_large', 'Too many members');
    else if (CLOSING.includes(byte)) depth--;
    else if (OPENING.includes(byte) && ++depth > MAX_DEPTH) {
      throw new InvalidRequest([{ field: 'body', message: `must not be deeper than ${MAX_DEPTH} levels` }]);
    }
  }
}

function endOfString(body: Buffer, start: number): number {
  let i = start + 1;
  while (i < body.length && body[i] !== QUOTE) i += body[i] === BACKSLASH ? 2 : 1;
  return i;
}
