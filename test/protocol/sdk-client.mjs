// The SDK as a client that the suite drives.
import { createInterface } from 'node:readline';
import process from 'node:process';
import { open } from '@relay/client/node';

/** @param {string} event @param {object} more */
const say = (event, more) => process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);
/** What waits for the suite's answer, by what it is about. @type {Map<string, (answer: any) => void>} */
const asked = new Map();
/** @param {string} name @returns {Promise<any>} */
const answerTo = (name) => new Promise((resolve) => asked.set(name, resolve));
/** @type {Awaited<ReturnType<typeof open>>} */
let client;

/** @type {Record<string, (command: any) => unknown>} */
const commands = {
  async connect({ url, address, domain }) {
    const sign = async (/** @type {string} */ nonce) => {
      say('sign', { nonce });
      return answerTo('sign');
    };
    const onMessage = async (/** @type {any} */ { from, messageId, content }) => {
      say('message', { from, messageId, content });
      await answerTo(`saved ${from} ${messageId}`);
    };
    // Where nothing can be signed, the relay is asked to believe the address.
    const whose = domain === null ? { address } : { domain, identity: { address, sign } };
    client = await open({ url, ...whose, onMessage });
    client.on('receipt', ({ kind, messageId }) => say('status', { messageId, status: kind }));
    client.on('failed', ({ messageId, error }) => say('status', { messageId, status: 'failed', code: error.code }));
    client.start();
  },
  signature: ({ scheme, signature }) => asked.get('sign')?.({ scheme, signature }),
  saved: ({ from, messageId }) => asked.get(`saved ${from} ${messageId}`)?.(null),
  send: ({ to, messageId, content }) => client.send(to, content, { messageId }),
  read: ({ from, messageId }) => client.markRead({ from, messageId }),
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  void commands[command.do]?.(command);
});
