import { type INestApplication, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import helmet from 'helmet';
import type { ValidationError } from 'class-validator';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { descriptorLimit } from '../common/descriptor-limit.js';
import { NestLogger } from '../common/logger.js';
import { Metrics } from '../common/metrics.js';
import { InvalidRequest } from '../common/problem.js';
import type { Settings } from '../common/settings.js';
import { RateLimits } from '../limits/rate-limits.js';
import { Admission } from '../relay/admission.js';
import { RelayWsAdapter } from '../relay/relay-ws.adapter.js';
import { AppModule, type Surroundings } from './app.module.js';
import { isWalletCall, limitRequests, refuseForeignWrites } from './http-guards.js';
import { readJson } from './json-body.js';
import { refuseWrongMethods } from './method-not-allowed.js';
import { serveReference } from './openapi.js';
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
  secure(app, settings);
  const { rateLimitMaxRequests: maxRequests, rateLimitWindowMs: windowMs } = settings;
  app.use('/api', limitRequests(app.get(RateLimits), app.get(Metrics), { maxRequests, windowMs }));
  app.use(refuseForeignWrites(settings.allowedOrigins), refuseWrongMethods(server));
  app.use(...readJson(settings.maxFrameBytes));
  app.useGlobalFilters(new ProblemFilter(logger));
  app.useGlobalPipes(validation());
  app.useWebSocketAdapter(new RelayWsAdapter(app, app.get(Admission), app.get(Metrics)));
  serveReference(app);
  const { maxConnections } = settings;
  app.getHttpServer().maxConnections = (maxConnections || descriptorLimit()) + HTTP_CONNECTIONS;
  return app;
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
  // The reference, and where wallets send browsers back to; everything else is data and needs nothing.
  const page = {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", 'data:'],
    connectSrc: ["'self'"],
  };
  const options = (directives: Record<string, string[]>) => ({
    // Whether a whole domain is HTTPS only is for its operator to say.
    strictTransportSecurity: false,
    contentSecurityPolicy: { useDefaults: false, directives: { ...directives, frameAncestors: ["'none'"] } },
    crossOriginResourcePolicy: { policy: 'cross-origin' as const },
  });
  const forPages = helmet(options(page));
  const forApps = helmet(options(APP_POLICY));
  const forData = helmet(options({ defaultSrc: ["'none'"] }));
  const policyOf = (url: string | undefined) => (isApp(url) ? forApps : isPage(url) ? forPages : forData);
  app.use((...args: Parameters<typeof forData>) => policyOf(args[0].url)(...args));
  const origin = settings.allowedOrigins[0] === '*' ? '*' : [...settings.allowedOrigins];
  const exposedHeaders = ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset', 'Retry-After'];
  app.enableCors((request: { url?: string }, decided) => {
    decided(null, { origin: isWalletCall(request.url) ? '*' : origin, exposedHeaders, maxAge: 600 });
  });
}

/** Our own pages: files of the relay, its REST and its WebSocket, and nothing that a text could turn into a script. */
const APP_POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'"],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  requireTrustedTypesFor: ["'script'"],
};

function isApp(url = ''): boolean {
  return /^\/(demo|admin(?!\/api\/))([/?]|$)/.test(url);
}

function isPage(url = ''): boolean {
  return url.startsWith('/docs') || url.startsWith('/auth/v1/callback');
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
