// What the relay relies on in the files of Fly, Render and Railway. Their own schemas come in no package, so these say only what we use:
// a key that is not listed is a slip of the pen, or belongs here after a look at the platform's reference.
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse as parseToml } from 'smol-toml';
import { parse as parseYaml } from 'yaml';

/**
 * @typedef {{ port: number, stopsWithinSeconds: number }} Relay
 * @typedef {Record<string, unknown>} Schema
 * @typedef {{ env: Record<string, string> }} FlyFile
 * @typedef {{ services: [{ envVars: { key: string, value?: string }[] }] }} RenderFile
 */

const READY = { const: '/health/ready' };
const whole = { type: 'integer', minimum: 0 };
const text = { type: 'string', minLength: 1 };
const seconds = { type: 'string', pattern: '^[0-9]+s$' };
/** Our own word beside JSON Schema's: at least so many seconds, of a value like `40s`. */
const AT_LEAST_SECONDS = 'atLeastSeconds';

/** Exactly these keys. @param {Record<string, Schema>} properties @returns {Schema} */
const exactly = (properties) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
/** One of each, in this order. @param {Schema[]} items @returns {Schema} */
const list = (...items) => ({ type: 'array', prefixItems: items, minItems: items.length, items: false });

/** @param {Relay} relay */
const fly = ({ port, stopsWithinSeconds }) =>
  exactly({
    app: text,
    primary_region: text,
    kill_signal: { const: 'SIGTERM' },
    kill_timeout: { ...seconds, [AT_LEAST_SECONDS]: stopsWithinSeconds },
    env: { type: 'object', additionalProperties: { type: 'string' } },
    http_service: exactly({
      internal_port: { const: port },
      force_https: { const: true },
      auto_stop_machines: { const: 'off' },
      auto_start_machines: { type: 'boolean' },
      min_machines_running: { ...whole, minimum: 2 },
      concurrency: exactly({ type: { const: 'connections' }, soft_limit: whole, hard_limit: whole }),
      checks: list(exactly({ path: READY, interval: seconds, timeout: seconds, grace_period: seconds })),
    }),
    vm: list(exactly({ size: text, memory: { type: 'string', pattern: '^[0-9]+[mg]b$' } })),
  });

/** @param {Relay} relay */
const render = ({ stopsWithinSeconds }) => {
  const redis = exactly({ type: { const: 'keyvalue' }, name: text, property: { const: 'connectionString' } });
  const variables = { anyOf: [exactly({ key: text, value: text }), exactly({ key: text, fromService: redis })] };
  const relay = exactly({
    type: { const: 'web' },
    name: text,
    runtime: { const: 'docker' },
    dockerfilePath: { const: './Dockerfile' },
    plan: text,
    healthCheckPath: READY,
    maxShutdownDelaySeconds: { type: 'integer', minimum: stopsWithinSeconds, maximum: 300 },
    envVars: { type: 'array', items: variables },
  });
  const store = exactly({
    type: { const: 'keyvalue' },
    name: text,
    plan: { ...text, not: { const: 'free' } },
    maxmemoryPolicy: { const: 'noeviction' },
    ipAllowList: { type: 'array', maxItems: 0 },
  });
  return exactly({ services: list(relay, store) });
};

/** @param {Relay} relay */
const railway = ({ stopsWithinSeconds }) =>
  exactly({
    $schema: text,
    build: exactly({ builder: { const: 'DOCKERFILE' }, dockerfilePath: { const: 'Dockerfile' } }),
    deploy: exactly({
      healthcheckPath: READY,
      healthcheckTimeout: { ...whole, minimum: 1 },
      restartPolicyType: { const: 'ON_FAILURE' },
      restartPolicyMaxRetries: whole,
      drainingSeconds: { type: 'integer', minimum: stopsWithinSeconds },
      overlapSeconds: whole,
    }),
  });

/**
 * `environment`: what the platform gives the relay; secrets that are set elsewhere are not among it.
 * @type {Record<string, { read: (content: string) => any, schema: (relay: Relay) => Schema, environment: (file: any) => Record<string, string> }>}
 */
const PLATFORMS = {
  'deploy/fly.toml': { read: parseToml, schema: fly, environment: (/** @type {FlyFile} */ { env }) => env },
  'render.yaml': {
    read: (content) => parseYaml(content),
    schema: render,
    environment: (/** @type {RenderFile} */ { services: [{ envVars }] }) =>
      Object.fromEntries(envVars.map(({ key, value }) => [key, value ?? 'redis://redis.example:6379'])),
  },
  'railway.json': { read: (content) => JSON.parse(content), schema: railway, environment: () => ({}) },
};

export const PLATFORM_FILES = Object.keys(PLATFORMS);

/**
 * @param {string} name one of PLATFORM_FILES
 * @param {string} content
 * @param {Relay} relay its default port, and after how long it has stopped at the latest
 * @returns {{ problems: string[], environment: Record<string, string> }}
 */
export function checkPlatform(name, content, relay) {
  const platform = PLATFORMS[name];
  if (platform === undefined) throw new Error(`no such platform file: ${name}`);
  const ajv = new Ajv2020({ allErrors: true });
  ajv.addKeyword({
    keyword: AT_LEAST_SECONDS,
    type: 'string',
    schemaType: 'number',
    error: { message: 'must be at least as long as the relay may take to stop' },
    validate: (/** @type {number} */ atLeast, /** @type {string} */ value) => Number.parseInt(value, 10) >= atLeast,
  });
  /** @type {unknown} */
  let file;
  try {
    file = platform.read(content);
  } catch (error) {
    return { problems: [String(error)], environment: {} };
  }
  const isValid = ajv.validate(platform.schema(relay), file);
  const problems = (ajv.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath || '/'} ${message} ${JSON.stringify(params)}`,
  );
  return { problems, environment: isValid ? platform.environment(file) : {} };
}
