import cluster from 'node:cluster';

/** In the environment of our own workers: what somebody else's `node:cluster` starts (a process manager's) is a relay of its own. */
export const WORKER_MARK = { RELAY_WORKER: '1' };

export const isOurWorker = (): boolean => cluster.isWorker && process.env.RELAY_WORKER === WORKER_MARK.RELAY_WORKER;
