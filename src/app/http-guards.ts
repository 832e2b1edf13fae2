import { type ErrorCode, ERRORS } from '@relay/protocol';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { networkOf } from '../common/client-ip.js';
import { problem } from '../common/problem.js';
import type { Metrics } from '../common/metrics.js';
import type { RateLimits, Taken } from '../limits/rate-limits.js';
import { isAllowedOrigin } from '../relay/admission.js';
import { sendProblem } from './problem.filter.js';

const READS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

function refuse(response: Response, code: ErrorCode, detail: string = ERRORS[code].text): void {
  sendProblem(response, problem(ERRORS[code].httpStatus, code, detail));
}

/** Wallets call these from wherever they run. They go by the token in the body, never by what a browser sends along. */
const WALLET_CALL = /^\/auth\/[^/]+\/(start-session|authenticate|get-account|logout)\/?(\?|$)/;

/** What an operator proves itself with is sent on purpose, never along: no other page can make a browser do that. */
const OPERATOR_CALLS = '/admin/api/';

export function isWalletCall(url: string | undefined): boolean {
  return WALLET_CALL.test(url ?? '');
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
const CLOSED_WHEN_DOWN = /^\/(public-keys|devices)(\/|$)|\/stats\/all$|\/online\/all$/;

export interface RequestLimit {
  readonly maxRequests: number;
  readonly windowMs: number;
}

/**
 * Requests per IP address, over all nodes. Where the limiter's store is away: closed for keys, devices and admin calls, else
 * counted by this process alone. Mounted at `/api`.
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
    const limiter = CLOSED_WHEN_DOWN.test(request.path) ? closed : open;
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
