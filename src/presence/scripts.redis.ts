import { readFileSync } from 'node:fs';
import type { Script } from '../redis/redis-client.redis.js';

const script = (name: string): Script => ({
  name: `presence-${name}`,
  lua: readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8'),
});

export const RENEW = script('renew');
export const CLAIM = script('claim');
export const KEEP_CLAIM = script('keep-claim');
export const ENLIST = script('enlist');
export const ARRIVE = script('arrive');
export const DEPART = script('depart');
export const SET_VISIBLE = script('set-visible');
