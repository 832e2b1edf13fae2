import type { Cluster, Command, Redis } from 'ioredis';
import { createHash } from 'node:crypto';
import { PatientCommand } from './patient-command.redis.js';
import { replyCode } from './redis-error.redis.js';
import { slotOf } from './redis-key.redis.js';
import { type Argument, type ScriptArgument, ScriptCommand, scriptPart, textOf } from './script-command.redis.js';

/** One Lua script, known to every node of Redis by its digest and sent whole where it is not. */
export interface Script {
  /** Unique among all scripts; shows in errors. */
  readonly name: string;
  readonly lua: string;
  /** Answers with bytes in place of texts: not all that is stored is UTF-8. */
  readonly inBytes?: boolean;
}

/** Kept until it is answered: it may have to go again. */
interface Call {
  /** By which a Cluster knows where it goes. */
  readonly key: string | undefined;
  /** As Redis reads it, with the script's digest; or what is behind the script where some of that is bytes. */
  readonly text: string | readonly Argument[];
}

interface Held {
  readonly call: Call;
  resolve(answer: Promise<unknown>): void;
}

interface Known {
  readonly lua: string;
  readonly digest: string;
  readonly byDigest: string;
  readonly encoding: 'utf8' | null;
  underWay: number;
  /** Redis knew no such script; in the order in which they were made. */
  forgotten: Held[];
  /** Made since then. */
  waiting: Held[];
}

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

  run(script: Script, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown> {
    const known = this.known.get(script) ?? this.learn(script);
    const text = textOf(known.byDigest, keys, args) ?? [keys.length, ...keys, ...(args as readonly Argument[])];
    const call = { key: keys[0], text };
    if (known.forgotten.length === 0) return this.call(known, 'evalsha', call);
    return new Promise((resolve) => known.waiting.push({ call, resolve }));
  }

  /** After each connect: Redis may have been restarted. */
  loadAll(node: Redis): void {
    for (const known of this.known.values()) this.load(node, known);
  }

  private call(known: Known, name: 'evalsha' | 'eval', call: Call): Promise<unknown> {
    known.underWay++;
    const command = this.commandOf(known, name, call);
    return (this.redis.sendCommand(command) as Promise<unknown>).then(
      (answer) => {
        if (command instanceof ScriptCommand) command.release();
        this.ended(known);
        return answer;
      },
      (error: unknown) => {
        const isMissing = replyCode(error) === 'NOSCRIPT';
        const again = isMissing ? new Promise((resolve) => known.forgotten.push({ call, resolve })) : null;
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
    forgotten.forEach(({ call, resolve }, i) =>
      resolve(this.call(known, i === 0 || this.redis.isCluster ? 'eval' : 'evalsha', call)),
    );
    for (const { call, resolve } of waiting) resolve(this.call(known, 'evalsha', call));
  }

  private commandOf(known: Known, name: 'evalsha' | 'eval', { key, text }: Call): Command {
    const { lua, digest, encoding } = known;
    if (typeof text !== 'string') {
      return new PatientCommand(name, [name === 'eval' ? lua : digest, ...text], { replyEncoding: encoding });
    }
    const whole = name === 'eval' ? text.replace(known.byDigest, () => scriptPart('eval', lua)) : text;
    const command = new ScriptCommand(name, whole, encoding);
    // What a Cluster goes by, and would work out from the arguments that this command does not have.
    if (this.redis.isCluster) (command as unknown as { slot: number | null }).slot = key ? slotOf(key) : null;
    return command;
  }

  /** Loaded ahead of its first call. */
  private learn(script: Script): Known {
    const digest = createHash('sha1').update(script.lua).digest('hex');
    const encoding = script.inBytes === true ? null : ('utf8' as const);
    const byDigest = scriptPart('evalsha', digest);
    const known = { lua: script.lua, digest, byDigest, encoding, underWay: 0, forgotten: [], waiting: [] };
    this.known.set(script, known);
    for (const node of this.primaries()) this.load(node, known);
    return known;
  }

  private load(node: Redis, { lua }: Known): void {
    // Where it fails, the call itself brings the script along.
    node.call('SCRIPT', 'LOAD', lua).catch(() => undefined);
  }
}
