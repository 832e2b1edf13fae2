import { readFileSync } from 'node:fs';
import type { Script } from '../redis/redis-client.redis.js';

const read = (name: string): string => readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');
const SHARED = read('mailbox');

/** Keys as mailbox.lua lists them. */
const onMailbox = (name: string, flags = ''): Script => ({
  name: `mailbox-${name}`,
  lua: `#!lua${flags}\n${SHARED}\n${read(name)}`,
  numberOfKeys: 6,
});

/** At its memory limit, Redis must still let clients in and take their acknowledgements: they make room. */
const MAKES_ROOM = ' flags=allow-oom';

export const APPEND = onMailbox('append');
export const APPEND_RECEIPTS = onMailbox('append-receipts');
export const OPEN = onMailbox('open', MAKES_ROOM);
export const ACKNOWLEDGE = onMailbox('acknowledge', MAKES_ROOM);
export const MARK_READ = onMailbox('mark-read', MAKES_ROOM);
export const CLEAR = onMailbox('clear', MAKES_ROOM);
export const EXPIRE = onMailbox('expire', MAKES_ROOM);
export const STATE: Script = { name: 'mailbox-state', lua: `#!lua flags=no-writes\n${read('state')}`, numberOfKeys: 1 };
export const OWED: Script = { name: 'mailbox-owed', lua: `#!lua flags=allow-oom\n${read('owed')}`, numberOfKeys: 1 };
