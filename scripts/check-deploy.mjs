// Checks every file under deploy/ with the tool that reads it, where that can be had: from the PATH, or on Debian as root by apt.
// What could not be checked is said; what is wrong ends with 1. Names of checks (the table at the end) run those alone.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { checkDocuments, environmentOf, readDocuments, TYPES_NAME } from './check-deploy.kubernetes.mjs';
import { checkPlatform, PLATFORM_FILES } from './check-deploy.platforms.mjs';
import { freePort } from '../test/drill/child.mjs';
import { Random } from '../test/drill/random.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const INSTALL_WITHIN_MS = 180_000;
const CHECK_WITHIN_MS = 60_000;
const PROXIES_WITHIN_MS = 180_000;
const folder = mkdtempSync(join(tmpdir(), 'relay-deploy-'));
let failed = 0;
let skipped = 0;
let isUpdated = false;

/** @param {string} command @param {string[]} args @param {Record<string, string>} [env] */
function run(command, args, env = {}, timeout = CHECK_WITHIN_MS) {
  return spawnSync(command, args, { cwd: root, encoding: 'utf8', timeout, env: { ...process.env, ...env } });
}

/** @param {string} command @param {string} debian */
function has(command, debian) {
  if (run('sh', ['-c', `command -v ${command}`]).status === 0) return true;
  if (!existsSync('/usr/bin/apt-get') || process.getuid?.() !== 0 || debian === '') return false;
  const apt = ['-qq', '-o', 'DPkg::Lock::Timeout=60'];
  const quiet = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  if (!isUpdated) run('apt-get', [...apt, 'update'], quiet, INSTALL_WITHIN_MS);
  isUpdated = true;
  run('apt-get', [...apt, 'install', '-y', '--no-install-recommends', debian], quiet, INSTALL_WITHIN_MS);
  return run('sh', ['-c', `command -v ${command}`]).status === 0;
}

/** @param {string} what @param {{ status: number | null, stdout: string, stderr: string }} result */
function report(what, { status, stdout, stderr }) {
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'}  ${what}`);
  if (status === 0) return;
  failed++;
  console.log(
    `${stdout}${stderr}`
      .trim()
      .split('\n')
      .slice(-10)
      .map((line) => `      ${line}`)
      .join('\n'),
  );
}

/** @param {string} what @param {string[]} problems */
function reportProblems(what, problems) {
  report(what, { status: problems.length === 0 ? 0 : 1, stdout: problems.join('\n'), stderr: '' });
}

/** @param {string} what @param {string} why */
function notChecked(what, why) {
  skipped++;
  console.log(`skip  ${what}: ${why}`);
}

/** @param {string} what @param {string} command @param {string} debian */
function skip(what, command, debian) {
  notChecked(what, `no ${command} here (Debian: ${debian})`);
}

/** The relay's own word on settings, in an environment that has nothing else. @param {Record<string, string>} environment */
function relayConfig(environment) {
  const env = { PATH: process.env.PATH ?? '', ...environment };
  const args = [join(root, 'dist/cli.js'), 'config', '--json'];
  return spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', timeout: CHECK_WITHIN_MS, env });
}

function compose() {
  const command = has('docker-compose', 'docker-compose') ? 'docker-compose' : '';
  if (command === '') return skip('docker-compose.yml', 'docker-compose', 'docker-compose');
  for (const profile of ['', 'cluster', 'tls', 'monitoring']) {
    const args = [...(profile === '' ? [] : ['--profile', profile]), 'config', '-q'];
    report(`docker-compose.yml${profile === '' ? '' : `, profile ${profile}`}`, run(command, args));
  }
}

function kubernetes() {
  if (!has('kubectl', 'kubernetes-client')) return skip('deploy/kubernetes', 'kubectl', 'kubernetes-client');
  for (const name of ['base', 'overlays/single', 'overlays/production']) {
    const built = run('kubectl', ['kustomize', `deploy/kubernetes/${name}`]);
    report(`deploy/kubernetes/${name}: kubectl kustomize`, built);
    if (built.status === 0) kubernetesDocuments(`deploy/kubernetes/${name}`, readDocuments(built.stdout));
  }
}

/** @param {string} name @param {import('./check-deploy.kubernetes.mjs').KubernetesDocument[]} documents */
function kubernetesDocuments(name, documents) {
  const { problems, unchecked } = checkDocuments(documents);
  const typed = documents.length - unchecked.length;
  reportProblems(
    `${name}: fields of ${typed} documents by ${TYPES_NAME} (words of enumerations are not checked)`,
    problems,
  );
  for (const document of unchecked) notChecked(`${name}: ${document}`, 'no schema of this kind here');
  const environment = environmentOf(documents);
  for (const key of Object.keys(environment).filter((each) => each.endsWith('_FILE'))) {
    environment[key] = join(folder, 'secret');
    writeFileSync(environment[key], 'redis://redis.example:6379');
  }
  report(`${name}: its settings, by relay config`, relayConfig(environment));
}

function systemd() {
  if (!has('systemd-analyze', 'systemd')) return skip('deploy/systemd', 'systemd-analyze', 'systemd');
  // The program it starts is not installed here.
  const unit = join(folder, 'relay.service');
  const text = readFileSync(join(root, 'deploy/systemd/relay.service'), 'utf8');
  writeFileSync(unit, text.replace('/usr/bin/node', process.execPath));
  const result = run('systemd-analyze', ['verify', '--man=no', unit]);
  const complaints = result.stderr.split('\n').filter((line) => line.includes('relay.service'));
  report('deploy/systemd/relay.service', { ...result, status: complaints.length === 0 ? result.status : 1 });
}

/** Debian's Caddy 2.6 does not know stream_close_delay (2.7): there that line is left out. */
function caddy() {
  const files = ['deploy/compose/Caddyfile', 'deploy/tls/Caddyfile', 'deploy/proxies/Caddyfile'];
  if (!has('caddy', 'caddy')) return skip(files.join(', '), 'caddy', 'caddy');
  const [, minor = '0'] = /v?2\.(\d+)/.exec(run('caddy', ['version']).stdout) ?? [];
  for (const file of files) {
    const text = readFileSync(join(root, file), 'utf8');
    const copy = join(folder, 'Caddyfile');
    writeFileSync(copy, Number(minor) < 7 ? text.replace(/^\s*stream_close_delay.*\n/m, '') : text);
    const env = { DOMAIN: 'relay.example', XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
    report(file, run('caddy', ['validate', '--adapter', 'caddyfile', '--config', copy], env));
  }
}

function nginx() {
  if (!has('nginx', 'nginx-light')) return skip('deploy/proxies/nginx.conf', 'nginx', 'nginx-light');
  const [key, certificate] = [join(folder, 'privkey.pem'), join(folder, 'fullchain.pem')];
  const made = run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-subj',
    '/CN=relay.example',
    '-days',
    '1',
    '-keyout',
    key,
    '-out',
    certificate,
  ]);
  if (made.status !== 0) return skip('deploy/proxies/nginx.conf', 'openssl', 'openssl');
  const text = readFileSync(join(root, 'deploy/proxies/nginx.conf'), 'utf8');
  const copy = join(folder, 'nginx.conf');
  writeFileSync(copy, text.replaceAll('/etc/ssl/relay', folder).replace('/run/nginx-relay.pid', join(folder, 'pid')));
  report('deploy/proxies/nginx.conf', run('nginx', ['-t', '-q', '-c', copy]));
}

function prometheus() {
  if (!has('promtool', 'prometheus')) return skip('deploy/monitoring', 'promtool', 'prometheus');
  report('deploy/monitoring/prometheus.yml', run('promtool', ['check', 'config', 'deploy/monitoring/prometheus.yml']));
  report('deploy/monitoring/alerts.test.yml', run('promtool', ['test', 'rules', 'deploy/monitoring/alerts.test.yml']));
}

/** With the recipes as they are, where the proxies are installed; it says which are not. */
function proxies() {
  if (run('sh', ['-c', 'command -v redis-server']).status !== 0)
    return skip('two relays behind the proxies', 'redis-server', 'redis-server');
  const result = run(process.execPath, ['test/drill/proxies.mjs'], {}, PROXIES_WITHIN_MS);
  report('two relays behind Caddy and nginx: spread, stay, move', result);
  console.log(result.stdout.replace(/^/gm, '      ').trimEnd());
  skipped += result.stdout.match(/^skip/gm)?.length ?? 0;
}

/** The steps of the Dockerfile, by hand, in a clean folder: what is not copied there is not there. */
async function image() {
  const at = join(folder, 'image');
  mkdirSync(at);
  for (const name of [
    'package.json',
    'package-lock.json',
    '.npmrc',
    'protocol/package.json',
    'protocol/dist',
    'dist',
  ]) {
    cpSync(join(root, name), join(at, name), { recursive: true });
  }
  const installed = spawnSync('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: at,
    encoding: 'utf8',
    timeout: INSTALL_WITHIN_MS,
  });
  if (installed.status !== 0) return report('image: npm ci --omit=dev', installed);
  const script = `
    node dist/cli.js start & pid=$!
    for i in $(seq 100); do node dist/cli.js health --ready 2>/dev/null && break; done
    node dist/cli.js health --ready; well=$?
    kill -TERM $pid; wait $pid; ended=$?
    [ $well = 0 ] && [ $ended = 0 ]`;
  const env = {
    ...process.env,
    NODE_ENV: 'production',
    AUTH_MODE: 'open',
    HOST: '127.0.0.1',
    // Below those that outgoing connections get.
    PORT: String(await freePort(new Random(randomInt(2 ** 31)))),
    METRICS_PORT: '0',
  };
  report(
    'image: listens, is ready, and ends in order',
    spawnSync('sh', ['-c', script], { cwd: at, encoding: 'utf8', timeout: CHECK_WITHIN_MS, env }),
  );
}

/** Not by the platforms' programs, which want an account. */
async function platforms() {
  const defaults = relayConfig({});
  if (defaults.status !== 0) return report('relay config', defaults);
  /** @type {{ name: string, value: number }[]} */
  const settings = JSON.parse(defaults.stdout);
  const setting = (/** @type {string} */ name) => Number(settings.find((each) => each.name === name)?.value);
  /** @type {{ LAST_RESORT_SECONDS: number }} */
  const { LAST_RESORT_SECONDS } = await import(pathToFileURL(join(root, 'dist/app/stopping.js')).href);
  const relay = { port: setting('PORT'), stopsWithinSeconds: setting('DRAIN_SECONDS') + LAST_RESORT_SECONDS };
  for (const file of PLATFORM_FILES) {
    const { problems, environment } = checkPlatform(file, readFileSync(join(root, file), 'utf8'), relay);
    reportProblems(`${file}: reads, and has the keys and values that we rely on`, problems);
    if (problems.length === 0) report(`${file}: its settings, by relay config`, relayConfig(environment));
  }
  notChecked(
    PLATFORM_FILES.join(', '),
    "the platform's own word: its schema is in no package, its program wants an account",
  );
}

const checks = { compose, kubernetes, systemd, caddy, nginx, prometheus, image, proxies, platforms };
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in checks));
if (unknown.length > 0) throw new Error(`no check ${unknown.join(', ')}; there are ${Object.keys(checks).join(', ')}`);

try {
  for (const [name, check] of Object.entries(checks)) {
    if (wanted.length === 0 || wanted.includes(name)) await check();
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${failed} wrong, ${skipped} not checked`);
process.exit(failed === 0 ? 0 : 1);
