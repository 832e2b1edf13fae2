import type { Kind } from '../../src/backplane/backplane.js';
import { RedisBackplane } from '../../src/backplane/backplane.redis.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import type { RedisTarget } from '../../src/redis/redis-target.redis.js';
import { eventually } from './redis-server.js';

export const PREFIX = 'test:';

/** A node of a relay, and what it heard. */
export class BackplaneNode {
  readonly heard: string[] = [];
  resumed = 0;

  private constructor(
    readonly client: RedisClient,
    readonly backplane: RedisBackplane,
  ) {
    for (const kind of ['e', 'f', 'p'] satisfies Kind[]) {
      backplane.listen(kind, (to, payload) => this.heard.push(`${kind} ${to} ${payload}`));
    }
    backplane.onResumed(() => this.resumed++);
  }

  static async start(target: string | RedisTarget): Promise<BackplaneNode> {
    const client = await RedisClient.connect(target, PREFIX);
    try {
      return new BackplaneNode(client, await RedisBackplane.open({ client }));
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  async hears(payload: string): Promise<void> {
    await eventually(`to hear ${payload}`, () =>
      Promise.resolve(this.heard.some((text) => text.endsWith(` ${payload}`))),
    );
  }

  /** After so many calls of `resumed` in all. */
  async isBack(times: number): Promise<void> {
    await eventually('to be back', () => Promise.resolve(this.resumed >= times));
  }

  async close(): Promise<void> {
    this.backplane.close();
    await this.client.close();
  }
}
