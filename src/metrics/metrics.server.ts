import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listenFailure } from '../common/listen-failure.js';
import type { Logger } from '../common/logger.js';
import type { Settings } from '../common/settings.js';
import { EXIT_UNAVAILABLE, StartError } from '../common/start-error.js';

const REQUEST_TIMEOUT_MS = 5_000;
const MAX_CONNECTIONS = 16;

/** What is read at `/metrics`. */
export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

/** Metrics have a listener of their own: what they tell is for the operator, and must not be one proxy rule away from everybody. */
export class MetricsServer {
  private readonly server: Server;

  constructor(private readonly metrics: MetricsText) {
    const timeouts = { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS };
    this.server = createServer(timeouts, (request, response) => void this.answer(request, response));
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  /** Returns the port. Rejects as `listen` does, with EADDRINUSE where it is taken. */
  async listen(port: number, host: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => resolve());
    });
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private async answer({ method, url }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (url !== '/metrics') return void response.writeHead(404).end();
    if (method !== 'GET' && method !== 'HEAD') return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
    try {
      const text = await this.metrics.text();
      response.writeHead(200, { 'content-type': this.metrics.contentType }).end(text);
    } catch {
      response.writeHead(500).end();
    }
  }
}

/** Where the settings say. A port that is taken refuses the start in production: rejects with `StartError`. */
export async function listenForScrapes(server: MetricsServer, settings: Settings, logger: Logger): Promise<void> {
  const { metricsPort, metricsHost, environment } = settings;
  try {
    const port = await server.listen(metricsPort, metricsHost);
    logger.info('metrics listening', { url: `http://${metricsHost}:${port}/metrics` });
  } catch (error) {
    const target = { port: metricsPort, host: metricsHost, portSetting: 'METRICS_PORT', hostSetting: 'METRICS_HOST' };
    const reason = listenFailure(target, error);
    if (environment === 'production') throw new StartError(EXIT_UNAVAILABLE, [reason]);
    // Two relays on a developer's machine.
    logger.warn('no metrics', { reason });
  }
}
