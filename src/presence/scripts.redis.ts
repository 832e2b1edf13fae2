import { scriptFile } from '../redis/script-file.redis.js';

export const RENEW = scriptFile(import.meta.url, 'renew', 'presence-renew');
export const CLAIM = scriptFile(import.meta.url, 'claim', 'presence-claim');
export const KEEP_CLAIM = scriptFile(import.meta.url, 'keep-claim', 'presence-keep-claim');
export const ENLIST = scriptFile(import.meta.url, 'enlist', 'presence-enlist');
export const ARRIVE = scriptFile(import.meta.url, 'arrive', 'presence-arrive');
export const DEPART = scriptFile(import.meta.url, 'depart', 'presence-depart');
export const SET_VISIBLE = scriptFile(import.meta.url, 'set-visible', 'presence-set-visible');
