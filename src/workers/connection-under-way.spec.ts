import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { ConnectionUnderWay } from './connection-under-way.js';

describe('the connection on its way to a worker', () => {
  let sent: unknown[][];
  let closed: string[];
  let process: ChildProcess;
  let underWay: ConnectionUnderWay;

  beforeEach(() => {
    [sent, closed] = [[], []];
    const send = (...all: unknown[]): boolean => sent.push(all) > 0;
    process = Object.assign(new EventEmitter(), { send }) as unknown as ChildProcess;
    underWay = new ConnectionUnderWay(process);
  });

  const pass = (name: string, seq: number, more: object = { act: 'newconn' }): void => {
    process.send({ cmd: 'NODE_CLUSTER', seq, ...more }, { close: () => closed.push(name) } as never);
  };

  it('is closed where the worker has not answered for it, once', () => {
    pass('one', 1);
    underWay.close();
    underWay.close();
    expect(closed).toEqual(['one']);
  });

  it('is left alone where it has, whether it took it or not', () => {
    for (const accepted of [true, false]) {
      pass('one', 1);
      process.emit('internalMessage', { cmd: 'NODE_CLUSTER', act: 'listening' });
      process.emit('internalMessage', { cmd: 'NODE_CLUSTER', ack: 1, accepted });
      underWay.close();
    }
    expect(closed).toEqual([]);
  });

  it('is the next one where that was sent before the answer was heard of', () => {
    pass('one', 1);
    pass('next', 2);
    process.emit('internalMessage', { cmd: 'NODE_CLUSTER', ack: 1, accepted: true });
    underWay.close();
    expect(closed).toEqual(['next']);
  });

  it('is not the port, which is passed as well', () => {
    pass('port', 3, { act: undefined, ack: 2 });
    underWay.close();
    expect(closed).toEqual([]);
  });

  it('is sent as it was', () => {
    const [handle, done] = [{ close: () => undefined }, () => undefined];
    process.send({ type: 'pass on' }, done as never);
    process.send({ act: 'newconn' }, handle as never, { swallowErrors: true } as never, done);
    expect(sent).toEqual([
      [{ type: 'pass on' }, done],
      [{ act: 'newconn' }, handle, { swallowErrors: true }, done],
    ]);
  });
});
