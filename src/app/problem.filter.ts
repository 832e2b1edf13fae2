import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { ERRORS, type ErrorCode, RelayError } from '@relay/protocol';
import type { Request, Response } from 'express';
import type { Logger } from '../common/logger.js';
import { InvalidRequest, problem, type Problem } from '../common/problem.js';

/** What Express and its body parser throw. */
interface HttpError {
  readonly status: number;
}

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'bad_message',
  401: 'auth_required',
  403: 'forbidden',
  404: 'not_found',
  405: 'unsupported',
  413: 'too_large',
  415: 'unsupported',
  429: 'rate_limited',
  503: 'unavailable',
};

/** Every failure of REST becomes a problem here, with nothing of a library's words in it. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const response = http.getResponse<Response>();
    // The client left before its answer, or the answer has begun: there is nobody to tell.
    if (response.headersSent || http.getRequest<Request>().socket.destroyed) {
      response.end();
      return;
    }
    const retryAfterMs = error instanceof RelayError ? error.details.retryAfterMs : undefined;
    if (retryAfterMs !== undefined) response.set('Retry-After', String(Math.ceil(retryAfterMs / 1000)));
    sendProblem(response, this.describe(error));
  }

  private describe(error: unknown): Problem {
    if (error instanceof InvalidRequest) {
      const detail = error.errors.map(({ field, message }) => `${field} ${message}`).join('; ');
      return problem(400, 'bad_message', detail, error.errors);
    }
    if (error instanceof RelayError) return problem(ERRORS[error.code].httpStatus, error.code, error.message);
    const status = statusOf(error);
    const code = CODE_OF_STATUS[status] ?? (status < 500 ? 'bad_message' : 'internal');
    if (status >= 500 && status !== 503) this.logger.error('request failed', error);
    return problem(status, code, DETAILS[status] ?? ERRORS[code].text);
  }
}

const DETAILS: Readonly<Record<number, string>> = {
  400: 'The request is malformed',
  500: 'Internal server error',
  503: 'Not ready',
};

function statusOf(error: unknown): number {
  if (error instanceof HttpException) return error.getStatus();
  const status = typeof error === 'object' && error !== null ? (error as Partial<HttpError>).status : undefined;
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500;
}

export function sendProblem(response: Response, body: Problem): void {
  // RFC 6750 §3: what a 401 wants, and whether it is the token that was wrong.
  if (body.status === 401) {
    response.set('WWW-Authenticate', body.code === 'auth_required' ? 'Bearer' : 'Bearer error="invalid_token"');
  }
  response.status(body.status).type('application/problem+json').send(JSON.stringify(body));
}
