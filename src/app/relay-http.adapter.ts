import { ExpressAdapter } from '@nestjs/platform-express';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { problem } from '../common/problem.js';

/** Every bound of Node's server that a client can lean on, set here and nowhere left to a default. */
export const HTTP_LIMITS = {
  /** Node's own are 60 s and 300 s, checked every 30 s: a slow sender would hold a socket for minutes. */
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  checkEveryMs: 1_000,
  /** Longer than the idle timeout of common proxies (60 s), which otherwise send into a socket that we just closed. */
  keepAliveMs: 65_000,
  /** Whoever does not read an answer for this long is cut; the relay would keep it for them. Not for WebSockets. */
  idleTimeoutMs: 60_000,
  maxHeaderBytes: 16 * 1024,
  /**
   * 0: all that fit into `maxHeaderBytes`, at most 4096. Beyond a number, Node drops headers without a word, and what a
   * proxy adds comes last: whoever sends 2000 headers of its own would come from no IP address but the proxy's.
   */
  maxHeaders: 0,
  /** Pipelined requests are all begun at once, so this also bounds those. The last one is answered `Connection: close`. */
  maxRequestsPerSocket: 1_000,
  /**
   * Connections that TCP has opened and that wait to be taken. Beyond it (Node's own is 511) the system drops a client's first packet, which is sent
   * again after 1 s, 3 s, 7 s: thousands that come back at once would make each other wait. Linux caps it at `net.core.somaxconn`, 4096.
   */
  listenBacklog: 4_096,
} as const;

export type HttpLimits = Readonly<Record<keyof typeof HTTP_LIMITS, number>>;

/** What a request that has begun is given when the server stops. */
const LAST_REQUEST_MS = 3_000;

/** PEM files of TLS_CERT_FILE and TLS_KEY_FILE. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Whether new files were taken; those that cannot be used change nothing. */
  readonly onReload: (error: unknown) => void;
}

/** Renewals replace two files, one after the other: a pair that does not fit is tried again at the next change. */
const LOOK_AT_FILES_EVERY_MS = 2_000;

export class RelayHttpAdapter extends ExpressAdapter {
  constructor(
    private readonly tls: TlsFiles | null = null,
    private readonly limits: HttpLimits = HTTP_LIMITS,
  ) {
    super();
  }

  override initHttpServer(): void {
    const { limits, tls } = this;
    const options = {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: limits.checkEveryMs,
      keepAliveTimeout: limits.keepAliveMs,
      maxHeaderSize: limits.maxHeaderBytes,
      // A request that two parsers read in two ways is how one is smuggled past a proxy.
      insecureHTTPParser: false,
      requireHostHeader: true,
      joinDuplicateHeaders: false,
      noDelay: true,
      // Dead peers are noticed by pings, and by the timeouts above; TCP's own probes take hours.
      keepAlive: false,
    };
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      if (isTarget(request.url)) this.getInstance<RequestListener>()(request, response);
      else refuseTarget(response);
    };
    const server: Server | TlsServer =
      tls === null ? createServer(options, answer) : createTlsServer({ ...options, ...readPair(tls) }, answer);
    server.timeout = limits.idleTimeoutMs;
    server.maxHeadersCount = limits.maxHeaders;
    server.maxRequestsPerSocket = limits.maxRequestsPerSocket;
    this.setHttpServer(server);
    if (tls !== null) this.watchFiles(server as TlsServer, tls);
  }

  /** Connections that are open keep what they were opened with. */
  private watchFiles(server: TlsServer, tls: TlsFiles): void {
    const reload = (): void => {
      try {
        server.setSecureContext(readPair(tls));
        tls.onReload(null);
      } catch (error) {
        tls.onReload(error);
      }
    };
    // Not fs.watch: certificates are often links that are exchanged.
    for (const file of [tls.certFile, tls.keyFile]) {
      watchFile(file, { interval: LOOK_AT_FILES_EVERY_MS, persistent: false }, reload);
      server.on('close', () => unwatchFile(file, reload));
    }
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

function readPair({ certFile, keyFile }: TlsFiles): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(certFile), key: readFileSync(keyFile) };
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
