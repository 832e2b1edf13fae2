import type { INestApplicationContext } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { type ErrorCode, LIMITS } from '@relay/protocol';
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Server as ServerOf, type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import type { Metrics } from '../common/metrics.js';
import { problem } from '../common/problem.js';
import {
  type Admission,
  isWebSocketPath,
  isWebSocketUpgrade,
  type UpgradeRefusal,
  WEBSOCKET_VERSION,
} from './admission.js';
import { ClientSocket } from './client-socket.js';

/** Two options are newer than the published types. */
type WebSocketOptions = ServerOptions & { closeTimeout: number; maxPendingAutoPongs: number };

/** Every option of `ws` that a client can lean on, set here and nowhere left to a default. */
export const WEBSOCKET_OPTIONS: WebSocketOptions = {
  noServer: true,
  // Connections are counted and closed by the relay.
  clientTracking: false,
  // Contents are ciphertext, and a bomb would be one.
  perMessageDeflate: false,
  // Raised at the sign-in.
  maxPayload: LIMITS.frameBytesBeforeSignIn,
  // Of one message, and of TCP segments that wait for a frame's end: a flood of either is refused by `ws`.
  maxFragments: 128,
  maxBufferedChunks: 1024,
  skipUTF8Validation: false,
  autoPong: true,
  // A flood of pings is counted by the connection, which closes it with a reason.
  maxPendingAutoPongs: 0,
  // Frames of one segment are handled in one turn, and answered with one write.
  allowSynchronousEvents: true,
  // Whoever does not answer a close is cut.
  closeTimeout: 3_000,
};

const CODES: Record<UpgradeRefusal['status'], ErrorCode> = {
  400: 'bad_message',
  405: 'unsupported',
  403: 'forbidden',
  404: 'not_found',
  426: 'unsupported',
  429: 'rate_limited',
  503: 'unavailable',
};

/** Nest's adapter, but a refused upgrade is answered in HTTP instead of by a closed socket, and limits are explicit. */
export class RelayWsAdapter extends WsAdapter {
  private readonly server: ServerOf<typeof ClientSocket>;
  /** One for all WebSockets. */
  private readonly release: (this: WebSocket) => void;

  constructor(
    app: INestApplicationContext,
    private readonly admission: Admission,
    private readonly metrics: Metrics,
  ) {
    super(app);
    this.server = new WebSocketServer({ ...WEBSOCKET_OPTIONS, WebSocket: ClientSocket });
    this.release = function () {
      admission.release((this as ClientSocket).network);
    };
    // The handshake itself is wrong: a missing key, a subprotocol that is no token.
    this.server.on('wsClientError', (_error, socket) => {
      refuse(socket, { status: 400, detail: 'The WebSocket handshake is malformed' });
    });
  }

  // The base class promises its own decorated server; the gateway needs only what `ws` has.
  override create(): never {
    const httpServer = this.httpServer as { on(event: 'upgrade', listener: UpgradeListener): void };
    httpServer.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
    return this.server as never;
  }

  override bindMessageHandlers(): void {
    // Connections bind their own: messages must be handled in order, and none before the connection is known.
  }

  override bindClientDisconnect(): void {
    // Likewise.
  }

  override close(): Promise<void> {
    // The relay's drain has sent everybody away by now.
    this.server.close();
    return Promise.resolve();
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Between the upgrade and the WebSocket nobody else listens, and an unheard error ends the process.
    socket.on('error', destroyIt);
    if (!isWebSocketUpgrade(request) && !isWebSocketPath(request.url)) return this.ignoreUpgrade(request, socket, head);
    const network = this.admission.networkOf(request);
    const refusal = this.admission.refusal(request, network);
    if (refusal !== null) {
      this.metrics.upgradesRefused.add(String(refusal.status));
      if (refusal.status === 429) this.metrics.limited.add('connections');
      return refuse(socket, refusal);
    }
    this.server.handleUpgrade(request, socket, head, (webSocket) => {
      // `ws` listens by now.
      socket.off('error', destroyIt);
      this.admission.admit(network);
      webSocket.network = network;
      webSocket.on('close', this.release);
      this.server.emit('connection', webSocket, request);
    });
  }

  /**
   * An offer of another protocol (curl and Java offer HTTP/2) is no reason not to answer the request (RFC 9110 §7.8).
   * Node has let go of the socket: it gets it back as a new connection, with the same request without the offer, and so
   * with the body, the timeouts and the end that every request has.
   */
  private ignoreUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage, socket: Duplex, head: Buffer): void {
    const lines = [`${method} ${url} HTTP/${httpVersion}`];
    for (let i = 0; i < rawHeaders.length; i += 2) {
      if (!/^(upgrade|connection|http2-settings)$/i.test(rawHeaders[i]!))
        lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
    }
    socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
    (this.httpServer as Server).emit('connection', socket);
  }
}

function destroyIt(this: Duplex): void {
  this.destroy();
}

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

function refuse(socket: Duplex, { status, detail, retryAfterSeconds }: UpgradeRefusal): void {
  const body = JSON.stringify(problem(status, CODES[status], detail));
  const headers = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  if (status === 405) headers.push('Allow: GET');
  if (status === 426) headers.push('Upgrade: websocket', `Sec-WebSocket-Version: ${WEBSOCKET_VERSION}`);
  if (retryAfterSeconds !== undefined) headers.push(`Retry-After: ${retryAfterSeconds}`);
  socket.once('finish', () => socket.destroy());
  socket.end(`${headers.join('\r\n')}\r\n\r\n${body}`);
}
