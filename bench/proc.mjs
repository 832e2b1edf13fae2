// @ts-check
/** What Linux knows of a process. Elsewhere the figures are NaN, and the rest of a measurement still stands. */
import { readFileSync, readdirSync } from 'node:fs';

const TICK_MICROS = 10_000; // USER_HZ is 100 on every platform that Node runs on

/** @type {(path: string) => string} */
function read(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** CPU time of all threads, user and system. @param {number} pid */
export function cpuMicros(pid) {
  try {
    // In nanoseconds, where `stat` below has ticks of 10 ms: a drain is over within ten of those.
    const threads = readdirSync(`/proc/${pid}/task`);
    const nanos = threads.map((tid) =>
      Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'latin1').split(' ')[0]),
    );
    return nanos.reduce((sum, each) => sum + each, 0) / 1000;
  } catch {
    return cpuMicrosFromTicks(pid); // a kernel without schedstat, or a thread that ended between the two reads
  }
}

/** @param {number} pid */
function cpuMicrosFromTicks(pid) {
  return kernelTicks(pid).all * TICK_MICROS;
}

/** CPU time in ticks of 10 ms: what of it was spent in the kernel, and all. @param {number} pid */
export function kernelTicks(pid) {
  const stat = read(`/proc/${pid}/stat`);
  // The second field is the program's name and may hold blanks; utime and stime are the 12th and 13th after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const kernel = Number(fields[12]);
  return { kernel, all: Number(fields[11]) + kernel };
}

/** Resident memory. smaps_rollup is exact; status lags by some pages per thread. @param {number} pid */
export function residentBytes(pid) {
  const match =
    /^Rss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`)) ??
    /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`));
  return Number(match?.[1] ?? NaN) * 1024;
}

const SPARE_DESCRIPTORS = 200;

/**
 * Throws, with what to do about it, when a process may not open that many sockets.
 * @param {number | 'self'} pid @param {number} connections
 */
export function requireDescriptors(pid, connections) {
  const match = /^Max open files\s+(\d+)/m.exec(read(`/proc/${pid}/limits`));
  const limit = Number(match?.[1] ?? Infinity);
  const needed = connections + SPARE_DESCRIPTORS;
  if (limit >= needed) return;
  const who = pid === 'self' ? 'This process' : `The server (pid ${pid})`;
  throw new Error(
    `${who} may open ${limit} files and ${connections} connections need ${needed}. Run \`ulimit -n ${needed}\` in the shell ` +
      'that starts it (where that is refused, root raises the hard limit in /etc/security/limits.conf), ' +
      `or measure fewer with --connections ${Math.max(0, limit - SPARE_DESCRIPTORS)}.`,
  );
}
