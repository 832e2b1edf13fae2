import { ArrayNotEmpty, IsBoolean, IsIn, IsInt, IsNumber, Matches, Max, Min, ValidateBy } from 'class-validator';
import { isDomain } from '@relay/protocol';
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { asBoolean, asList, asNumber, Setting } from './setting.decorator.js';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const HOUR_MS = 60 * 60 * 1000;

/** Everything an operator may set, read once at the start. Each property is documented by its row. */
export class Settings {
  @Setting(
    {
      name: 'PORT',
      unit: 'TCP port',
      fallback: '3002',
      meaning: 'Where HTTP and WebSocket listen; 0 takes any free port.',
      must: 'a whole number from 0 to 65535',
    },
    asNumber,
  )
  @IsInt()
  @Min(0)
  @Max(65535)
  readonly port!: number;

  @Setting({
    name: 'HOST',
    unit: 'IP address or host name',
    fallback: '0.0.0.0',
    meaning: 'The interface to listen on.',
    must: 'an IP address or a host name',
  })
  @ValidateBy({ name: 'isHost', validator: { validate: isHost } })
  readonly host!: string;

  @Setting(
    {
      name: 'WORKERS',
      unit: 'processes, or auto',
      fallback: '1',
      meaning:
        'How many processes share the port, with `STORAGE=redis` only; `auto`: one for each core that this process may use. 1: this process alone.',
      must: 'auto, or a whole number from 1 to 256',
    },
    asWorkers,
  )
  @ValidateBy({ name: 'areWorkers', validator: { validate: areWorkers } })
  readonly workers!: number | 'auto';

  @Setting({
    name: 'NODE_ENV',
    unit: 'development, test or production',
    fallback: 'development',
    meaning: 'In production, logs are JSON and only proven addresses are let in, unless AUTH_MODE says otherwise.',
    must: 'development, test or production',
  })
  @IsIn(['development', 'test', 'production'])
  readonly environment!: 'development' | 'test' | 'production';

  @Setting({
    name: 'LOG_LEVEL',
    unit: LOG_LEVELS.join(', '),
    fallback: 'info',
    meaning: 'The least serious line that is written.',
    must: `one of ${LOG_LEVELS.join(', ')}`,
  })
  @IsIn(LOG_LEVELS)
  readonly logLevel!: LogLevel;

  @Setting(
    {
      name: 'LOG_ADDRESSES',
      unit: 'true or false',
      fallback: 'false',
      meaning:
        'Whether addresses stand in logs as they are. If not, as names: keyed hashes, the same on all nodes with one `ADMIN_TOKEN`, without one for each process.',
      must: 'true or false',
    },
    asBoolean,
  )
  @IsBoolean()
  readonly logAddresses!: boolean;

  @Setting({
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    unit: 'URL',
    fallback: '',
    meaning:
      'Where an OpenTelemetry receiver takes OTLP over HTTP, such as http://127.0.0.1:4318: traces of requests, sign-ins and calls of Redis go there. Empty: none are made.',
    must: 'empty, or a URL with http:// or https://',
  })
  @ValidateBy({ name: 'isEndpointUrl', validator: { validate: (value) => value === '' || isHttpUrl(value) } })
  readonly otlpEndpoint!: string;

  @Setting(
    {
      name: 'ALLOWED_ORIGINS',
      unit: 'origins, comma-separated',
      fallback: '*',
      meaning: 'Web origins that may connect and call the REST API, matched exactly; `*` allows all.',
      must: 'either * or a comma-separated list of origins such as https://app.example',
    },
    asList,
  )
  @ArrayNotEmpty()
  @ValidateBy({ name: 'areOrigins', validator: { validate: areOrigins } })
  readonly allowedOrigins!: readonly string[];

  @Setting(
    {
      name: 'TRUST_PROXY',
      unit: 'off, a number of hops, or IP addresses and networks, comma-separated',
      fallback: 'off',
      meaning: 'Proxies whose `X-Forwarded-For` tells the client address.',
      must: 'off, a number of hops from 1 to 10, or a list such as 127.0.0.1,10.0.0.0/8',
    },
    asProxies,
  )
  @ValidateBy({
    name: 'areProxies',
    validator: { validate: (value) => value !== undefined && typeof value !== 'string' },
  })
  readonly trustProxy!: false | number | readonly string[];

  @Setting({
    name: 'STORAGE',
    unit: 'memory or redis',
    fallback: 'memory',
    meaning:
      'Where mailboxes, keys and presence live. `memory` forgets everything at a restart and is for one node; `redis` needs Redis 7.0 or Valkey 7.2.',
    must: 'memory or redis',
  })
  @IsIn(['memory', 'redis'])
  readonly storage!: 'memory' | 'redis';

  @Setting({
    name: 'REDIS_URL',
    unit: 'URL',
    fallback: 'redis://127.0.0.1:6379',
    meaning:
      'The primary: redis://user:password@host:port/database, or rediss:// for TLS. With Sentinels or a Cluster only user, password and TLS count. `REDIS_URL_FILE` may name a file that holds it.',
    must: 'a URL such as redis://user:password@host:6379/0, with redis:// or rediss://',
    isSecret: true,
  })
  @ValidateBy({ name: 'isRedisUrl', validator: { validate: isRedisUrl } })
  readonly redisUrl!: string;

  @Setting(
    {
      name: 'REDIS_SENTINELS',
      unit: 'host:port, comma-separated',
      fallback: '',
      meaning:
        'Sentinels that know where the primary is. They are asked without a password; where they want one, with that of REDIS_URL.',
      must: 'a comma-separated list such as sentinel-1:26379,sentinel-2:26379',
    },
    asEndpoints,
  )
  @ValidateBy({ name: 'areEndpoints', validator: { validate: areEndpoints } })
  readonly redisSentinels!: readonly string[];

  @Setting({
    name: 'REDIS_SENTINEL_NAME',
    unit: 'name',
    fallback: 'relay',
    meaning: 'What the Sentinels call the primary.',
    must: 'a name of letters, digits and ._-',
  })
  @Matches(/^[\w.-]{1,64}$/)
  readonly redisSentinelName!: string;

  @Setting(
    {
      name: 'REDIS_CLUSTER_NODES',
      unit: 'host:port, comma-separated',
      fallback: '',
      meaning: 'Some nodes of a Cluster; the others are found through them.',
      must: 'a comma-separated list such as node-1:6379,node-2:6379',
    },
    asEndpoints,
  )
  @ValidateBy({ name: 'areEndpoints', validator: { validate: areEndpoints } })
  readonly redisClusterNodes!: readonly string[];

  @Setting({
    name: 'REDIS_KEY_PREFIX',
    unit: 'text',
    fallback: 'relay:',
    meaning: 'Leads every key and channel, so that a Redis can be shared. Nodes of one relay have the same.',
    must: '1 to 64 letters, digits and :_-',
  })
  @Matches(/^[A-Za-z0-9:_-]{1,64}$/)
  readonly redisKeyPrefix!: string;

  @Setting(
    {
      name: 'REDIS_WAIT_SECONDS',
      unit: 'seconds',
      fallback: '10',
      meaning:
        'How long a start waits for a Redis that cannot be reached before it gives up with exit code 69; one that is loading its data is waited for without limit.',
      must: 'a number from 0 to 3600',
    },
    asNumber,
  )
  @IsNumber()
  @Min(0)
  @Max(3600)
  readonly redisWaitSeconds!: number;

  @Setting({
    name: 'DURABILITY',
    unit: 'primary or replica',
    fallback: 'primary',
    meaning:
      'What must have a message before it counts as accepted: the primary, as durable as its appendfsync, or a replica too. `redis` only.',
    must: 'primary or replica',
  })
  @IsIn(['primary', 'replica'])
  readonly durability!: 'primary' | 'replica';

  @Setting({
    name: 'AUTH_MODE',
    unit: 'open or signed',
    fallback: 'open',
    productionFallback: 'signed',
    meaning:
      'Who may act for an address: whoever proves to have its key (`signed`), or, until it first proved itself, whoever claims it (`open`).',
    must: 'open or signed',
  })
  @IsIn(['open', 'signed'])
  readonly authMode!: 'open' | 'signed';

  @Setting({
    name: 'PUBLIC_DOMAIN',
    unit: 'host name, with the port where it is not 80 or 443',
    fallback: '',
    meaning:
      'What clients call this relay, and sign when they sign in. Outside production the Host that they ask for will do; in production it must be set, or nobody can sign in.',
    must: 'a host name in lower case such as relay.example or localhost:3002, without an address (-0x and 40 hex digits) in it',
  })
  @ValidateBy({ name: 'isPublicDomain', validator: { validate: (value) => value === '' || isDomain(value) } })
  readonly publicDomain!: string;

  @Setting(
    {
      name: 'BROWSER_SIGN_IN',
      unit: 'true or false',
      fallback: 'false',
      meaning:
        'Sessions for browsers by a link that an Idena wallet confirms. Then whoever gets a person to confirm a link, as for any other site, can get a session of theirs (SECURITY.md).',
      must: 'true or false',
    },
    asBoolean,
  )
  @IsBoolean()
  readonly browserSignIn!: boolean;

  @Setting({
    name: 'ADMIN_TOKEN',
    unit: 'text',
    fallback: '',
    meaning:
      'What operators send as `Authorization: Bearer` for calls that are theirs; such as `openssl rand -base64 32` writes. None: in `signed` mode nobody may make them, in `open` mode everybody, and there is no `/admin`. `ADMIN_TOKEN_FILE` may name a file that holds it.',
    must: 'at least 32 (and at most 512) printable ASCII characters without a space',
    isSecret: true,
  })
  @Matches(/^([\x21-\x7e]{32,512})?$/)
  readonly adminToken!: string;

  @Setting(
    {
      name: 'MAX_OFFLINE_MESSAGES',
      unit: 'messages',
      fallback: '1000',
      meaning: 'Bound of one mailbox: messages that no device has acknowledged.',
      must: 'a whole number from 1 to 1000000',
    },
    asNumber,
  )
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  readonly maxOfflineMessages!: number;

  @Setting(
    {
      name: 'MAX_QUEUE_BYTES',
      unit: 'bytes',
      fallback: '33554432',
      meaning: 'Bound of one mailbox: the contents of those messages. At least MAX_FRAME_BYTES.',
      must: 'a whole number of at least 4096',
    },
    asNumber,
  )
  @IsInt()
  @Min(4096)
  readonly maxQueueBytes!: number;

  @Setting(
    {
      name: 'SENDER_SHARE',
      unit: 'part, 0 to 1',
      fallback: '0.5',
      meaning: 'How much of one mailbox a single sender may fill; counted once it is half full.',
      must: 'a number from 0.001 to 1',
    },
    asNumber,
  )
  @IsNumber()
  @Min(0.001)
  @Max(1)
  readonly senderShare!: number;

  @Setting(
    {
      name: 'MAX_STRANGER_MESSAGES',
      unit: 'messages',
      fallback: '20',
      meaning:
        'How many messages may wait of one sender whom the recipient never wrote to, took mail of or allowed; all of these together may fill one SENDER_SHARE. Signed mode only. 0: nobody may write first.',
      must: 'a whole number from 0 to 1000000',
    },
    asNumber,
  )
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  readonly maxStrangerMessages!: number;

  @Setting({
    name: 'QUEUE_OVERFLOW',
    unit: 'reject or drop_oldest',
    fallback: 'reject',
    meaning: 'What a full mailbox does: refuse the new message, or drop the oldest and tell the recipient `gap`.',
    must: 'reject or drop_oldest',
  })
  @IsIn(['reject', 'drop_oldest'])
  readonly queueOverflow!: 'reject' | 'drop_oldest';

  @Setting(
    {
      name: 'MESSAGE_RETENTION_HOURS',
      unit: 'hours',
      fallback: '168',
      meaning: 'How long a message waits for its recipient; fractions are allowed.',
      must: 'a number from 0.0001 to 8760',
    },
    asNumber,
  )
  @IsNumber()
  @Min(0.0001)
  @Max(8760)
  readonly messageRetentionHours!: number;

  @Setting(
    {
      name: 'HISTORY_RETENTION_HOURS',
      unit: 'hours',
      fallback: '0',
      meaning: 'How long a message can still be read as history after it was acknowledged; 0: not at all.',
      must: 'a number from 0 to 8760',
    },
    asNumber,
  )
  @IsNumber()
  @Min(0)
  @Max(8760)
  readonly historyRetentionHours!: number;

  @Setting(
    {
      name: 'MAX_DEVICES_PER_ADDRESS',
      unit: 'devices',
      fallback: '10',
      meaning: 'Devices of one address that have a place in its mailbox.',
      must: 'a whole number from 1 to 100',
    },
    asNumber,
  )
  @IsInt()
  @Min(1)
  @Max(100)
  readonly maxDevicesPerAddress!: number;

  @Setting(
    {
      name: 'MAX_FRAME_BYTES',
      unit: 'bytes',
      fallback: '131072',
      meaning: 'The largest WebSocket message and REST body.',
      must: 'a whole number from 4096 to 16777216',
    },
    asNumber,
  )
  @IsInt()
  @Min(4096)
  @Max(16_777_216)
  readonly maxFrameBytes!: number;

  @Setting({
    name: 'CLASSIC_ACK',
    unit: 'pong or socket',
    fallback: 'pong',
    meaning:
      'What acknowledges for clients of the first protocol: their WebSocket stack’s pong, or the write to the socket (for gateways that answer pings themselves).',
    must: 'pong or socket',
  })
  @IsIn(['pong', 'socket'])
  readonly classicAck!: 'pong' | 'socket';

  @Setting(
    {
      name: 'RATE_LIMIT_WINDOW_MS',
      unit: 'ms',
      fallback: '60000',
      meaning: 'The window of the REST limit.',
      must: 'a whole number from 1000 to 86400000',
    },
    asNumber,
  )
  @IsInt()
  @Min(1000)
  @Max(86_400_000)
  readonly rateLimitWindowMs!: number;

  @Setting(
    {
      name: 'RATE_LIMIT_MAX_REQUESTS',
      unit: 'requests',
      fallback: '100',
      meaning: 'REST requests per IP address in that window.',
      must: 'a whole number of at least 1',
    },
    asNumber,
  )
  @IsInt()
  @Min(1)
  readonly rateLimitMaxRequests!: number;

  @Setting(
    {
      name: 'SEND_RATE_PER_SECOND',
      unit: 'frames per second',
      fallback: '20',
      meaning: 'Frames that store or route, per address, in the long run.',
      must: 'a number of at least 0.1',
    },
    asNumber,
  )
  @IsNumber()
  @Min(0.1)
  readonly sendRatePerSecond!: number;

  @Setting(
    {
      name: 'SEND_BURST',
      unit: 'frames',
      fallback: '200',
      meaning: 'How many of them an address may send at once.',
      must: 'a whole number of at least 1',
    },
    asNumber,
  )
  @IsInt()
  @Min(1)
  readonly sendBurst!: number;

  @Setting(
    {
      name: 'SEND_RATE_PER_IP',
      unit: 'messages per second; 0: no limit',
      fallback: '200',
      meaning:
        'Messages to be stored, of all addresses behind one IP address together, on each node; one above 4 KiB counts as several. 20 s of them may come at once.',
      must: 'a number of at least 0',
    },
    asNumber,
  )
  @IsNumber()
  @Min(0)
  readonly sendRatePerIp!: number;

  @Setting(
    {
      name: 'MAX_CONNECTIONS_PER_IP',
      unit: 'connections',
      fallback: '200',
      meaning: 'WebSocket connections from one IP address.',
      must: 'a whole number of at least 1',
    },
    asNumber,
  )
  @IsInt()
  @Min(1)
  readonly maxConnectionsPerIp!: number;

  @Setting(
    {
      name: 'MAX_FIRST_SIGN_INS_PER_IP',
      unit: 'addresses per hour; 0: no limit',
      fallback: '100',
      meaning:
        'Addresses that prove themselves for the first time, of one IP address: something is kept of each for ever. Who signed in before does not count.',
      must: 'a whole number of at least 0',
    },
    asNumber,
  )
  @IsInt()
  @Min(0)
  readonly maxFirstSignInsPerIp!: number;

  @Setting(
    {
      name: 'MAX_CONNECTIONS',
      unit: 'connections; 0: from the descriptor limit',
      fallback: '0',
      meaning: 'WebSocket connections in all; more are refused with 503.',
      must: 'a whole number of at least 0',
    },
    asNumber,
  )
  @IsInt()
  @Min(0)
  readonly maxConnections!: number;

  @Setting(
    {
      name: 'METRICS_PORT',
      unit: 'TCP port',
      fallback: '9464',
      meaning:
        'Where Prometheus reads `/metrics`; 0 takes any free port. One that is taken refuses the start in production, and is a warning elsewhere.',
      must: 'a whole number from 0 to 65535',
    },
    asNumber,
  )
  @IsInt()
  @Min(0)
  @Max(65535)
  readonly metricsPort!: number;

  @Setting({
    name: 'METRICS_HOST',
    unit: 'IP address or host name',
    fallback: '127.0.0.1',
    meaning:
      'The interface of METRICS_PORT. What it tells is for the operator alone: in a container, the network of the scraper.',
    must: 'an IP address or a host name',
  })
  @ValidateBy({ name: 'isHost', validator: { validate: isHost } })
  readonly metricsHost!: string;

  @Setting(
    {
      name: 'DRAIN_SECONDS',
      unit: 'seconds',
      fallback: '20',
      meaning:
        'How long a stopping relay may take to send its clients away; their closing handshakes may take 4 s more.',
      must: 'a number from 0 to 3600',
    },
    asNumber,
  )
  @IsNumber()
  @Min(0)
  @Max(3600)
  readonly drainSeconds!: number;

  @Setting(
    {
      name: 'DOCS_CONSOLE',
      unit: 'true or false',
      fallback: 'true',
      productionFallback: 'false',
      meaning:
        'Whether the reference at `/docs` and `/docs/ws` can make the calls it describes; it can be read either way.',
      must: 'true or false',
    },
    asBoolean,
  )
  @IsBoolean()
  readonly docsConsole!: boolean;

  @Setting({
    name: 'TLS_CERT_FILE',
    unit: 'path',
    fallback: '',
    meaning:
      'A certificate with its chain, PEM: HTTPS and WSS without a proxy. Read again when it changes; connections that are open stay.',
    must: 'a path',
  })
  readonly tlsCertFile!: string;

  @Setting({
    name: 'TLS_KEY_FILE',
    unit: 'path',
    fallback: '',
    meaning: 'Its private key, PEM, without a passphrase.',
    must: 'a path',
  })
  readonly tlsKeyFile!: string;

  @Setting(
    {
      name: 'DEMO',
      unit: 'true or false',
      fallback: 'true',
      productionFallback: 'false',
      meaning: 'Whether `/demo` shows two people in two windows who write to each other.',
      must: 'true or false',
    },
    asBoolean,
  )
  @IsBoolean()
  readonly demo!: boolean;

  /** Only where addresses are proved: where anybody may claim a known one, strangers need not be strange. */
  get tellsStrangers(): boolean {
    return (this.authMode as string) === 'signed';
  }

  get workerCount(): number {
    return this.workers === 'auto' ? availableParallelism() : this.workers;
  }

  get retentionMs(): number {
    return Math.round(this.messageRetentionHours * HOUR_MS);
  }

  get historyMs(): number {
    return Math.round(this.historyRetentionHours * HOUR_MS);
  }
}

function asWorkers(text: string): unknown {
  return text === 'auto' ? text : asNumber(text);
}

function areWorkers(value: unknown): boolean {
  return value === 'auto' || (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 256);
}

function isHost(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > 253) return false;
  if (isIP(value) !== 0) return true;
  // All digits and dots, and no address: a typing mistake that name resolution would take seconds to refuse.
  return !/^[\d.]+$/.test(value) && /^(?!-)[a-zA-Z0-9-]{1,63}(\.[a-zA-Z0-9-]{1,63})*$/.test(value);
}

function isRedisUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol, hostname, pathname, search, hash, username, password } = new URL(value);
  if (!/^rediss?:$/.test(protocol) || hostname === '' || search !== '' || hash !== '') return false;
  return /^(\/\d{0,4})?$/.test(pathname) && isEncoded(username) && isEncoded(password);
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function isHttpUrl(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && /^https?:\/\/[^/]/.test(value);
}

function asEndpoints(text: string): unknown {
  return text === '' ? [] : asList(text);
}

function areEndpoints(value: unknown): boolean {
  return Array.isArray(value) && value.every(isEndpoint);
}

/** An IPv6 address stands in brackets. */
function isEndpoint(value: unknown): boolean {
  const [, host = '', port = ''] = /^(.+):(\d{1,5})$/.exec(String(value)) ?? [];
  if (Number(port) < 1 || Number(port) > 65535) return false;
  const bracketed = /^\[(.+)\]$/.exec(host)?.[1];
  return bracketed === undefined ? isIP(host) !== 6 && isHost(host) : isIP(bracketed) === 6;
}

function areOrigins(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  return value.every((origin) => (origin === '*' ? value.length === 1 : isOrigin(origin)));
}

/** Web views have schemes of their own (capacitor://localhost), for which the URL parser knows no origin. */
const APP_ORIGIN = /^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/;

function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  return new URL(value).origin === value || APP_ORIGIN.test(value);
}

function asProxies(text: string): unknown {
  if (text === 'off') return false;
  if (/^([1-9]|10)$/.test(text)) return Number(text);
  const networks = text.split(',').map((item) => item.trim());
  return networks.every(isNetwork) ? networks : text;
}

function isNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return (
    prefix === undefined ||
    (/^\d{1,3}$/.test(prefix) && Number(prefix) >= 1 && Number(prefix) <= (version === 4 ? 32 : 128))
  );
}
