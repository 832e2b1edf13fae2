import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Settings } from '../common/settings.js';

export type Verdict = 'ok' | 'warn' | 'fail';

export interface Finding {
  readonly verdict: Verdict;
  readonly what: string;
  /** For a warning or a failure. */
  readonly advice?: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const EXPIRES_SOON_MS = 14 * DAY_MS;
const SKEW_WARN_MS = 2_000;
const SKEW_FAIL_MS = 60_000;
const FEW_DESCRIPTORS = 4096;
const HEADROOM_WARN = 0.8;
const HEADROOM_FAIL = 0.95;
const LAG_WARN_BYTES = 16 * 1024 * 1024;

export const ok = (what: string): Finding => ({ verdict: 'ok', what });
export const warn = (what: string, advice: string): Finding => ({ verdict: 'warn', what, advice });
export const fail = (what: string, advice: string): Finding => ({ verdict: 'fail', what, advice });

/** By how much Redis's clock is ahead of this machine's; the answer came halfway between `askedMs` and `answeredMs`. */
export function judgeClock(redisMs: number, askedMs: number, answeredMs: number): Finding {
  const skewMs = Math.round(redisMs - (askedMs + answeredMs) / 2);
  const what = `clock: Redis is ${Math.abs(skewMs)} ms ${skewMs < 0 ? 'behind' : 'ahead of'} this machine`;
  const advice = 'set both by NTP: relays go by Redis’s clock, log lines, certificates and sign-ins by their own';
  if (Math.abs(skewMs) >= SKEW_FAIL_MS) return fail(what, advice);
  return Math.abs(skewMs) >= SKEW_WARN_MS ? warn(what, advice) : ok(what);
}

export function judgeMemory(usedBytes: number, maxBytes: number, machineBytes: number): Finding {
  const bound = maxBytes > 0 ? maxBytes : machineBytes;
  if (bound === 0) return warn('memory: its bound is not known', 'set maxmemory of Redis');
  const part = usedBytes / bound;
  const what = `memory: Redis uses ${megabytes(usedBytes)} of ${megabytes(bound)} (${maxBytes > 0 ? 'maxmemory' : 'the machine; maxmemory is not set'})`;
  const advice =
    'give it more memory or lower MAX_OFFLINE_MESSAGES and MESSAGE_RETENTION_HOURS; at the bound sends are refused';
  if (part >= HEADROOM_FAIL) return fail(what, advice);
  if (part >= HEADROOM_WARN) return warn(what, advice);
  if (maxBytes === 0)
    return warn(
      what,
      'set maxmemory, so that Redis refuses before the kernel kills it: to half of the machine, for it may take as much again while it writes its file anew',
    );
  return ok(what);
}

/** `replicas`: lines of INFO replication; `offset`: what the primary has written. */
export function judgeReplicas(
  replicas: readonly string[],
  offset: number,
  durability: Settings['durability'],
): Finding {
  if (replicas.length === 0) {
    if (durability === 'replica') {
      return fail('replicas: none', 'DURABILITY=replica refuses every send until one is connected');
    }
    return ok('replicas: none, as DURABILITY=primary allows');
  }
  const lags = replicas.map((line) => offset - Number(/offset=(\d+)/.exec(line)?.[1] ?? 0));
  const away = replicas.filter((line) => !line.includes('state=online')).length;
  const worst = Math.max(...lags);
  const what = `replicas: ${replicas.length}, at most ${worst} bytes behind`;
  if (away > 0)
    return warn(`${what}, ${away} not online`, 'look at the replica’s log: a failover to it would lose mail');
  if (worst > LAG_WARN_BYTES)
    return warn(what, 'the link or the replica is too slow; a failover would lose what it has not');
  return ok(what);
}

export function judgeDescriptors(soft: number | 'unlimited'): Finding {
  if (soft === 'unlimited') return ok('descriptors: unlimited');
  const what = `descriptors: ${soft}, each connection takes one`;
  return soft < FEW_DESCRIPTORS ? warn(what, 'ulimit -n 65536, LimitNOFILE= in a unit, ulimits in compose') : ok(what);
}

/** `heapBytes`: what one process may use at most. */
export function judgeWorkers(
  { workers, workerCount }: Settings,
  { cores, heapBytes, machineBytes }: { cores: number; heapBytes: number; machineBytes: number },
): Finding {
  const what = `workers: ${workerCount}${workers === 'auto' ? ' (auto)' : ''}, cores: ${cores}`;
  if (workerCount > cores) return warn(what, 'more workers than cores only take turns; lower WORKERS, or set auto');
  if (workerCount > 1 && workerCount * heapBytes > machineBytes) {
    const advice = `together they may use ${megabytes(workerCount * heapBytes)} of ${megabytes(machineBytes)}: set --max-old-space-size in NODE_OPTIONS`;
    return warn(what, advice);
  }
  return ok(what);
}

export function judgeTls({ tlsCertFile, tlsKeyFile }: Settings, nowMs: number): Finding {
  if (tlsCertFile === '') return ok('TLS: none here; beyond this machine, a proxy in front has to have it');
  try {
    const certificate = new X509Certificate(readFileSync(tlsCertFile));
    const isOfKey = certificate.checkPrivateKey(createPrivateKey(readFileSync(tlsKeyFile)));
    if (!isOfKey) return fail('TLS: the key is not that of the certificate', 'name the files of one pair');
    const leftMs = Date.parse(certificate.validTo) - nowMs;
    const what = `TLS: ${certificate.subjectAltName ?? certificate.subject}, until ${certificate.validTo}`;
    if (leftMs <= 0) return fail(what, 'it has expired: renew it; the relay takes the new files by itself');
    return leftMs < EXPIRES_SOON_MS ? warn(what, 'it expires within two weeks: renew it') : ok(what);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return fail(`TLS: the files cannot be used (${code ?? message})`, 'PEM files that the user of the relay may read');
  }
}

export interface PortToJudge {
  readonly host: string;
  readonly port: number;
  /** Of the port, and of the host. */
  readonly settings: readonly [port: string, host: string];
  /** Asked where it is taken: whether that is a relay. */
  readonly isRelay: () => Promise<boolean>;
}

/** Free, or taken by a relay, or by somebody else. */
export async function judgePort({ host, port, settings: [ofPort, ofHost], isRelay }: PortToJudge): Promise<Finding> {
  const name = `${ofPort} ${port}`;
  const code = await listens(host, port);
  if (code === null) return ok(`${name}: free`);
  if (code === 'EADDRINUSE' && (await isRelay())) return ok(`${name}: a relay answers there`);
  if (code === 'EADDRINUSE') return fail(`${name}: taken`, `end what listens there (ss -ltnp), or set ${ofPort}`);
  if (code === 'EACCES') return fail(`${name}: not permitted`, 'take one above 1023, or give CAP_NET_BIND_SERVICE');
  return fail(`${name}: ${code} on ${host}`, `${ofHost} must be an address of this machine`);
}

function listens(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => resolve(null)));
  });
}

/**
 * What a relay that others rely on needs. Outside production it is a warning as well: whoever tries it out reads here what is
 * missing before it may be more than that.
 */
export function judgePurpose({
  environment,
  storage,
  authMode,
  publicDomain,
  adminToken,
  allowedOrigins,
}: Settings): Finding[] {
  const isProduction = environment === 'production';
  const isOpen = authMode === 'open';
  const instead = isProduction ? '' : 'fine for a trial; in production ';
  const found: Finding[] = [];
  if (!isProduction) {
    found.push(
      warn(
        `NODE_ENV=${environment}: a trial, with the demo page and logs for people`,
        'NODE_ENV=production for a relay that others rely on; the lines below say what else it needs',
      ),
    );
  }
  if (storage === 'memory') {
    found.push(
      warn(
        'STORAGE=memory: mail, keys and sessions are gone when the relay stops, and there can be one node only',
        `${instead}set STORAGE=redis and REDIS_URL`,
      ),
    );
  }
  if (isOpen) {
    found.push(
      warn(
        'AUTH_MODE=open: whoever claims an address that never signed in is believed, and reads its mail',
        `${instead}set AUTH_MODE=signed, unless all who can reach it are trusted`,
      ),
    );
  }
  if (publicDomain === '') {
    found.push(
      isProduction
        ? warn('no PUBLIC_DOMAIN: nobody can sign in', 'set it to the host name that clients connect to')
        : warn(
            'no PUBLIC_DOMAIN: clients sign whatever host name they used',
            `${instead}set it to the host name that clients connect to`,
          ),
    );
  }
  if (adminToken === '') {
    found.push(
      warn(
        `no ADMIN_TOKEN: there is no /admin, and ${isOpen ? 'everybody' : 'nobody'} may read totals and who is online`,
        `${instead}set it to what \`relay token\` or \`openssl rand -base64 32\` writes`,
      ),
    );
  }
  if (allowedOrigins[0] === '*') {
    found.push(warn('ALLOWED_ORIGINS=*: any web page may connect', `${instead}name yours`));
  }
  return found.length > 0 ? found : [ok('production: durable, proven, with an operator')];
}

/** Each value is allowed; together they do what nobody wants. */
export function judgeSettings(settings: Settings): Finding[] {
  const { trustProxy, host, tlsCertFile } = settings;
  const found: Finding[] = [];
  if (settings.browserSignIn) {
    found.push(
      warn(
        'BROWSER_SIGN_IN=true',
        'whoever gets a person to confirm a link in their wallet can get a session of theirs; off unless you need it (SECURITY.md)',
      ),
    );
  }
  const isLoopback = host === '127.0.0.1' || host === '::1' || host === 'localhost';
  if (isLoopback && trustProxy === false) {
    found.push(
      warn(
        `HOST=${host} and TRUST_PROXY=off`,
        'behind a proxy all clients share its address, and MAX_CONNECTIONS_PER_IP; set TRUST_PROXY=127.0.0.1',
      ),
    );
  }
  if (tlsCertFile !== '' && trustProxy !== false) {
    found.push(
      warn(
        'TLS_CERT_FILE and TRUST_PROXY are both set',
        'a client that comes without the proxy can claim any address unless the list names it',
      ),
    );
  }
  if (settings.maxOfflineMessages * settings.maxFrameBytes < settings.maxQueueBytes) {
    found.push(
      warn('MAX_QUEUE_BYTES cannot be reached', 'MAX_OFFLINE_MESSAGES of the largest frames are less; lower it'),
    );
  }
  return found.length > 0 ? found : [ok('settings: no contradictions')];
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 30 ? 1 : 0)} MiB`;
}
