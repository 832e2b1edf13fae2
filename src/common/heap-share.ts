import { getHeapStatistics } from 'node:v8';

/** That part of the memory which the process may use at most (`node --max-old-space-size`), in bytes. */
export function heapShare(part: number): number {
  return Math.floor(getHeapStatistics().heap_size_limit * part);
}
