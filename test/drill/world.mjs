// @ts-check
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { freePort, start } from './child.mjs';
import { RedisProcess } from './redis-process.mjs';
import { RelayNode } from './relay-node.mjs';

/**
 * @typedef {import('./history.mjs').History} History
 * @typedef {import('./random.mjs').Random} Random
 * @typedef {{ storage: 'memory' | 'redis', nodes: number, main: string, next: string | null }} WorldShape
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
  static async start({ storage, nodes, main, next }, history, random) {
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
    for (let i = 0; i < nodes; i++) world.nodes.push(new RelayNode({ main, next, port: await freePort(random), env }));
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

  /** What `relay verify` finds in the Redis of our own. */
  async verify() {
    const cli = join(dirname(this.nodes[0]?.options.main ?? ''), 'cli.js');
    const env = { PATH: process.env.PATH, STORAGE: 'redis', REDIS_URL: this.redis?.url };
    const child = start(process.execPath, [cli, 'verify', '--json'], env);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)));
    const ended = /** @type {Promise<[number | null]>} */ (once(child, 'close'));
    const [code] = await ended;
    return code === 0 ? [] : [output];
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
