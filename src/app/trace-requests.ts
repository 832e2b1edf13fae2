import type { Request, RequestHandler } from 'express';
import { REQUEST_ID } from '../common/request-id.js';
import type { Tracing } from '../common/tracing.js';

/** A span for each request of REST, named by its route: what stands in a path or a query may be an address or a token. */
export function traceRequests(tracing: Tracing): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now();
    const parent = request.get('traceparent');
    response.once('close', () => {
      const { method } = request;
      const route = routeOf(request);
      const status = response.statusCode;
      tracing.record({
        name: `${method} ${route}`,
        kind: 'server',
        tookMs: performance.now() - startedAt,
        fields: {
          'http.request.method': method,
          'http.route': route,
          'http.response.status_code': status,
          'relay.request_id': String(response.getHeader(REQUEST_ID)),
          'relay.answered': response.writableFinished,
        },
        isFailed: status >= 500,
        parent,
      });
    });
    next();
  };
}

/** Express writes it once it has found one. */
function routeOf({ route }: Request): string {
  const { path } = (route ?? {}) as { path?: unknown };
  return typeof path === 'string' ? path : '(none)';
}
