import { type INestApplication, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import helmet from 'helmet';
import type { ValidationError } from 'class-validator';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { descriptorLimit } from '../common/descriptor-limit.js';
import { NestLogger } from '../common/logger.js';
import { Metrics } from '../common/metrics.js';
import { InvalidRequest } from '../common/problem.js';
import { REQUEST_ID } from '../common/request-id.js';
import type { Settings } from '../common/settings.js';
import { Siblings } from '../common/siblings.js';
import { Tracing } from '../common/tracing.js';
import { RateLimits } from '../limits/rate-limits.js';
import { Admission } from '../relay/admission.js';
import { RelayWsAdapter } from '../relay/relay-ws.adapter.js';
import { AppModule, type Surroundings } from './app.module.js';
import {
  isSelfDescription,
  isWalletCall,
  limitRequests,
  LIMITED_PATHS,
  nameRequests,
  refuseForeignWrites,
} from './http-guards.js';
import { readJson } from './json-body.js';
import { refuseWrongMethods } from './method-not-allowed.js';
import { serveReference } from './openapi.js';
import { traceRequests } from './trace-requests.js';
import { ProblemFilter } from './problem.filter.js';
import { EXIT_CONFIGURATION, StartError } from '../common/start-error.js';
import { RelayHttpAdapter, type TlsFiles } from './relay-http.adapter.js';

/** Beside the WebSockets; fewer than the descriptors that `descriptorLimit` leaves. */
const HTTP_CONNECTIONS = 64;

/** The whole relay, ready to `listen`. */
export async function createApp(surroundings: Surroundings): Promise<INestApplication> {
  const { settings, logger } = surroundings;
  const app = await NestFactory.create<NestExpressApplication>(
    AppModule.with(surroundings),
    new RelayHttpAdapter(tlsOf(surroundings)),
    // Our own parser follows, behind the guards.
    { logger: new NestLogger(logger), bodyParser: false, abortOnError: false },
  );
  const server = app.getHttpAdapter().getInstance();
  server.disable('x-powered-by').disable('etag');
  server.set('trust proxy', settings.trustProxy);
  app.use(nameRequests(randomUUID));
  const tracing = app.get(Tracing);
  if (tracing.isOn) app.use(traceRequests(tracing));
  secure(app, settings);
  const { rateLimitMaxRequests: maxRequests, rateLimitWindowMs: windowMs } = settings;
  app.use([...LIMITED_PATHS], limitRequests(app.get(RateLimits), app.get(Metrics), { maxRequests, windowMs }));
  app.use(refuseForeignWrites(settings.allowedOrigins), refuseWrongMethods(server));
  app.use(...readJson(settings.maxFrameBytes));
  app.useGlobalFilters(new ProblemFilter(logger));
  app.useGlobalPipes(validation());
  app.useWebSocketAdapter(new RelayWsAdapter(app, app.get(Admission), app.get(Metrics)));
  serveReference(app, settings);
  const most = (settings.maxConnections || descriptorLimit()) + HTTP_CONNECTIONS;
  if (app.get(Siblings).isAlone) app.getHttpServer().maxConnections = most;
  else cutBeyond(app.getHttpServer(), most);
  return app;
}

/** Node has a worker with `maxConnections` pass connections on to the others; where all are full, they go round for ever. */
function cutBeyond(server: Server, most: number): void {
  let open = 0;
  server.on('connection', (socket: Socket) => {
    open++;
    socket.once('close', () => open--);
    if (open > most) socket.destroy();
  });
}

function tlsOf({ settings, logger }: Surroundings): TlsFiles | null {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile } = settings;
  if (certFile === '') return null;
  try {
    createSecureContext({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new StartError(EXIT_CONFIGURATION, [`TLS_CERT_FILE and TLS_KEY_FILE cannot be used (${reason})`]);
  }
  const onReload = (error: unknown): void => {
    if (error === null) logger.info('new TLS certificate');
    else logger.warn('new TLS files cannot be used; the old ones stay', { reason: (error as Error).message });
  };
  return { certFile, keyFile, onReload };
}

function secure(app: NestExpressApplication, settings: Settings): void {
  const options = (directives: Record<string, string[]>) => ({
    // Whether a whole domain is HTTPS only is for its operator to say.
    strictTransportSecurity: false,
    contentSecurityPolicy: { useDefaults: false, directives: { ...directives, frameAncestors: ["'none'"] } },
    crossOriginResourcePolicy: { policy: 'cross-origin' as const },
  });
  // Everything but the pages is data and needs nothing.
  const policies = {
    page: helmet(options(PAGE)),
    'styled page': helmet(options(STYLED_PAGE)),
    app: helmet(options(APP)),
    data: helmet(options(DATA)),
  };
  app.use((...args: Parameters<typeof policies.data>) => policies[kindOf(args[0].url)](...args));
  const origin = settings.allowedOrigins[0] === '*' ? '*' : [...settings.allowedOrigins];
  const exposedHeaders = ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset', 'Retry-After', REQUEST_ID];
  app.enableCors((request: { url?: string }, decided) => {
    const isForAll = isWalletCall(request.url) || isSelfDescription(request.url);
    decided(null, { origin: isForAll ? '*' : origin, exposedHeaders, maxAge: 600 });
  });
}

const DATA = { defaultSrc: ["'none'"] };
const PAGE = { ...DATA, scriptSrc: ["'self'"], styleSrc: ["'self'"], imgSrc: ["'self'"], connectSrc: ["'self'"] };
/** Swagger UI sets styles and images within its page, and so does the one that wallets send browsers back to. */
const STYLED_PAGE = { ...PAGE, styleSrc: ["'self'", "'unsafe-inline'"], imgSrc: ["'self'", 'data:'] };

/** Whole programs, which hold keys: no text becomes a script, and nothing is sent anywhere by a form. */
const APP = { ...PAGE, baseUri: ["'none'"], formAction: ["'none'"], requireTrustedTypesFor: ["'script'"] };

function kindOf(url = ''): 'app' | 'page' | 'styled page' | 'data' {
  if (/^\/(demo|admin(?!\/api\/))([/?]|$)/i.test(url)) return 'app';
  if (/^\/(docs\/ws\/?)?(\?|$)/i.test(url)) return 'page';
  return /^\/(docs|auth\/v1\/callback)/i.test(url) ? 'styled page' : 'data';
}

/** Unknown members are left out, not refused: the first relay's clients may send some. */
function validation(): ValidationPipe {
  return new ValidationPipe({
    whitelist: true,
    transform: true,
    stopAtFirstError: true,
    exceptionFactory: (errors) => new InvalidRequest(errors.map(toFieldError)),
  });
}

function toFieldError({ property, constraints }: ValidationError): { field: string; message: string } {
  const [message = 'is not valid'] = Object.values(constraints ?? {});
  return { field: property, message };
}
