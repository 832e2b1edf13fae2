import { type Cluster, Command, type Redis } from 'ioredis';
import { createHash } from 'node:crypto';
import { replyCode } from './redis-error.redis.js';

/** One Lua script, known to every node of Redis by its digest and sent whole where it is not. */
export interface Script {
  /** Unique among all scripts; shows in errors. */
  readonly name: string;
  readonly lua: string;
  /** Answers with bytes in place of texts: not all that is stored is UTF-8. */
  readonly inBytes?: boolean;
}

export type Argument = string | number | Buffer;

interface Call {
  /** Number of keys, keys, arguments. */
  readonly args: readonly Argument[];
  resolve(answer: Promise<unknown>): void;
}

interface Known {
  readonly lua: string;
  readonly digest: string;
  readonly encoding: typeof AS_TEXT | typeof AS_BYTES;
  underWay: number;
  /** Redis knew no such script; in the order in which they were made. */
  forgotten: Call[];
  /** Made since then. */
  waiting: Call[];
}

const AS_TEXT = { replyEncoding: 'utf8' } as const;
const AS_BYTES = { replyEncoding: null } as const;

/**
 * Calls of scripts by their digests. Those of one script begin in the order in which they were made, also where Redis has
 * forgotten it (a restart, a failover, SCRIPT FLUSH): the first that finds it missing holds back all later ones until
 * those under way have their answers, and then all that were not run go again.
 */
export class ScriptCalls {
  private readonly known = new Map<Script, Known>();

  /** Rejections are ioredis's own. */
  constructor(
    private readonly redis: Redis | Cluster,
    private readonly primaries: () => readonly Redis[],
  ) {}

  run(script: Script, args: readonly Argument[]): Promise<unknown> {
    const known = this.known.get(script) ?? this.learn(script);
    if (known.forgotten.length === 0) return this.call(known, 'evalsha', args);
    return new Promise((resolve) => known.waiting.push({ args, resolve }));
  }

  /** After each connect: Redis may have been restarted. */
  loadAll(node: Redis): void {
    for (const known of this.known.values()) this.load(node, known);
  }

  private call(known: Known, name: 'evalsha' | 'eval', args: readonly Argument[]): Promise<unknown> {
    known.underWay++;
    const command = new Command(name, [name === 'eval' ? known.lua : known.digest, ...args], known.encoding);
    return (this.redis.sendCommand(command) as Promise<unknown>).then(
      (answer) => {
        this.ended(known);
        return answer;
      },
      (error: unknown) => {
        const isMissing = replyCode(error) === 'NOSCRIPT';
        const again = isMissing ? new Promise((resolve) => known.forgotten.push({ args, resolve })) : null;
        this.ended(known);
        if (again === null) throw error;
        return again;
      },
    );
  }

  private ended(known: Known): void {
    known.underWay--;
    if (known.underWay > 0 || known.forgotten.length === 0) return;
    const { forgotten, waiting } = known;
    known.forgotten = [];
    known.waiting = [];
    // The whole script, which is known from then on; in a Cluster to each, since each may go to another node.
    forgotten.forEach(({ args, resolve }, i) =>
      resolve(this.call(known, i === 0 || this.redis.isCluster ? 'eval' : 'evalsha', args)),
    );
    for (const { args, resolve } of waiting) resolve(this.call(known, 'evalsha', args));
  }

  /** Loaded ahead of its first call. */
  private learn(script: Script): Known {
    const digest = createHash('sha1').update(script.lua).digest('hex');
    const encoding = script.inBytes === true ? AS_BYTES : AS_TEXT;
    const known = { lua: script.lua, digest, encoding, underWay: 0, forgotten: [], waiting: [] };
    this.known.set(script, known);
    for (const node of this.primaries()) this.load(node, known);
    return known;
  }

  private load(node: Redis, { lua }: Known): void {
    // Where it fails, the call itself brings the script along.
    node.call('SCRIPT', 'LOAD', lua).catch(() => undefined);
  }
}
