import { readFileSync } from 'node:fs';
import { STATE_PLACES } from '../queue/scripts.redis.js';
import type { Script } from '../redis/redis-client.redis.js';

const read = (name: string): string => {
  const lua = readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');
  return STATE_PLACES.reduce((text, place, i) => text.replaceAll(`[${place}]`, `[${i + 1}]`), lua);
};

/** A script's number of keys is fixed; so there is one for each number, all with the same text. */
function byNumberOfKeys(name: string, lua: string, inBytes: boolean): (numberOfKeys: number) => Script {
  const scripts = new Map<number, Script>();
  return (numberOfKeys) => {
    let script = scripts.get(numberOfKeys);
    if (script === undefined) scripts.set(numberOfKeys, (script = { name, lua, numberOfKeys, inBytes }));
    return script;
  };
}

export const readUnit = byNumberOfKeys('read-unit', `#!lua flags=no-writes\n${read('read-unit')}`, true);
export const writeUnit = byNumberOfKeys('write-unit', `#!lua\n${read('write-unit')}`, false);
export const WRITE_ENTRIES: Script = { name: 'write-entries', lua: `#!lua\n${read('write-entries')}`, numberOfKeys: 1 };
export const ADD_BUCKET: Script = { name: 'add-bucket', lua: `#!lua\n${read('add-bucket')}`, numberOfKeys: 3 };
/** Never back: `StoreClock`. */
export const ADVANCE_CLOCK: Script = {
  name: 'advance-clock',
  lua: `#!lua
if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or 0) then redis.call('SET', KEYS[1], ARGV[1]) end`,
  numberOfKeys: 1,
};
