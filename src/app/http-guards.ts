import { type ErrorCode, ERRORS } from '@relay/protocol';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { networkOf } from '../common/client-ip.js';
import { problem } from '../common/problem.js';
import { isAllowedOrigin } from '../relay/admission.js';
import { sendProblem } from './problem.filter.js';

const READS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

function refuse(response: Response, code: ErrorCode, detail: string = ERRORS[code].text): void {
  sendProblem(response, problem(ERRORS[code].httpStatus, code, detail));
}

/** Wallets call these from wherever they run. They go by the token in the body, never by what a browser sends along. */
const WALLET_CALL = /^\/auth\/[^/]+\/(start-session|authenticate|get-account|logout)\/?(\?|$)/;

export function isWalletCall(url: string | undefined): boolean {
  return WALLET_CALL.test(url ?? '');
}

/** A page of an origin that is not allowed may change nothing, not even with a request that needs no CORS consent. */
export function refuseForeignWrites(allowedOrigins: readonly string[]): RequestHandler {
  return (request, response, next) => {
    if (READS.includes(request.method) || isWalletCall(request.url)) return next();
    if (isAllowedOrigin(request.headers.origin, allowedOrigins)) return next();
    refuse(response, 'forbidden', 'This origin is not allowed');
  };
}

/** Requests per IP address. In this process: it needs no store, so it cannot be down. */
export function limitRequests(maxRequests: number, windowMs: number): RequestHandler {
  const limiter = new RateLimiterMemory({ points: maxRequests, duration: windowMs / 1000 });
  return (request: Request, response: Response, next: NextFunction) => {
    const report = ({ remainingPoints, msBeforeNext }: RateLimiterRes): number => {
      const seconds = Math.ceil(msBeforeNext / 1000);
      response.set('RateLimit-Limit', String(maxRequests));
      response.set('RateLimit-Remaining', String(remainingPoints));
      response.set('RateLimit-Reset', String(seconds));
      return seconds;
    };
    limiter.consume(networkOf(request.ip ?? '')).then(
      (state) => {
        report(state);
        next();
      },
      (reason: unknown) => {
        if (!(reason instanceof RateLimiterRes)) return next(reason);
        response.set('Retry-After', String(report(reason)));
        refuse(response, 'rate_limited');
      },
    );
  };
}
