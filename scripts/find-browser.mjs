// Which browser the browser tests and screenshots drive. Only Node's standard library: setup runs before there are packages.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The path of a Chromium: what CHROMIUM_PATH names, else the first on PATH; `null` where there is none. */
export function findBrowser(env = process.env) {
  const named = env.CHROMIUM_PATH ?? '';
  if (named !== '') return isProgram(named) ? named : null;
  const folders = (env.PATH ?? '').split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram) ?? null;
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
