// Writes docs/images/dashboard.png: the panels of deploy/monitoring/dashboards/relay.json, by what a real Prometheus answered to
// their own expressions while three relays had traffic and faults. Fails where one is refused, or finds nothing without a reason.
// --save FILE keeps the answers; --from FILE draws those again.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { freePort } from '../test/drill/child.mjs';
import { Random } from '../test/drill/random.mjs';
import { RedisProcess } from '../test/drill/redis-process.mjs';
import { RelayNode } from '../test/drill/relay-node.mjs';
import { PAGE_WIDTH, pageOf } from './dashboard-drawing.mjs';
import { Prometheus } from './dashboard-prometheus.mjs';
import { makeTraffic, TRAFFIC_LIMITS } from './dashboard-traffic.mjs';
import { findBrowser } from './find-browser.mjs';
import { indexedPng } from './indexed-png.mjs';

/** @typedef {{ readings: import('./dashboard-prometheus.mjs').Reading[], range: import('./dashboard-prometheus.mjs').Range, problems: string[] }} Observed */

const root = new URL('../', import.meta.url);
const STEP_SECONDS = 1;
/** Panels with an expression that finds nothing in this run, with the reason. @type {Readonly<Record<string, string>>} */
const MAY_BE_EMPTY = {};

const { values: options } = parseArgs({ options: { save: { type: 'string' }, from: { type: 'string' } } });
const browserPath = findBrowser() ?? '';
if (browserPath === '') throw new Error('no Chromium: npm run setup:test, or CHROMIUM_PATH');
/** @type {import('./dashboard-prometheus.mjs').Dashboard} */
const dashboard = JSON.parse(readFileSync(new URL('deploy/monitoring/dashboards/relay.json', root), 'utf8'));
/** @type {Observed} */
const observed = options.from === undefined ? await observe() : JSON.parse(readFileSync(options.from, 'utf8'));
if (options.save !== undefined) writeFileSync(options.save, JSON.stringify(observed));
await draw(observed);
for (const problem of observed.problems) console.error(problem);
process.exit(observed.problems.length === 0 ? 0 : 1);

/** @returns {Promise<Observed>} */
async function observe() {
  const random = new Random(1);
  const redis = new RedisProcess(await freePort(random));
  const names = /** @type {const} */ (['relay-1', 'relay-2', 'relay-3']);
  const [first, second, third] = await Promise.all(names.map(() => startable(redis.url, random)));
  if (first === undefined || second === undefined || third === undefined) throw new Error('three nodes');
  const nodes = /** @type {const} */ ([first, second, third]);
  const prometheus = new Prometheus(await freePort(random));
  await redis.start();
  await Promise.all(nodes.map(({ node }) => node.start()));
  await prometheus.start({ [names[0]]: first.metrics, [names[1]]: second.metrics, [names[2]]: third.metrics });
  const from = Math.floor(Date.now() / 1000);
  await makeTraffic({ redis, nodes: [first.node, second.node, third.node] }, random);
  const range = { from, to: Math.floor(Date.now() / 1000), step: STEP_SECONDS };
  const readings = [];
  for (const panel of dashboard.panels) readings.push(await prometheus.read(panel, range));
  return { readings, range, problems: [...readings.flatMap(problemsOf), ...(await prometheus.ruleProblems())] };
}

/** @param {import('./dashboard-prometheus.mjs').Reading} reading */
function problemsOf({ panel: { title }, refused, empty }) {
  const unexpected = MAY_BE_EMPTY[title] === undefined ? empty : [];
  return [
    ...refused.map((what) => `${title}: Prometheus refuses ${what}`),
    ...unexpected.map((expression) => `${title}: no data for ${expression}`),
  ];
}

/** @param {string} redisUrl @param {Random} random */
async function startable(redisUrl, random) {
  const metricsPort = await freePort(random);
  const env = { ...TRAFFIC_LIMITS, STORAGE: 'redis', REDIS_URL: redisUrl, METRICS_PORT: String(metricsPort) };
  const main = fileURLToPath(new URL('dist/main.js', root));
  const node = new RelayNode({ main, port: await freePort(random), env });
  return { node, metrics: `127.0.0.1:${metricsPort}` };
}

/** @param {Observed} observed */
async function draw({ readings, range }) {
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({ executablePath: browserPath, args });
  const page = await browser.newPage({ viewport: { width: PAGE_WIDTH, height: 600 } });
  await page.setContent(pageOf(dashboard, readings, range));
  mkdirSync(new URL('docs/images/', root), { recursive: true });
  const png = await indexedPng(page, await page.screenshot({ fullPage: true }));
  writeFileSync(new URL('docs/images/dashboard.png', root), png);
  await browser.close();
  console.log('docs/images/dashboard.png');
}
