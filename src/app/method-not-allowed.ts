import type { Express, RequestHandler } from 'express';
import { problem } from '../common/problem.js';
import { sendProblem } from './problem.filter.js';

/** As much of Express's router as is needed to tell a wrong method from a wrong path. */
interface Layer {
  readonly route?: { readonly methods: Readonly<Record<string, boolean>> };
  match(path: string): boolean;
}

/** Express answers 404 for a known path with another method; HTTP says 405 and which methods there are (RFC 9110 §15.5.6). */
export function refuseWrongMethods(app: Express): RequestHandler {
  return (request, response, next) => {
    const methods = methodsOf(app, request.path);
    if (methods.size === 0 || methods.has(request.method) || request.method === 'OPTIONS') return next();
    const allowed = [...methods].join(', ');
    response.set('Allow', allowed);
    sendProblem(response, problem(405, 'unsupported', `Method not allowed; this path knows ${allowed}`));
  };
}

function methodsOf(app: Express, path: string): Set<string> {
  const methods = new Set<string>();
  for (const layer of app.router.stack as unknown as readonly Layer[]) {
    if (layer.route === undefined || !layer.match(path)) continue;
    for (const [method, known] of Object.entries(layer.route.methods)) {
      if (known) methods.add(method.toUpperCase());
    }
  }
  if (methods.has('GET')) methods.add('HEAD');
  return methods;
}
