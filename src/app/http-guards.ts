import { type ErrorCode, ERRORS } from '@relay/protocol';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { networkOf } from '../common/client-ip.js';
import { REQUEST_ID, wellFormed } from '../common/request-id.js';
import { problem } from '../common/problem.js';
import type { Metrics } from '../common/metrics.js';
import type { RateLimits, Taken } from '../limits/rate-limits.js';
import { isAllowedOrigin } from '../relay/admission.js';
import { sendProblem } from './problem.filter.js';

const READS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

/** Each answer names its request: as the request was named by who sent it on, or anew. What is logged of it says the same. */
export function nameRequests(newId: () => string): RequestHandler {
  return (request, response, next) => {
    response.set(REQUEST_ID, wellFormed(request.headers['x-request-id']) ?? newId());
    next();
  };
}

function refuse(response: Response, code: ErrorCode, detail: string = ERRORS[code].text): void {
  sendProblem(response, problem(ERRORS[code].httpStatus, code, detail));
}

/**
 * Wallets call these from wherever they run. They go by the token in the body, never by what a browser sends along. Paths here
 * are compared as Express does: in any case, with or without a slash at the end.
 */
const WALLET_CALL = /^\/auth\/[^/]+\/(start-session|authenticate|get-account|logout)\/?(\?|$)/i;

/** What an operator proves itself with is sent on purpose, never along: no other page can make a browser do that. */
const OPERATOR_CALLS = '/admin/api/';

export function isWalletCall(url: string | undefined): boolean {
  return WALLET_CALL.test(url ?? '');
}

/** Says what this relay is and demands, to whoever asks. */
export function isSelfDescription(url: string | undefined): boolean {
  return /^\/\.well-known\/relay\/?(\?|$)/.test(url ?? '');
}

/** A page of an origin that is not allowed may change nothing, not even with a request that needs no CORS consent. */
export function refuseForeignWrites(allowedOrigins: readonly string[]): RequestHandler {
  return (request, response, next) => {
    if (READS.includes(request.method) || isWalletCall(request.url) || request.url.startsWith(OPERATOR_CALLS))
      return next();
    if (isAllowedOrigin(request.headers.origin, allowedOrigins)) return next();
    refuse(response, 'forbidden', 'This origin is not allowed');
  };
}

/** What changes who somebody is, or what only an operator may see, waits for the limiter's store; the rest does not. */
const CLOSED_WHEN_DOWN =
  /^\/api\/(public-keys|devices)(\/|$)|^\/api\/[^/]+\/(stats|online)\/all\/?$|^\/auth\/v1\/session\/?$/i;

/** The browser's part of a sign-in by link. Wallets' calls are not here: their servers make them for thousands of people. */
const BROWSER_SIGN_IN = ['/auth/v1/start', '/auth/v1/callback', '/auth/v1/callback.js', '/auth/v1/session'];

/** Where requests are counted by IP address. */
export const LIMITED_PATHS: readonly string[] = ['/api', ...BROWSER_SIGN_IN];

export interface RequestLimit {
  readonly maxRequests: number;
  readonly windowMs: number;
}

/**
 * Requests per IP address, over all nodes. Where the limiter's store is away: closed for keys, devices, admin calls and
 * sessions by link, else counted by this process alone. Mounted at `LIMITED_PATHS`.
 */
export function limitRequests(
  limits: RateLimits,
  metrics: Metrics,
  { maxRequests, windowMs }: RequestLimit,
): RequestHandler {
  const limit = { points: maxRequests, windowMs };
  const open = limits.limiter({ name: 'rest', ...limit, whenDown: 'local' });
  const closed = limits.limiter({ name: 'rest', ...limit, whenDown: 'closed' });
  return (request: Request, response: Response, next: NextFunction) => {
    const limiter = CLOSED_WHEN_DOWN.test(request.baseUrl + request.path) ? closed : open;
    limiter.take(networkOf(request.ip ?? '')).then((taken) => {
      if (report(response, taken)) next();
      else metrics.limited.add('rest');
    }, next);
  };
}

/** False where the request is refused, and answered. */
export function report(response: Response, { isAllowed, limit, remaining, resetMs }: Taken): boolean {
  const seconds = String(Math.ceil(resetMs / 1000));
  response.set('RateLimit-Limit', String(limit));
  response.set('RateLimit-Remaining', String(remaining));
  response.set('RateLimit-Reset', seconds);
  if (isAllowed) return true;
  response.set('Retry-After', seconds);
  refuse(response, 'rate_limited');
  return false;
}
