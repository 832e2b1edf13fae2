// How many signatures a second one node checks, and how long the event loop is held meanwhile: node bench/recoveries.mjs (after npm run build)
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** @type {unknown} */
const built = await import(new URL('../dist/identity/recovery-budget.js', import.meta.url).href);
const { RecoveryBudget } = /** @type {typeof import('../src/identity/recovery-budget.js')} */ (built);

const COUNT = 2_000;
const ROUNDS = 5;

const secret = keccak_256(Buffer.from('bench'));
const jobs = Array.from({ length: COUNT }, (_, i) => {
  const text = `nonce ${i}`;
  const digest = keccak_256(keccak_256(Buffer.from(text)));
  const recovered = secp256k1.sign(digest, secret, { prehash: false, format: 'recovered' });
  return { text, signature: `0x${Buffer.concat([recovered.subarray(1), recovered.subarray(0, 1)]).toString('hex')}` };
});

const budget = new RecoveryBudget();
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
const startedAt = performance.now();
for (let round = 0; round < ROUNDS; round++) {
  await Promise.all(jobs.map(({ text, signature }) => budget.addressOf(text, { scheme: 'idena', signature })));
}
const seconds = (performance.now() - startedAt) / 1000;
console.log(
  `${Math.round((COUNT * ROUNDS) / seconds)} recoveries/s, event loop held at most ${Math.round(delay.max / 1e6)} ms`,
);
