// @ts-check
/** A thread of its own that asks Redis PING every 5 ms and says, each time it is asked, how long the answers since then took. */
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

const EVERY_MS = 5;
const PING = Buffer.from('PING\r\n');
const ANSWER_LENGTH = '+PONG\r\n'.length;

const { port } = /** @type {{ port: number }} */ (workerData);
/** @type {number[]} when those that have no answer yet were sent */
const sent = [];
/** @type {number[]} */
let tookMs = [];
let bytes = 0;

const socket = connect({ host: '127.0.0.1', port, noDelay: true });
socket.on('data', (chunk) => {
  const now = performance.now();
  bytes += chunk.length;
  for (; bytes >= ANSWER_LENGTH; bytes -= ANSWER_LENGTH) tookMs.push(now - (sent.shift() ?? now));
});
setInterval(() => {
  // Sent though the last one is not answered: an answer that is missing must not spare Redis the next question.
  sent.push(performance.now());
  socket.write(PING);
}, EVERY_MS);

parentPort?.on('message', () => {
  parentPort?.postMessage(tookMs);
  tookMs = [];
});
