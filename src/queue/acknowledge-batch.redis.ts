import type { RedisClient, Script } from '../redis/redis-client.redis.js';

/** As acknowledge.lua answers. */
export type AcknowledgeReply = readonly (string | number)[];

interface Waiting {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  resolve(reply: AcknowledgeReply): void;
  reject(error: unknown): void;
}

/** As for appends: no call may keep Redis from all others for long. */
const MOST = 64;

/** What one turn of the event loop acknowledges, in one call of a script; in a Cluster, in one for each. */
export class AcknowledgeBatch {
  private waiting: Waiting[] = [];

  constructor(
    private readonly script: Script,
    private readonly client: RedisClient,
    private readonly now: () => number,
  ) {}

  /** `args`: the address, and acknowledge.lua's from the third on. */
  add(keys: readonly string[], args: readonly (string | number)[]): Promise<AcknowledgeReply> {
    if (this.waiting.length === 0) this.client.whenTurnEnds(this.send);
    return new Promise((resolve, reject) => {
      this.waiting.push({ keys, args, resolve, reject });
      if (this.waiting.length >= MOST) this.send();
    });
  }

  private readonly send = (): void => {
    const { waiting } = this;
    if (waiting.length === 0) return;
    this.waiting = [];
    if (!this.client.isCluster) return this.call(waiting);
    for (const one of waiting) this.call([one]);
  };

  private call(some: readonly Waiting[]): void {
    const keys = some.flatMap((one) => one.keys);
    const args = [this.now(), ...some.flatMap((one) => one.args)];
    this.client.run(this.script, keys, args, some.length).then(
      (replies) =>
        some.forEach(({ resolve, reject }, i) => {
          const reply = (replies as AcknowledgeReply[])[i]!;
          if (reply[0] === 'failed') reject(new Error(`${this.script.name}: ${reply[1]}`));
          else resolve(reply);
        }),
      (error: unknown) => some.forEach(({ reject }) => reject(error)),
    );
  }
}
