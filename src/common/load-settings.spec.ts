import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Environment, loadSettings, SettingsError } from './load-settings.js';
import { SETTING_ROWS } from './setting.decorator.js';

function problemsOf(environment: Environment): readonly string[] {
  try {
    loadSettings(environment);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
}

describe('WORKERS', () => {
  const redis = { STORAGE: 'redis' };

  it('is one unless somebody says more, or as many as there are cores', () => {
    expect(loadSettings({}).workerCount).toBe(1);
    expect(loadSettings({ ...redis, WORKERS: '3' }).workerCount).toBe(3);
    expect(loadSettings({ ...redis, WORKERS: 'auto' }).workerCount).toBe(availableParallelism());
  });

  it.each(['0', '-1', '1.5', '257', 'Auto', 'all'])('is not %s', (WORKERS) => {
    expect(problemsOf({ ...redis, WORKERS })).toEqual([
      `WORKERS must be auto, or a whole number from 1 to 256 (it is "${WORKERS}")`,
    ]);
  });

  it.each(['2', 'auto'])('of %s is refused in memory, with all that is wrong besides', (WORKERS) => {
    expect(problemsOf({ WORKERS, PORT: 'x' })).toEqual([
      'PORT must be a whole number from 0 to 65535 (it is "x")',
      `WORKERS=${WORKERS} needs STORAGE=redis: in memory each process would have mailboxes of its own`,
    ]);
    expect(problemsOf({ WORKERS: '1' })).toEqual([]);
  });
});

describe('settings', () => {
  it('have the first relay’s defaults where it had them', () => {
    expect(loadSettings({})).toMatchObject({
      port: 3002,
      host: '0.0.0.0',
      environment: 'development',
      logLevel: 'info',
      allowedOrigins: ['*'],
      rateLimitWindowMs: 60_000,
      rateLimitMaxRequests: 100,
      maxOfflineMessages: 1000,
      messageRetentionHours: 168,
      retentionMs: 7 * 24 * 60 * 60 * 1000,
    });
  });

  it('have the defaults that the protocol names elsewhere', () => {
    expect(loadSettings({})).toMatchObject({
      trustProxy: false,
      storage: 'memory',
      redisUrl: 'redis://127.0.0.1:6379',
      redisSentinels: [],
      redisSentinelName: 'relay',
      redisClusterNodes: [],
      redisKeyPrefix: 'relay:',
      redisWaitSeconds: 10,
      durability: 'primary',
      historyRetentionHours: 0,
      historyMs: 0,
      maxDevicesPerAddress: 10,
      authMode: 'open',
      browserSignIn: false,
      publicDomain: '',
      maxQueueBytes: 32 * 1024 * 1024,
      senderShare: 0.5,
      queueOverflow: 'reject',
      maxFrameBytes: 128 * 1024,
      classicAck: 'pong',
      sendRatePerSecond: 20,
      sendBurst: 200,
      maxConnectionsPerIp: 200,
      maxConnections: 0,
      drainSeconds: 20,
    });
  });

  it('are all read, by name and as what they are', () => {
    const settings = loadSettings({
      PORT: '0',
      HOST: '::1',
      NODE_ENV: 'production',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://traces.example:4318',
      LOG_ADDRESSES: 'true',
      LOG_LEVEL: 'silent',
      WORKERS: '3',
      ALLOWED_ORIGINS: 'https://app.example, http://localhost:8080',
      TRUST_PROXY: '127.0.0.1, 2001:db8::/32',
      STORAGE: 'redis',
      REDIS_URL: 'rediss://relay:p%40ss@redis.example:6380/2',
      REDIS_SENTINELS: 'sentinel-1:26379, [::1]:26380',
      REDIS_SENTINEL_NAME: 'mymaster',
      REDIS_CLUSTER_NODES: '',
      REDIS_KEY_PREFIX: 'r1-',
      REDIS_WAIT_SECONDS: '2.5',
      DURABILITY: 'replica',
      HISTORY_RETENTION_HOURS: '24',
      MAX_DEVICES_PER_ADDRESS: '3',
      AUTH_MODE: 'signed',
      BROWSER_SIGN_IN: 'true',
      PUBLIC_DOMAIN: 'relay.example:8443',
      MAX_OFFLINE_MESSAGES: '7',
      MAX_QUEUE_BYTES: '8192',
      SENDER_SHARE: '0.25',
      QUEUE_OVERFLOW: 'drop_oldest',
      MESSAGE_RETENTION_HOURS: '0.5',
      MAX_FRAME_BYTES: '4096',
      CLASSIC_ACK: 'socket',
      RATE_LIMIT_WINDOW_MS: '1000',
      RATE_LIMIT_MAX_REQUESTS: '5',
      SEND_RATE_PER_SECOND: '0.5',
      SEND_BURST: '1',
      SEND_RATE_PER_IP: '7.5',
      MAX_FIRST_SIGN_INS_PER_IP: '6',
      MAX_STRANGER_MESSAGES: '9',
      MAX_CONNECTIONS_PER_IP: '3',
      MAX_CONNECTIONS: '4',
      METRICS_PORT: '9000',
      METRICS_HOST: '::1',
      DOCS_CONSOLE: 'true',
      DRAIN_SECONDS: '2.5',
      ADMIN_TOKEN: 'a-token-of-exactly-32-characters',
      TLS_CERT_FILE: '/etc/cert.pem',
      TLS_KEY_FILE: '/etc/key.pem',
      DEMO: 'true',
    });
    expect({ ...settings }).toEqual({
      adminToken: 'a-token-of-exactly-32-characters',
      docsConsole: true,
      port: 0,
      host: '::1',
      workers: 3,
      environment: 'production',
      logLevel: 'silent',
      logAddresses: true,
      otlpEndpoint: 'http://traces.example:4318',
      allowedOrigins: ['https://app.example', 'http://localhost:8080'],
      trustProxy: ['127.0.0.1', '2001:db8::/32'],
      storage: 'redis',
      redisUrl: 'rediss://relay:p%40ss@redis.example:6380/2',
      redisSentinels: ['sentinel-1:26379', '[::1]:26380'],
      redisSentinelName: 'mymaster',
      redisClusterNodes: [],
      redisKeyPrefix: 'r1-',
      redisWaitSeconds: 2.5,
      durability: 'replica',
      historyRetentionHours: 24,
      maxDevicesPerAddress: 3,
      authMode: 'signed',
      browserSignIn: true,
      publicDomain: 'relay.example:8443',
      maxOfflineMessages: 7,
      maxQueueBytes: 8192,
      senderShare: 0.25,
      queueOverflow: 'drop_oldest',
      messageRetentionHours: 0.5,
      maxFrameBytes: 4096,
      classicAck: 'socket',
      rateLimitWindowMs: 1000,
      rateLimitMaxRequests: 5,
      sendRatePerSecond: 0.5,
      sendBurst: 1,
      sendRatePerIp: 7.5,
      maxFirstSignInsPerIp: 6,
      maxStrangerMessages: 9,
      maxConnectionsPerIp: 3,
      maxConnections: 4,
      metricsPort: 9000,
      metricsHost: '::1',
      drainSeconds: 2.5,
      tlsCertFile: '/etc/cert.pem',
      tlsKeyFile: '/etc/key.pem',
      demo: true,
    });
    expect(Object.keys(settings)).toHaveLength(SETTING_ROWS.length);
  });

  it('take each default as it would be written in the environment', () => {
    const written = Object.fromEntries(SETTING_ROWS.map(({ name, fallback }) => [name, fallback]));
    expect(loadSettings(written)).toEqual(loadSettings({}));
  });

  it('count an empty value as none, and leave out spaces around one', () => {
    expect(loadSettings({ PORT: '', MAX_CONNECTIONS: '  ', HOST: ' ::1 ' })).toMatchObject({
      port: 3002,
      maxConnections: 0,
      host: '::1',
    });
  });

  it('cannot be changed afterwards', () => {
    expect(Object.isFrozen(loadSettings({}))).toBe(true);
  });

  it.each([
    ['off', false],
    ['1', 1],
    ['10', 10],
    ['10.0.0.0/8', ['10.0.0.0/8']],
  ])('TRUST_PROXY=%s is understood', (text, expected) => {
    expect(loadSettings({ TRUST_PROXY: text }).trustProxy).toEqual(expected);
  });

  it.each([
    ['true', 'production', true],
    ['false', 'development', false],
    ['', 'production', false],
    ['', 'development', true],
  ])('DOCS_CONSOLE=%s is understood in %s', (text, environment, expected) => {
    const settings = { DOCS_CONSOLE: text, NODE_ENV: environment, AUTH_MODE: 'open' };
    expect(loadSettings(settings).docsConsole).toBe(expected);
  });
});

describe('a wrong value', () => {
  it.each([
    ['PORT', ['x', '-1', '65536', '3.5', '0x10', '1e3', '3002 3003', 'Infinity']],
    ['HOST', ['-a', 'a b', 'http://localhost', 'localhost:3002', 'a..b']],
    ['NODE_ENV', ['prod', 'Production']],
    ['DEMO', ['1', 'yes', 'True', 'on']],
    ['LOG_LEVEL', ['verbose', 'INFO']],
    ['ALLOWED_ORIGINS', ['app.example', 'https://app.example/', 'https://app.example,', '*,https://app.example', ',']],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', ['localhost:4318', 'grpc://a:4317', 'http://', 'on']],
    ['LOG_ADDRESSES', ['yes', '1', 'TRUE', 'on']],
    ['TRUST_PROXY', ['true', 'on', '0', '11', 'proxy.example', '10.0.0.0/33', '::/129', '10.0.0.0/8/8', '127.0.0.1,']],
    ['STORAGE', ['postgres', 'Redis']],
    ['REDIS_SENTINELS', ['sentinel', 'a:0', 'a:65536', 'a:1,', 'redis://a:1', '::1:26379', '[a]:1', 'u:p@a:1']],
    ['REDIS_SENTINEL_NAME', ['a b', 'a'.repeat(65)]],
    ['REDIS_CLUSTER_NODES', ['a', 'a:1;b:2', '256.0.0.1:1']],
    ['REDIS_KEY_PREFIX', ['{a}', 'a b', '*', 'a'.repeat(65)]],
    ['REDIS_WAIT_SECONDS', ['-1', '3601', '10s']],
    ['DURABILITY', ['disk']],
    ['HISTORY_RETENTION_HOURS', ['-1', '8761']],
    ['MAX_DEVICES_PER_ADDRESS', ['0', '101', '1.5']],
    ['MAX_FIRST_SIGN_INS_PER_IP', ['-1', '1.5', 'many']],
    ['AUTH_MODE', ['closed', 'Signed']],
    ['BROWSER_SIGN_IN', ['1', 'yes', 'True', 'on']],
    ['PUBLIC_DOMAIN', ['Relay.example', 'https://relay.example', 'relay.example/', 'a b', 'x'.repeat(256)]],
    ['PUBLIC_DOMAIN', [`relay.example-0x${'a'.repeat(40)}-1-x`]],
    ['MAX_OFFLINE_MESSAGES', ['0', '-5', '1.5', '1000001', 'many']],
    ['MAX_QUEUE_BYTES', ['4095', '32MB']],
    ['SENDER_SHARE', ['0', '1.1', '-0.5', '50%', '.5']],
    ['QUEUE_OVERFLOW', ['drop']],
    ['MESSAGE_RETENTION_HOURS', ['0', '8761', '-1', '7d']],
    ['MAX_FRAME_BYTES', ['4095', '16777217']],
    ['CLASSIC_ACK', ['none']],
    ['RATE_LIMIT_WINDOW_MS', ['999', '86400001', '60s']],
    ['RATE_LIMIT_MAX_REQUESTS', ['0', '0.5']],
    ['SEND_RATE_PER_SECOND', ['0', '-1']],
    ['SEND_BURST', ['0', '1.5']],
    ['MAX_CONNECTIONS_PER_IP', ['0']],
    ['MAX_CONNECTIONS', ['-1', '1.5']],
    ['DRAIN_SECONDS', ['-1', '3601', 'soon']],
    ['DOCS_CONSOLE', ['yes', '1', 'True', 'on']],
  ])('of %s is refused by name, with what it must be and what it is', (name, values) => {
    const { must } = SETTING_ROWS.find((row) => row.name === name)!;
    for (const value of values) {
      // STORAGE where it is not what is looked at: a Redis that nobody uses is another mistake.
      const environment = { STORAGE: 'redis', [name]: value };
      expect(problemsOf(environment)).toEqual([`${name} must be ${must} (it is ${JSON.stringify(value)})`]);
    }
  });

  it.each([
    ['PORT', ['0', '65535']],
    ['REDIS_URL', ['redis://localhost', 'rediss://:p%25@[::1]:6380', 'redis://u:p@127.0.0.1:6379/15']],
    ['REDIS_SENTINELS', ['127.0.0.1:1', '[2001:db8::1]:65535', 'a:1,b-c.example:2']],
    ['REDIS_KEY_PREFIX', ['a', 'A:b_c-1', 'a'.repeat(64)]],
    ['REDIS_WAIT_SECONDS', ['0', '3600']],
    ['HISTORY_RETENTION_HOURS', ['0', '0.5', '8760']],
    ['MAX_DEVICES_PER_ADDRESS', ['1', '100']],
    ['HOST', ['0.0.0.0', '::', 'localhost', 'relay-1.internal.example']],
    ['ALLOWED_ORIGINS', ['*', 'http://localhost', 'https://app.example:8443']],
    ['TRUST_PROXY', ['::1', '127.0.0.1,10.0.0.0/8', '10.0.0.0/1', '2001:db8::/128']],
    ['MAX_OFFLINE_MESSAGES', ['1', '1000000']],
    ['MAX_QUEUE_BYTES', ['131072', '9007199254740991']],
    ['SENDER_SHARE', ['0.001', '1']],
    ['MESSAGE_RETENTION_HOURS', ['0.0001', '8760']],
    ['MAX_FRAME_BYTES', ['4096', '16777216']],
    ['RATE_LIMIT_WINDOW_MS', ['1000', '86400000']],
    ['SEND_RATE_PER_SECOND', ['0.1']],
    ['DRAIN_SECONDS', ['0', '3600']],
  ])('is not what stands at the edge of what %s may be', (name, values) => {
    for (const value of values) expect(problemsOf({ STORAGE: 'redis', [name]: value })).toEqual([]);
  });

  it.each([
    'localhost:6379',
    'http://u:hunter2@a',
    'redis://',
    'redis://u:hunter2@a/x',
    'redis://u:hunter2@a?db=1',
    'redis://u:hunter2@a:b',
    'redis://u:hunter2%zz@a',
  ])('of REDIS_URL is refused without being shown: %s', (value) => {
    const [problem, ...others] = problemsOf({ STORAGE: 'redis', REDIS_URL: value });
    expect(problem).toMatch(/^REDIS_URL must be a URL such as .* \(it is not shown, since it may hold a password\)$/);
    expect(problem).not.toContain('hunter2');
    expect(others).toEqual([]);
  });

  it('of TRUST_PROXY is refused where the proxies could not be told apart from clients', () => {
    for (const everybody of ['0.0.0.0/0', '::/0', '10.0.0.1,0.0.0.0/0']) {
      expect(problemsOf({ TRUST_PROXY: everybody })).toEqual([expect.stringMatching(/^TRUST_PROXY must be/)]);
    }
  });

  it('is reported together with every other, in the order of the settings', () => {
    const problems = problemsOf({ LOG_LEVEL: 'loud', PORT: 'x', SENDER_SHARE: '2', MAX_CONNECTIONS: '-1' });
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'PORT',
      'LOG_LEVEL',
      'SENDER_SHARE',
      'MAX_CONNECTIONS',
    ]);
  });

  it('is reported in one text, a line each', () => {
    const error = new SettingsError(['PORT must be a port', 'HOST must be a host']);
    expect(error.message).toBe('Settings refused:\n  - PORT must be a port\n  - HOST must be a host');
  });

  it.each([
    ['SENDER_SHARE', '0.0005'],
    ['MESSAGE_RETENTION_HOURS', '0.00005'],
  ])('is not told to be what it is: %s=%s is above 0', (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual([expect.not.stringContaining('above 0,')]);
  });
});

describe('a secret in a file', () => {
  let directory: string;
  const write = (text: string): string => {
    writeFileSync(join(directory, 'secret'), text);
    return join(directory, 'secret');
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'relay-settings-'));
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  it('is read, without the line break at its end', () => {
    const path = write('redis://:hunter2@redis\n');
    expect(loadSettings({ STORAGE: 'redis', REDIS_URL_FILE: path }).redisUrl).toBe('redis://:hunter2@redis');
  });

  it('is refused by name where it is wrong, cannot be read, or is set twice', () => {
    const path = write('hunter2');
    expect(problemsOf({ STORAGE: 'redis', REDIS_URL_FILE: path })).toEqual([
      expect.stringMatching(/^REDIS_URL must be .*not shown/),
    ]);
    expect(problemsOf({ ADMIN_TOKEN_FILE: write(' \n') })).toEqual(['ADMIN_TOKEN_FILE names a file that is empty']);
    expect(problemsOf({ STORAGE: 'redis', REDIS_URL_FILE: join(directory, 'none') })).toEqual([
      'REDIS_URL_FILE names a file that cannot be read (ENOENT)',
    ]);
    expect(problemsOf({ STORAGE: 'redis', REDIS_URL_FILE: write('redis://a'), REDIS_URL: 'redis://a' })).toEqual([
      'REDIS_URL and REDIS_URL_FILE are both set; one is enough',
    ]);
  });

  it('that names a Redis without STORAGE is refused by its own name', () => {
    expect(problemsOf({ REDIS_URL_FILE: write('redis://a') })).toEqual([
      expect.stringMatching(/^REDIS_URL_FILE is set, but STORAGE is not: set STORAGE=redis/),
    ]);
  });

  it('is there for secrets only', () => {
    expect(problemsOf({ PORT_FILE: '/dev/null', STORAGE_FILE: '/dev/null' })).toEqual([]);
  });
});

describe('ADMIN_TOKEN', () => {
  it('may be missing, and has at least 32 characters that a header can carry', () => {
    expect(loadSettings({}).adminToken).toBe('');
    for (const wrong of ['short', 'x'.repeat(31), 'x'.repeat(513), `${'x'.repeat(32)} y`, 'ä'.repeat(40)]) {
      const [problem = '', ...rest] = problemsOf({ ADMIN_TOKEN: wrong });
      expect(rest).toEqual([]);
      expect(problem).toMatch(/^ADMIN_TOKEN must be at least 32/);
      expect(problem).not.toContain(wrong);
    }
  });
});

describe('a misspelled name', () => {
  it.each(SETTING_ROWS.map(({ name }) => name))('near %s is reported with that name', (name) => {
    const misspelled = [name.slice(0, -1), name.slice(1), `${name}X`, name.toLowerCase(), name.replace(/.$/, '#')];
    for (const wrong of misspelled) {
      expect(problemsOf({ [wrong]: '1' })).toEqual([`${wrong} is not a setting; did you mean ${name}?`]);
    }
  });

  it.each([
    ['RATE_LIMIT_MAX_REQUEST', 'RATE_LIMIT_MAX_REQUESTS'],
    ['MAX_CONNECTION_PER_IP', 'MAX_CONNECTIONS_PER_IP'],
    ['MESSAGE_RETENTION_HOUR', 'MESSAGE_RETENTION_HOURS'],
    ['ALOWED_ORGINS', 'ALLOWED_ORIGINS'],
    ['AUTHMODE', 'AUTH_MODE'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['LOG_LEVLE', 'LOG_LEVEL'],
    ['NODE-ENV', 'NODE_ENV'],
    ['port', 'PORT'],
    ['host', 'HOST'],
    ['PROT', 'PORT'],
    ['POTR', 'PORT'],
    ['PORTT', 'PORT'],
    ['PIRT', 'PORT'],
    ['prot', 'PORT'],
    ['HSOT', 'HOST'],
    ['HOSR', 'HOST'],
    ['OHST', 'HOST'],
    ['STROAGE', 'STORAGE'],
    ['TSORAGE', 'STORAGE'],
  ])('%s is reported with the nearest right one, %s', (wrong, right) => {
    expect(problemsOf({ [wrong]: '1' })).toEqual([`${wrong} is not a setting; did you mean ${right}?`]);
  });

  it('is reported together with wrong values and other names', () => {
    expect(problemsOf({ SENDR_SHARE: '0.5', DRAIN_SECOND: '1', PORT: 'x' })).toEqual([
      'SENDR_SHARE is not a setting; did you mean SENDER_SHARE?',
      'DRAIN_SECOND is not a setting; did you mean DRAIN_SECONDS?',
      expect.stringMatching(/^PORT must be/),
    ]);
  });

  it('is none of what shells, services, containers and tools set', () => {
    const names = `HOME PATH HOSTNAME PWD OLDPWD SHELL SHLVL TERM USER LOGNAME LANG LC_ALL LANGUAGE MAIL EDITOR PAGER
      DISPLAY TZ TMPDIR TEMP TMP _ PS1 HISTSIZE COLORTERM LS_COLORS SSH_AUTH_SOCK SSH_CONNECTION SUDO_USER DBUS_SESSION_BUS_ADDRESS
      XDG_RUNTIME_DIR XDG_SESSION_ID INVOCATION_ID JOURNAL_STREAM NOTIFY_SOCKET LISTEN_FDS LISTEN_PID MAINPID SYSTEMD_EXEC_PID
      STATE_DIRECTORY LOGS_DIRECTORY NODE NODE_PATH NODE_OPTIONS NODE_VERSION NODE_HOME NODE_EXTRA_CA_CERTS NODE_DEBUG YARN_VERSION
      NVM_DIR NVM_BIN INIT_CWD npm_config_cache npm_lifecycle_event npm_package_name npm_execpath npm_node_execpath npm_command
      NPM_TOKEN CI DEBUG FORCE_COLOR NO_COLOR JEST_WORKER_ID UV_THREADPOOL_SIZE KUBERNETES_PORT KUBERNETES_SERVICE_HOST
      KUBERNETES_SERVICE_PORT POD_NAME POD_IP RELAY_PORT RELAY_SERVICE_HOST FLY_APP_NAME FLY_REGION RAILWAY_ENVIRONMENT RENDER DYNO
      GITHUB_ACTIONS GIT_AUTHOR_NAME HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy no_proxy COMPOSE_PROJECT_NAME DOCKER_HOST
      PM2_HOME TERM_PROGRAM VIRTUAL_ENV JAVA_HOME GOPATH MANPATH INFOPATH ComSpec APPDATA ProgramFiles SystemRoot WINDIR OS
      PORT0 PORT1 PORT_0 PORTS HOSTS HOST1 MESOS_TASK_ID MARATHON_APP_ID LOG_DIR LOGDIR LOGS NODE_ROLE ORIGIN PROXY DOMAIN
      HOSTTYPE MACHTYPE OSTYPE UID EUID PPID GROUPS IFS OPTIND LINES COLUMNS VISUAL BROWSER WINDOWID PROMPT KUBECONFIG SSL_CERT_FILE
      MEMORY_LIMIT WEB_CONCURRENCY AWS_REGION REDIS_HOST REDIS_PORT REDIS_PASSWORD REDIS_DB DATABASE_URL APP_PORT APP_HOST WS_PORT
      POST COST GHOST SPORT STAGE STORE`.split(/\s+/);
    expect(problemsOf(Object.fromEntries(names.map((name) => [name, 'x'])))).toEqual([]);
  });
});

describe('a contradiction', () => {
  const bounds = 'MAX_QUEUE_BYTES (8192) must be at least MAX_FRAME_BYTES (131072)';

  it('of bounds is refused', () => {
    expect(problemsOf({ MAX_QUEUE_BYTES: '8192' })).toEqual([bounds]);
    expect(problemsOf({ MAX_QUEUE_BYTES: '131072' })).toEqual([]);
  });

  it('of several kinds of Redis is refused, all of it at once', () => {
    const problems = problemsOf({
      STORAGE: 'redis',
      REDIS_SENTINELS: 'a:1',
      REDIS_CLUSTER_NODES: 'b:2',
      REDIS_URL: 'redis://a/1',
    });
    expect(problems).toEqual([
      'REDIS_SENTINELS and REDIS_CLUSTER_NODES are both set: a Cluster has no Sentinels',
      'REDIS_URL names a database, and REDIS_CLUSTER_NODES a Cluster, which has only database 0',
    ]);
  });

  it.each([
    ['REDIS_URL', 'redis://redis'],
    ['REDIS_SENTINELS', 'a:1'],
    ['REDIS_CLUSTER_NODES', 'a:1'],
  ])('of %s and no word about STORAGE, which would mean memory, is refused and says what to set', (name, value) => {
    const problem = `${name} is set, but STORAGE is not: set STORAGE=redis to use it (or STORAGE=memory, which forgets everything)`;
    expect(problemsOf({ [name]: value })).toEqual([problem]);
    expect(problemsOf({ [name]: value, STORAGE: ' ' })).toEqual([problem]);
    expect(problemsOf({ [name]: value, STORAGE: 'redis' })).toEqual([]);
    expect(problemsOf({ [name]: value, STORAGE: 'memory' })).toEqual([]);
    expect(problemsOf({ [name]: ' ' })).toEqual([]);
  });

  it('of several names of a Redis and no STORAGE is reported once', () => {
    const problems = problemsOf({ REDIS_SENTINELS: 'a:1', REDIS_URL: 'redis://:p@a', PORT: 'x' });
    expect(problems).toEqual([
      expect.stringMatching(/^PORT must/),
      expect.stringMatching(/^REDIS_URL is set, but STORAGE/),
    ]);
  });

  it('of durability and memory is refused', () => {
    expect(problemsOf({ DURABILITY: 'replica' })).toEqual([expect.stringContaining('STORAGE=redis')]);
    expect(problemsOf({ DURABILITY: 'replica', STORAGE: 'redis' })).toEqual([]);
  });

  it('of production, where addresses are proven, and no name to sign is refused, and says what to set', () => {
    const [problem, ...others] = problemsOf({ NODE_ENV: 'production' });
    expect(problem).toMatch(/^PUBLIC_DOMAIN .*AUTH_MODE=open/);
    expect(others).toEqual([]);
    expect(problemsOf({ NODE_ENV: 'production', AUTH_MODE: ' ' })).toEqual([problem]);
    expect(problemsOf({ NODE_ENV: 'production', PUBLIC_DOMAIN: 'relay.example' })).toEqual([]);
    expect(loadSettings({ NODE_ENV: 'production', PUBLIC_DOMAIN: 'relay.example' }).authMode).toBe('signed');
    expect(loadSettings({ NODE_ENV: 'test' }).authMode).toBe('open');
  });

  it('is none where production accepts open sign-in, or where it is not production', () => {
    expect(problemsOf({ NODE_ENV: 'production', AUTH_MODE: 'open' })).toEqual([]);
    expect(problemsOf({ NODE_ENV: 'test' })).toEqual([]);
    expect(problemsOf({ NODE_ENV: 'test', AUTH_MODE: 'signed' })).toEqual([]);
  });

  it('is reported together with every other', () => {
    expect(problemsOf({ NODE_ENV: 'production', MAX_QUEUE_BYTES: '8192' })).toEqual([
      bounds,
      expect.stringContaining('PUBLIC_DOMAIN'),
    ]);
  });

  it('is reported together with wrong values that have nothing to do with it', () => {
    expect(problemsOf({ NODE_ENV: 'production', MAX_QUEUE_BYTES: '8192', PORT: 'x' })).toEqual([
      expect.stringMatching(/^PORT must be/),
      bounds,
      expect.stringContaining('PUBLIC_DOMAIN'),
    ]);
  });

  it('is not looked for in values that are wrong anyway', () => {
    expect(problemsOf({ MAX_QUEUE_BYTES: '100', MAX_FRAME_BYTES: 'x' })).toEqual([
      expect.stringMatching(/^MAX_QUEUE_BYTES must be/),
      expect.stringMatching(/^MAX_FRAME_BYTES must be/),
    ]);
  });
});
