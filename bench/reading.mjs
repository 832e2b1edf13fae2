// @ts-check
import { cpuMicros, kernelTicks } from './proc.mjs';

/** @typedef {{ pids: number[], redisPid: number }} Processes  `redisPid`: 0 where there is none */

/** @type {(pids: number[], of: (pid: number) => number) => number} */
const sum = (pids, of) => pids.reduce((total, pid) => total + of(pid), 0);

/** CPU of all processes of a server. @param {number[]} pids */
export const serverCpuMicros = (pids) => sum(pids, cpuMicros);

/** What everybody has used up to now, and what has arrived. */
export class Reading {
  /** On the machine's monotonic clock, which a profile of another process has as well. */
  atMicros = Number(process.hrtime.bigint() / 1000n);
  #own = process.cpuUsage();

  /** @param {{ received: number }} ledger @param {Processes} processes */
  constructor({ received }, { pids, redisPid }) {
    this.received = received;
    this.cpuMicros = serverCpuMicros(pids);
    this.kernel = sum(pids, (pid) => kernelTicks(pid).kernel);
    this.allTicks = sum(pids, (pid) => kernelTicks(pid).all);
    this.redisCpuMicros = redisPid === 0 ? 0 : cpuMicros(redisPid);
    this.ownCpuMicros = this.#own.user + this.#own.system;
  }

  /** @param {Reading} before */
  since(before) {
    return {
      fromMicros: before.atMicros,
      untilMicros: this.atMicros,
      seconds: (this.atMicros - before.atMicros) / 1e6,
      received: this.received - before.received,
      cpuMicros: this.cpuMicros - before.cpuMicros,
      kernelShare: (this.kernel - before.kernel) / (this.allTicks - before.allTicks),
      redisCpuMicros: this.redisCpuMicros - before.redisCpuMicros,
      ownCpuMicros: this.ownCpuMicros - before.ownCpuMicros,
    };
  }
}
