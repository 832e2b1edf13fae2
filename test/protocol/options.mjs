import { parseArgs } from 'node:util';

export const USAGE = `Is it a relay? Is it a client? Checks what docs/protocol.md says, from outside.

  npm run test:protocol -- --url ws://localhost:3002            a relay
  npm run test:protocol -- --url … --client "dart run me.dart"  a client, against that relay

  --url URL           ws:// or wss:// of the relay
  --version 1|2       of the protocol; both where the relay has both
  --auth open|signed  what the relay must say it is
  --client COMMAND    drive this client instead; see docs/other-languages.md
  --only TEXT         cases whose section or name contains it
  --slow              also those that take a quarter of a minute or more
  --list              the cases, without trying them
  --json              one object: counts and every case
  --help

Exit code: 0 all that was tried holds, 1 something does not, 2 usage, 69 no relay there.`;

/**
 * @typedef {object} Options
 * @property {string} url
 * @property {readonly (1 | 2)[]} versions
 * @property {'open' | 'signed' | undefined} auth
 * @property {string | undefined} client
 * @property {string} only
 * @property {boolean} slow
 * @property {boolean} list
 * @property {boolean} json
 * @property {boolean} help
 */

/** Throws a TypeError that says what is wrong. @param {string[]} args @returns {Options} */
export function readOptions(args) {
  const text = /** @type {const} */ ({ type: 'string' });
  const flag = /** @type {const} */ ({ type: 'boolean', default: false });
  const { values } = parseArgs({
    args,
    options: {
      url: text,
      version: text,
      auth: text,
      client: text,
      only: text,
      slow: flag,
      list: flag,
      json: flag,
      help: flag,
    },
  });
  const { url = '', version, auth, only = '' } = values;
  if (!values.help && !values.list && !/^wss?:\/\//.test(url)) throw new TypeError('--url must be ws:// or wss://');
  if (version !== undefined && version !== '1' && version !== '2') throw new TypeError('--version must be 1 or 2');
  if (auth !== undefined && auth !== 'open' && auth !== 'signed') throw new TypeError('--auth must be open or signed');
  const versions =
    version === undefined
      ? /** @type {const} */ ([1, 2])
      : version === '1'
        ? /** @type {const} */ ([1])
        : /** @type {const} */ ([2]);
  return { ...values, url, versions, auth, only, client: values.client };
}
