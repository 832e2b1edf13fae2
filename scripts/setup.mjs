// What `npm start` and `npm test` need on a fresh machine: packages and a build. Runs before both; does nothing where there is nothing to do.
// Only Node's standard library: there may be no packages yet.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const MINIMUM_NODE = [20, 19];

checkNode();
if (packagesAreStale()) installPackages();
if (buildIsStale()) run('npm', ['run', '--silent', 'build'], 'Building');

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = MINIMUM_NODE;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  fail(`Node ${MINIMUM_NODE.join('.')} or newer is needed; this is ${process.versions.node}.`);
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
  const outputs = ['dist/main.js', 'protocol/dist/index.js'].map((file) => join(root, file));
  if (!outputs.every(existsSync)) return true;
  const builtAt = Math.min(...outputs.map((file) => statSync(file).mtimeMs));
  const inputs = ['src', 'protocol', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
  return inputs.some((input) => newestIn(join(root, input)) > builtAt);
}

/** @param {string} path @returns {number} */
function newestIn(path) {
  const entry = statSync(path);
  if (!entry.isDirectory()) return entry.mtimeMs;
  const names = readdirSync(path).filter((name) => name !== 'dist' && name !== 'node_modules');
  return Math.max(entry.mtimeMs, ...names.map((name) => newestIn(join(path, name))));
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
