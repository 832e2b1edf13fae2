// What `npm start`, `npm test` and `npm run bench` need on a fresh machine: packages and a build; tests also a Redis server, a
// browser, shells and a broker, measurements a Redis server and a broker, which they start themselves.
// Runs before each of them; does nothing where there is nothing to do.
// Only Node's standard library: there may be no packages yet.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBrowser } from './find-browser.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const MINIMUM_NODE = [20, 19];
const MINIMUM_REDIS = [7, 0];
/** Whether apt knows what there is. */
let isUpdated = false;

checkNode();
if (['pretest', 'setup:test'].includes(process.env.npm_lifecycle_event ?? '')) {
  ensureRedis();
  ensureBrowser();
  ensureShells();
  ensureBroker();
}
if (process.env.npm_lifecycle_event === 'prebench') ensureCompared();
if (packagesAreStale()) installPackages();
if (buildIsStale()) run('npm', ['run', '--silent', 'build'], 'Building');

function checkNode() {
  if (isAtLeast(process.versions.node, MINIMUM_NODE)) return;
  fail(`Node ${MINIMUM_NODE.join('.')} or newer is needed; this is ${process.versions.node}.`);
}

/** @param {string} version @param {number[]} minimum */
function isAtLeast(version, [wantedMajor = 0, wantedMinor = 0]) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function ensureRedis() {
  // One that is too old may be in use: it is not ours to replace.
  if (redisVersions().length === 0) installRedis();
  if (!redisVersions().some((version) => isAtLeast(version, MINIMUM_REDIS))) fail(redisHelp());
}

/** Valkey began at 7.2 and counts as a Redis. */
function redisVersions() {
  return ['redis-server', 'valkey-server'].flatMap((command) => {
    const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
    return / v=([\d.]+)/.exec(stdout ?? '')?.[1] ?? [];
  });
}

function installRedis() {
  const sudo = rootBy();
  if (sudo === null) fail(redisHelp());
  if (!install(sudo, ['redis-server'])) fail(redisHelp());
  stopService(sudo, 'redis-server');
}

/** Debian's packages; whether they are there now. @param {string[]} sudo @param {string[]} packages */
function install(sudo, packages) {
  process.stderr.write(`Installing ${packages.join(' and ')} …\n`);
  const command = [...apt(sudo), 'install', '-y', '--no-install-recommends', ...packages];
  return spawnSync('/usr/bin/env', command, { stdio: ['ignore', 2, 2] }).status === 0;
}

/** Debian starts what it installs; tests and measurements start their own. @param {string[]} sudo @param {string} name */
function stopService(sudo, name) {
  const hasSystemd = existsSync('/run/systemd/system');
  const stop = hasSystemd ? ['systemctl', 'disable', '--now', name] : ['service', name, 'stop'];
  const { status } = spawnSync('/usr/bin/env', [...sudo, ...stop], { stdio: ['ignore', 2, 2] });
  if (status !== 0)
    process.stderr.write(`The service ${name} may be running: \`${stop.join(' ')}\` ended with ${status}.\n`);
}

function redisHelp() {
  return [
    `Tests need redis-server ${MINIMUM_REDIS.join('.')} or newer (or valkey-server) on PATH. One of:`,
    '  sudo apt-get install redis-server    # Debian 12, Ubuntu 24.04 or newer',
    '  brew install redis',
    '  docker run --rm -v "$PWD":/relay -w /relay node:22-bookworm npm test',
  ].join('\n');
}

/** Only the browser tests need it: where it cannot be had, they say so, and everything else runs. */
function ensureBrowser() {
  if (findBrowser() !== null) return;
  const sudo = rootBy();
  // A browser without any font measures no text.
  if (sudo !== null) install(sudo, ['chromium', 'fonts-dejavu-core']);
  if (findBrowser() === null) process.stderr.write(`${browserHelp()}\n`);
}

/** Completion is tested in the shells that it is for. Where one cannot be had, its tests say so, and everything else runs. */
function ensureShells() {
  const missing = ['zsh', 'fish'].filter((shell) => spawnSync(shell, ['-c', ':']).status !== 0);
  const sudo = rootBy();
  if (missing.length > 0 && sudo !== null) install(sudo, missing);
}

/** The generator of the bench is tested against it, too. Where it cannot be had, those tests say so, and everything else runs. */
function ensureBroker() {
  const isThere = existsSync('/usr/sbin/mosquitto') || spawnSync('mosquitto', ['-h']).error === undefined;
  const sudo = rootBy();
  if (!isThere && sudo !== null && install(sudo, ['mosquitto'])) stopService(sudo, 'mosquitto');
}

/** What the relay is measured with and against. What cannot be had is left out there, and the report says so. */
function ensureCompared() {
  const sudo = rootBy();
  const hasRedis = redisVersions().length > 0;
  if (!hasRedis && sudo !== null && install(sudo, ['redis-server'])) stopService(sudo, 'redis-server');
  ensureBroker();
}

function browserHelp() {
  return [
    'Browser tests need Chromium on PATH, or CHROMIUM_PATH to name it; the other tests run without. One of:',
    '  sudo apt-get install chromium    # Debian',
    '  CHROMIUM_PATH="/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" npm test',
  ].join('\n');
}

/** What leads a command that root must run; only on Debian and its like, and only where no password is asked for: else `null`. */
function rootBy() {
  if (!existsSync('/usr/bin/apt-get')) return null;
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : null;
}

/** @param {string[]} sudo */
function apt(sudo) {
  const command = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', '-o', 'DPkg::Lock::Timeout=60'];
  // One broken source among many is no reason to stop; the installation tells.
  if (!isUpdated) spawnSync('/usr/bin/env', [...command, 'update'], { stdio: ['ignore', 2, 2] });
  isUpdated = true;
  return command;
}

function packagesAreStale() {
  const stamp = join(root, 'node_modules', '.setup-lock');
  return !existsSync(stamp) || readFileSync(stamp, 'utf8') !== lockHash();
}

function installPackages() {
  run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], 'Installing packages');
  writeFileSync(join(root, 'node_modules', '.setup-lock'), lockHash());
}

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

/** The built relay is older than what it is built from. */
function buildIsStale() {
  const built = ['dist/main.js', 'dist/web/demo/index.html', 'protocol/dist/index.js', 'client/dist/index.js'];
  const outputs = built.map((file) => join(root, file));
  if (!outputs.every(existsSync)) return true;
  const builtAt = Math.min(...outputs.map((file) => statSync(file).mtimeMs));
  const inputs = ['src', 'protocol', 'client', 'web', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
  return inputs.some((input) => newestIn(join(root, input)) > builtAt);
}

/** @param {string} path @returns {number} */
function newestIn(path) {
  const entry = statSync(path);
  if (!entry.isDirectory()) return entry.mtimeMs;
  const all = readdirSync(path);
  const names = all.filter((name) => name !== 'dist' && name !== 'node_modules');
  // A folder that a build writes into is newer than what the build began with.
  const own = all.includes('dist') ? 0 : entry.mtimeMs;
  return Math.max(own, ...names.map((name) => newestIn(join(path, name))));
}

/** @param {string} command @param {string[]} args @param {string} what */
function run(command, args, what) {
  process.stderr.write(`${what} …\n`);
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (error !== undefined) fail(`${what} failed: ${error.message}`);
  if (status !== 0) fail(`${what} failed: \`${command} ${args.join(' ')}\` ended with ${status}.`);
}

/** @param {string} message @returns {never} */
function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
