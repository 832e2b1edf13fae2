import { addressOf, ClassicClient } from '../support/classic-client.js';
import { RelayProcess } from '../support/relay-process.js';

const MIB = 1024 * 1024;
const CONTENT = 'x'.repeat(120 * 1024);
const MESSAGES = (240 * MIB) / CONTENT.length;
const MAILBOX_BYTES = 4 * MIB;
const ALLOWED_BYTES = 8 * MIB;

/** 240 MB for a client that has stopped reading: the relay keeps what its mailbox may hold, and no more. */
describe('a client that stops reading', () => {
  let relay: RelayProcess;

  beforeAll(async () => {
    relay = await RelayProcess.start({
      // Garbage of the young generation comes and goes by as much as what is measured here.
      NODE_OPTIONS: '--max-semi-space-size=2',
      MAX_QUEUE_BYTES: String(MAILBOX_BYTES),
      SENDER_SHARE: '1',
      SEND_RATE_PER_SECOND: '1000000',
      SEND_RATE_PER_IP: '0',
      SEND_BURST: '1000000',
    });
  });

  afterAll(() => relay.stop());

  let peak = 0;

  /** Sends 240 MB, each message after the answer to the one before; returns the answers by type and notes the peak of memory. */
  async function flood(sender: ClassicClient, recipient: string, prefix: string): Promise<Map<string, number>> {
    const answers = new Map<string, number>();
    peak = 0;
    for (let i = 0; i < MESSAGES; i++) {
      const messageId = `${prefix}${i}`;
      sender.message(recipient, messageId, { content: CONTENT });
      await sender.until(() => sender.frames.some((frame) => frame.messageId === messageId), messageId);
      const type = String(sender.frames.at(-1)?.type);
      answers.set(type, (answers.get(type) ?? 0) + 1);
      sender.frames.length = 0;
      peak = Math.max(peak, relay.residentBytes ?? 0);
    }
    return answers;
  }

  /** On a busy machine an acknowledgement may come after the 300 ms that a sender waits for it. */
  function expectServed(answers: Map<string, number>): void {
    expect((answers.get('delivered') ?? 0) + (answers.get('queued') ?? 0)).toBe(MESSAGES);
    expect(answers.get('delivered')).toBeGreaterThan(MESSAGES / 2);
  }

  it('costs the relay its mailbox and at most 8 MiB more; others are served meanwhile', async () => {
    const [quick, slow] = [addressOf(1), addressOf(2)];
    const sender = await ClassicClient.signIn(relay.wsUrl, addressOf(3));
    const reader = await ClassicClient.signIn(relay.wsUrl, quick);
    reader.socket.on('message', () => (reader.frames.length = 0));
    // The same traffic to somebody who reads: what it takes at its peak is no cost of the one who does not.
    expectServed(await flood(sender, quick, 'warm'));
    const before = peak;

    const stopped = await ClassicClient.signIn(relay.wsUrl, slow);
    stopped.socket.pause();
    const answers = await flood(sender, slow, 'm');
    const after = peak;

    expect(answers.get('error')).toBeGreaterThan(MESSAGES / 2);
    expect(answers.get('delivered') ?? 0).toBeLessThan(MESSAGES / 10);
    expectServed(await flood(sender, quick, 'again'));
    stopped.socket.terminate();
    // Where there is no /proc, what is refused and what is served is all that can be seen.
    if (before === 0) return;
    process.stderr.write(`memory: ${(before / MIB).toFixed(0)} MiB, then ${(after / MIB).toFixed(0)} MiB\n`);
    expect(after - before).toBeLessThanOrEqual(MAILBOX_BYTES + ALLOWED_BYTES);
  });
});
