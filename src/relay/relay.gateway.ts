import { OnGatewayConnection, WebSocketGateway } from '@nestjs/websockets';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { AuthService } from '../auth/auth.service.js';
import { Clock } from '../common/clock.js';
import { Logger } from '../common/logger.js';
import { Metrics } from '../common/metrics.js';
import { wellFormed } from '../common/request-id.js';
import { Settings } from '../common/settings.js';
import type { ClientSocket, ClientSocketHost, SocketEnd } from './client-socket.js';
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
export class RelayGateway implements OnGatewayConnection, ClientSocketHost {
  /** With the count, names a connection among all nodes and restarts. */
  private readonly node = randomBytes(6).toString('base64url');
  private count = 0;

  constructor(
    private readonly connections: Connections,
    private readonly relay: Relay,
    private readonly turn: Turn,
    private readonly auth: AuthService,
    private readonly settings: Settings,
    private readonly metrics: Metrics,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  handleConnection(webSocket: ClientSocket, request: IncomingMessage): void {
    const { socket: tcp } = request;
    const { network } = webSocket;
    const link = new Link(webSocket, tcp, this.turn, this.settings.classicAck);
    const signIn = new SignIn(this.auth, { network, host: request.headers.host });
    // Joined, not added: what is added keeps its parts.
    const id = [this.node, ++this.count].join('-');
    const connection = new Connection(id, link, this.relay, signIn, network);
    this.connections.add(connection);
    this.metrics.connectionsOpened.add('opened');
    FrameReader.attach(webSocket, connection);
    webSocket.bind({ connection, host: this, tcp, requestId: wellFormed(request.headers['x-request-id']) });
  }

  /** `ws` closes it with the right code, and there is nothing for an operator to do. */
  broken({ id }: Connection, reason: string): void {
    this.logger.debug('broken connection', { connection: id, reason });
  }

  ended(connection: Connection, end: SocketEnd): void {
    connection.closed();
    this.connections.remove(connection);
    this.metrics.ended(end.code);
    // Strangers could fill the log: they are counted.
    const level = connection.cameIn === null ? 'debug' : 'info';
    this.logger[level]('connection ended', endOf(connection, end, this.clock.monotonic()));
  }
}
