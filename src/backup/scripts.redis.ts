import { readFileSync } from 'node:fs';
import { STATE_PLACES } from '../queue/scripts.redis.js';
import type { Script } from '../redis/redis-client.redis.js';

const read = (name: string): string => {
  const lua = readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');
  return STATE_PLACES.reduce((text, place, i) => text.replaceAll(`[${place}]`, `[${i + 1}]`), lua);
};

export const READ_UNIT: Script = {
  name: 'read-unit',
  lua: `#!lua flags=no-writes\n${read('read-unit')}`,
  inBytes: true,
};
export const WRITE_UNIT: Script = { name: 'write-unit', lua: `#!lua\n${read('write-unit')}` };
export const WRITE_ENTRIES: Script = { name: 'write-entries', lua: `#!lua\n${read('write-entries')}` };
export const ADD_BANS: Script = { name: 'add-bans', lua: `#!lua\n${read('add-bans')}` };
export const ADD_BUCKET: Script = { name: 'add-bucket', lua: `#!lua\n${read('add-bucket')}` };
/** Never back: `StoreClock`. */
export const ADVANCE_CLOCK: Script = {
  name: 'advance-clock',
  lua: `#!lua
if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or 0) then redis.call('SET', KEYS[1], ARGV[1]) end`,
};
