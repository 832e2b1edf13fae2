import { OnGatewayConnection, WebSocketGateway } from '@nestjs/websockets';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { AuthService } from '../auth/auth.service.js';
import { Clock } from '../common/clock.js';
import { Logger } from '../common/logger.js';
import { Metrics } from '../common/metrics.js';
import { wellFormed } from '../common/request-id.js';
import { Settings } from '../common/settings.js';
import { Admission } from './admission.js';
import { Connection } from './connection.js';
import { endOf } from './connection-end.js';
import { Connections } from './connections.js';
import { FrameReader } from './frame-reader.js';
import { Link } from './link.js';
import { Relay } from './relay.js';
import { SignIn } from './sign-in.js';
import { Turn } from './turn.js';

/** Binds each WebSocket to its `Connection`, synchronously: not a frame may come before its listener. */
@WebSocketGateway()
export class RelayGateway implements OnGatewayConnection {
  /** With the count, names a connection among all nodes and restarts. */
  private readonly node = randomBytes(6).toString('base64url');
  private count = 0;

  constructor(
    private readonly connections: Connections,
    private readonly relay: Relay,
    private readonly turn: Turn,
    private readonly admission: Admission,
    private readonly auth: AuthService,
    private readonly settings: Settings,
    private readonly metrics: Metrics,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  handleConnection(webSocket: WebSocket, request: IncomingMessage): void {
    // Not the request itself: the listeners below last as long as the connection, and would keep all its headers.
    const { socket } = request;
    const link = new Link(webSocket, socket, this.turn, this.settings.classicAck);
    const network = this.admission.networkOf(request);
    const signIn = new SignIn(this.auth, { network, host: request.headers.host });
    const requestId = wellFormed(request.headers['x-request-id']);
    const connection = new Connection(`${this.node}-${++this.count}`, link, this.relay, signIn, network);
    this.connections.add(connection);
    this.metrics.connectionsOpened.add('opened');
    FrameReader.attach(webSocket, (text) => connection.receive(text));
    webSocket.on('message', (data, isBinary) => connection.receive(isBinary ? null : (data as Buffer).toString()));
    webSocket.on('pong', (payload) => connection.ponged(payload));
    webSocket.on('ping', () => connection.pinged());
    // A peer that breaks the protocol: `ws` closes with the right code, and there is nothing for an operator to do.
    let isBroken = false;
    webSocket.on('error', (error) => {
      isBroken = true;
      this.logger.debug('broken connection', { connection: connection.id, reason: error.message });
    });
    webSocket.on('close', (code) => {
      connection.closed();
      this.connections.remove(connection);
      this.metrics.ended(code);
      const { bytesRead, bytesWritten } = socket;
      const end = { code, isBroken, now: this.clock.monotonic(), bytesRead, bytesWritten, requestId };
      // Strangers could fill the log: they are counted.
      const level = connection.cameIn === null ? 'debug' : 'info';
      this.logger[level]('connection ended', endOf(connection, end));
    });
    socket.on('drain', () => connection.drained());
  }
}
