import { summarise } from '../../bench/profile-areas.mjs';

let nextId: number;
let nodes: Parameters<typeof summarise>[0]['nodes'];

/** A function as a profile has it; gives its id. */
function called(functionName: string, url = '', children: number[] = []): number {
  const id = nextId++;
  nodes.unshift({ id, callFrame: { functionName, url, lineNumber: 9 }, children });
  return id;
}

const EVER = { fromMicros: 0, untilMicros: Infinity };

describe('a profile by area', () => {
  beforeEach(() => {
    nextId = 1;
    nodes = [];
  });

  it('counts what a function does itself, and leaves idle time out', () => {
    const digest = called('digest');
    const append = called('append', 'file:///relay/dist/queue/mailbox.memory.js', [digest]);
    const receive = called('receiverOnMessage', 'file:///relay/node_modules/ws/lib/websocket.js');
    const idle = called('(idle)');
    const garbage = called('(garbage collector)');
    called('(root)', '', [append, receive, idle, garbage]);
    const samples = [append, digest, receive, idle, garbage];
    const areas = summarise({ nodes, startTime: 1000, samples, timeDeltas: [10, 20, 50, 500, 20] }, EVER);
    expect(areas.map(({ area, share }) => [area, share])).toEqual([
      ['WebSocket frames', 0.5],
      ['store: mailboxes', 0.3],
      ['garbage', 0.2],
    ]);
  });

  it('charges native work to who asked for it, but writes to the sockets', () => {
    const writev = called('writev');
    const hash = called('update');
    const caller = called('fingerprint', 'file:///relay/dist/queue/fingerprint.js', [hash, writev]);
    called('(root)', '', [caller]);
    const areas = summarise({ nodes, startTime: 0, samples: [hash, writev], timeDeltas: [3, 1] }, EVER);
    expect(areas).toEqual([
      { area: 'store: mailboxes', share: 0.75, hottest: [{ name: 'update', share: 0.75 }] },
      { area: 'sockets: system calls', share: 0.25, hottest: [{ name: 'writev', share: 0.25 }] },
    ]);
  });

  it('looks at the measured time only', () => {
    const before = called('start', 'file:///relay/dist/main.js');
    const during = called('handle', 'file:///relay/dist/relay/relay.js');
    called('(root)', '', [before, during]);
    const profile = { nodes, startTime: 100, samples: [before, during, before], timeDeltas: [10, 10, 10] };
    const areas = summarise(profile, { fromMicros: 115, untilMicros: 125 });
    expect(areas).toEqual([{ area: 'relay', share: 1, hottest: [{ name: 'handle (relay.js:10)', share: 1 }] }]);
  });
});
