import { ExpressAdapter } from '@nestjs/platform-express';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { problem } from '../common/problem.js';

/** Node's own are 60 s and 300 s, checked every 30 s: a slow sender would hold a socket for minutes. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
const CHECK_EVERY_MS = 1_000;
/** Longer than the idle timeout of common proxies (60 s), which otherwise send into a socket that we just closed. */
const KEEP_ALIVE_MS = 65_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** Whoever does not read an answer for this long is cut; the relay would keep it for them. Not for WebSockets. */
const IDLE_TIMEOUT_MS = 60_000;
/** What a request that has begun is given when the server stops. */
const LAST_REQUEST_MS = 3_000;

export class RelayHttpAdapter extends ExpressAdapter {
  override initHttpServer(): void {
    const server: Server = createServer(
      {
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: CHECK_EVERY_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        maxHeaderSize: MAX_HEADER_BYTES,
      },
      (request, response) => {
        if (isTarget(request.url)) this.getInstance<RequestListener>()(request, response);
        else refuseTarget(response);
      },
    );
    server.timeout = IDLE_TIMEOUT_MS;
    this.setHttpServer(server);
  }

  /** Node stops its own timeouts when a server closes: whoever connected and sends nothing would hold it open for ever. */
  override async close(): Promise<void> {
    const cut = setTimeout(() => this.getHttpServer().closeAllConnections(), LAST_REQUEST_MS);
    try {
      await super.close();
    } finally {
      clearTimeout(cut);
    }
  }
}

/** RFC 9112 §3.2: a path, or what is sent to a proxy. Express answers anything else with a page of its own. */
function isTarget(target: IncomingMessage['url'] = ''): boolean {
  return target.startsWith('/') || URL.canParse(target);
}

function refuseTarget(response: ServerResponse): void {
  const body = JSON.stringify(problem(400, 'bad_message', 'The request target is not a URL'));
  const headers = { 'content-type': 'application/problem+json', 'content-length': Buffer.byteLength(body) };
  response.writeHead(400, headers).end(body);
}
