import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Connection } from './connection.js';

/** Who hears of the ends of all of them. */
export interface ClientSocketHost {
  /** The peer broke the protocol, or the socket broke. */
  broken(connection: Connection, reason: string): void;
  ended(connection: Connection, end: SocketEnd): void;
}

export interface SocketEnd {
  /** As the WebSocket knows it. */
  readonly code: number;
  /** `ws` closed it: the peer broke the protocol. */
  readonly isBroken: boolean;
  /** On the socket, the handshake among them. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** What the proxy in front calls the upgrade; `null` where it does not. */
  readonly requestId: string | null;
}

interface Binding {
  readonly connection: Connection;
  readonly host: ClientSocketHost;
  readonly tcp: Socket;
  readonly requestId: string | null;
}

/** Of a socket: whose it is. */
const OWNER = Symbol('owner');

/**
 * The WebSocket of a client, which tells its connection what comes without a listener for each: they would take a closure each
 * and a table, 1 KiB for as long as the connection lasts. Who listens all the same hears of everything afterwards.
 */
export class ClientSocket extends WebSocket {
  /** What limits count it for. */
  network = '';
  private connection: Connection | null = null;
  private host: ClientSocketHost | null = null;
  private tcp: Socket | null = null;
  private requestId: string | null = null;
  private isBroken = false;

  /** Before the socket has brought anything. */
  bind({ connection, host, tcp, requestId }: Binding): void {
    this.connection = connection;
    this.host = host;
    this.tcp = tcp;
    this.requestId = requestId;
    (tcp as OwnedSocket)[OWNER] = connection;
    tcp.on('drain', drained);
    letGoOfTimer(tcp);
  }

  // At most two, as `ws` has it: an array of them would be made for each pong.
  override emit(event: string | symbol, first?: unknown, second?: unknown): boolean {
    if (this.connection === null || !this.tell(this.connection, event, first, second))
      return super.emit(event, first, second);
    return this.listenerCount(event) === 0 || super.emit(event, first, second);
  }

  /** False: nothing that a connection hears of. */
  private tell(connection: Connection, event: string | symbol, first: unknown, second: unknown): boolean {
    switch (event) {
      case 'message':
        connection.receive(second === true ? null : (first as Buffer).toString());
        return true;
      case 'pong':
        connection.ponged(first as Buffer);
        return true;
      case 'ping':
        connection.pinged();
        return true;
      case 'error':
        this.isBroken = true;
        this.host?.broken(connection, (first as Error).message);
        return true;
      case 'close':
        this.host?.ended(connection, this.end(first as number));
        return true;
      default:
        return false;
    }
  }

  private end(code: number): SocketEnd {
    const { isBroken, tcp, requestId } = this;
    return { code, isBroken, bytesRead: tcp?.bytesRead ?? 0, bytesWritten: tcp?.bytesWritten ?? 0, requestId };
  }
}

type OwnedSocket = Duplex & { [OWNER]?: Connection };

/** One for all sockets. */
function drained(this: OwnedSocket): void {
  this[OWNER]?.drained();
}

/**
 * Node keeps the timer that watched over the HTTP request, though `ws` has ended it: 150 bytes, and with each read and write a
 * look whether it must begin anew. Without it the socket is as one that never had any. Should Node be another inside one day,
 * nothing happens.
 */
function letGoOfTimer(tcp: Socket): void {
  const timer = Object.getOwnPropertySymbols(tcp).find(({ description }) => description === 'timeout');
  if (timer !== undefined && tcp.timeout === 0) (tcp as unknown as Record<symbol, unknown>)[timer] = null;
}
