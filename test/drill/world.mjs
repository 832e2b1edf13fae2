// @ts-check
import { freePort } from './child.mjs';
import { RedisProcess } from './redis-process.mjs';
import { RelayNode } from './relay-node.mjs';

/**
 * @typedef {import('./history.mjs').History} History
 * @typedef {import('./random.mjs').Random} Random
 * @typedef {{ storage: 'memory' | 'redis', nodes: number, main: string }} WorldShape
 */

/** The stack under trial: a Redis and nodes of our own, or an operator's, of which we know only the addresses. */
export class World {
  /** @type {RelayNode[]} */
  nodes = [];
  /** @type {RedisProcess | null} */
  redis = null;
  /** @type {readonly string[]} */
  urls = [];

  /** @param {readonly string[]} urls */
  static of(urls) {
    const world = new World();
    world.urls = urls;
    return world;
  }

  /** @type {(shape: WorldShape, history: History, random: Random) => Promise<World>} */
  static async start({ storage, nodes, main }, history, random) {
    const world = new World();
    /** @type {Record<string, string>} */
    const env = { STORAGE: storage };
    if (storage === 'redis') {
      const redis = new RedisProcess(await freePort(random));
      redis.onUnexpectedEnd = (exit) => history.add({ kind: 'ended', process: 'redis', exit });
      await redis.start();
      world.redis = redis;
      env.REDIS_URL = redis.url;
    }
    for (let i = 0; i < nodes; i++) world.nodes.push(new RelayNode({ main, port: await freePort(random), env }));
    for (const node of world.nodes) {
      node.onUnexpectedEnd = (exit) => {
        history.add({ kind: 'ended', process: node.url, exit });
        // The run goes on, as an operator's supervisor would have it; the rule is broken all the same.
        node.start().catch(() => undefined);
      };
    }
    await Promise.all(world.nodes.map((node) => node.start()));
    world.urls = world.nodes.map(({ url }) => url);
    return world;
  }

  async stop() {
    await Promise.all(this.nodes.map((node) => node.stop('SIGKILL')));
    await this.redis?.kill();
  }

  /** Lines that nodes logged as errors, by text. */
  get errors() {
    /** @type {Record<string, number>} */
    const errors = {};
    for (const node of this.nodes) {
      for (const [text, count] of node.errors) errors[text] = (errors[text] ?? 0) + count;
    }
    return errors;
  }
}
