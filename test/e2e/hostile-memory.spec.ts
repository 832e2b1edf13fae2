import { addressOf, ClassicClient } from '../support/classic-client.js';
import { call } from '../support/http-call.js';
import { RelayProcess } from '../support/relay-process.js';

const HEAP_MIB = 96;
const SENDERS = 10;
const MESSAGES = 150;
const CONTENT = 'x'.repeat(100 * 1024);

/** One mailbox is bounded; a stranger may write to as many as there are addresses. */
describe('mail for addresses that nobody reads', () => {
  let relay: RelayProcess;

  beforeAll(async () => {
    const roomy = { SEND_RATE_PER_SECOND: '1000000', SEND_BURST: '1000000' };
    relay = await RelayProcess.start({ NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}`, ...roomy });
  });

  afterAll(async () => {
    if (relay.process.exitCode === null && relay.process.signalCode === null) await relay.stop();
  });

  it('is refused before it fills the memory of the relay, and every send has its answer', async () => {
    const senders: ClassicClient[] = [];
    for (let i = 0; i < SENDERS; i++) senders.push(await ClassicClient.signIn(relay.wsUrl, addressOf(i + 1)));
    let recipients = 1000;
    for (const sender of senders) {
      for (let i = 0; i < MESSAGES; i++) sender.message(addressOf(++recipients), `m-${i}`, { content: CONTENT });
      await sender.until(() => sender.frames.length > MESSAGES || sender.socket.readyState > 1, 'answers');
    }

    expect([relay.process.exitCode, relay.process.signalCode]).toEqual([null, null]);
    const answers = senders.flatMap((sender) => [...sender.ofType('queued'), ...sender.ofType('error')]);
    expect(answers).toHaveLength(SENDERS * MESSAGES);
    expect(answers.filter(({ type }) => type === 'error').length).toBeGreaterThan(0);
    const { status } = await call(Number(new URL(relay.url).port), { path: '/health/live' });
    expect(status).toBe(200);
    for (const sender of senders) sender.kill();
  });
});
