import type { ChildProcess } from 'node:child_process';

/** As much as is used of what Node passes a connection as. */
interface Handle {
  close(): void;
}

/**
 * The connection that a worker was sent and has not answered for. There is one at most: Node sends it the next one after that.
 *
 * Where a worker dies meanwhile, Node (20.20) waits for the answer for ever, with its own end of the connection open: the client
 * would be connected to nobody, until it gives up. It is closed here instead, so that the client comes again at once. Node's
 * cluster module has no other place to see it than what it sends; if that looks otherwise one day, nothing is closed.
 */
export class ConnectionUnderWay {
  private current: { readonly handle: Handle; readonly seq: unknown } | null = null;

  constructor(process: ChildProcess) {
    const send = process.send.bind(process) as (message: object, handle?: unknown, ...rest: unknown[]) => boolean;
    process.send = (message: object, handle?: unknown, ...rest: unknown[]): boolean => {
      if (isNewConnection(message)) this.current = { handle: handle as Handle, seq: message.seq };
      return send(message, handle, ...rest);
    };
    // Node has heard of it before, and may have sent the next one.
    process.on('internalMessage', (message: object) => {
      if ('ack' in message && message.ack === this.current?.seq) this.current = null;
    });
  }

  /** For when the worker has ended and everything that it said was read. */
  close(): void {
    this.current?.handle.close();
    this.current = null;
  }
}

function isNewConnection(message: object): message is { readonly seq: unknown } {
  return 'act' in message && message.act === 'newconn';
}
