import { readFileSync } from 'node:fs';
import type { Script } from '../redis/redis-client.redis.js';
import { type MailboxLimits, NEARLY_FULL } from './queue.repository.js';

/**
 * Places in the packed state of a mailbox, from 1. `…_AT_TRIM` and `…_AT_FURTHEST` are the counts at those places of the log;
 * `HOLES` are messages that are missing between its first and its last. New ones go to the end and are numbers; 0 must mean
 * that nobody knows, for an older relay beside this one leaves them as they are (docs/decisions/0033).
 */
export const STATE_PLACES = [
  'LAST',
  'LAST_MS',
  'MESSAGES',
  'BYTES',
  'FURTHEST',
  'FURTHEST_MS',
  'MESSAGES_AT_FURTHEST',
  'BYTES_AT_FURTHEST',
  'PENDING',
  'PENDING_BYTES',
  'MESSAGES_AT_TRIM',
  'BYTES_AT_TRIM',
  'DROPPED',
  'DUE',
  'LATEST_DUE',
  'CLAIMS',
  'HAS_TTL',
  'HAS_SHARES',
  'HAS_LOST',
  'HAS_EARLY',
  'IS_MIXED',
  'HOLES',
  'HOLE_BYTES',
] as const;
/** Every version since the first has these; a state with fewer is damaged. Never raised. */
export const FIRST_PLACES = 23;

/** What the scripts of one relay go by; equal for all its nodes. */
export interface ScriptRules {
  /** How long the state of a mailbox outlives its last use. */
  readonly stateTtlMs: number;
  /** How long acknowledged entries are kept. */
  readonly historyMs: number;
}

/** Whoever runs a script that makes receipts due has them to itself for so long. */
const OWED_TO_CALLER_MS = 15_000;
/** How long a node that says nothing more is believed to be where it was. */
const PLACE_KEPT_MS = 300_000;
/** At its memory limit, Redis must still let clients in and take their acknowledgements: they make room. */
const MAKES_ROOM = ' flags=allow-oom';

const EVERYBODY_IS_KNOWN = -1;

const read = (name: string): string => readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');

/** The scripts on one mailbox, with numbers in place of names: constants of Lua's own would be set up anew in each call. */
export function mailboxScripts({ stateTtlMs, historyMs }: ScriptRules) {
  const constants: Record<string, number> = {
    STATE_TTL: stateTtlMs,
    HISTORY_MS: historyMs,
    OWED_TO_CALLER_MS,
    PLACE_KEPT_MS,
  };
  STATE_PLACES.forEach((name, i) => (constants[name] = i + 1));
  constants.STATE_SIZE = STATE_PLACES.length;
  constants.STATE_LEAST = FIRST_PLACES;
  const fill = (lua: string, more: Record<string, number> = {}): string => {
    const all = { ...constants, ...more };
    return lua.replace(/\b[A-Z][A-Z_]+\b/g, (name) => (name in all ? String(all[name]) : name));
  };
  const script = (name: string, lua: string, flags = ''): Script => {
    return { name: `mailbox-${name}`, lua: `#!lua${flags}\n${lua}` };
  };
  /** One whose keys and arguments are those of a call that has several. */
  const callable = (name: string, lua: string): string => `local function ${name}(KEYS, ARGV)\n${lua}\nend`;
  const shared = fill(`${read('mailbox')}\n${read('ghosts')}`);
  const onMailbox = (name: string, flags = ''): Script => script(name, `${shared}\n${fill(read(name))}`, flags);

  const append = (limits: MailboxLimits): Script => {
    const { maxMessages: MAX_MESSAGES, maxBytes: MAX_BYTES, senderShare: SENDER_SHARE, overflow } = limits;
    const MAX_STRANGER = limits.maxStrangerMessages ?? EVERYBODY_IS_KNOWN;
    const hasStrangers = MAX_STRANGER !== EVERYBODY_IS_KNOWN;
    const bounds = {
      MAX_MESSAGES,
      MAX_BYTES,
      SENDER_SHARE,
      MAX_STRANGER,
      // Up to here no sender and no strangers have too much, whoever they are.
      QUICK_MESSAGES: Math.min(MAX_MESSAGES / 2, ...(hasStrangers ? [MAX_STRANGER, MAX_MESSAGES * SENDER_SHARE] : [])),
      QUICK_BYTES: MAX_BYTES * Math.min(0.5, hasStrangers ? SENDER_SHARE : 1),
      NEARLY_FULL,
      DROPS_OLDEST: overflow === 'drop_oldest' ? 1 : 0,
    };
    const general = callable('generally', `${shared}\n${fill(read('append'), bounds)}`);
    const body = `${general}\n${fill(read('append-quickly'), bounds)}\n${read('append-many')}`;
    return script('append', body);
  };

  const acknowledge = callable(
    'acknowledge',
    `${fill(read('acknowledge-quickly'))}\n${shared}\n${fill(read('acknowledge'))}`,
  );

  return {
    /** One for each set of limits: mostly there is but one. */
    append,
    appendReceipts: onMailbox('append-receipts'),
    open: onMailbox('open', MAKES_ROOM),
    devices: script('devices', fill(read('devices')), ' flags=no-writes'),
    retire: onMailbox('retire', MAKES_ROOM),
    acknowledge: script('acknowledge', `${acknowledge}\n${read('acknowledge-many')}`, MAKES_ROOM),
    markRead: onMailbox('mark-read', MAKES_ROOM),
    clear: onMailbox('clear', MAKES_ROOM),
    expire: onMailbox('expire', MAKES_ROOM),
    state: script('state', fill(read('state')), ' flags=no-writes'),
    glance: script('glance', fill(read('glance')), ' flags=no-writes'),
    weigh: script('weigh', fill(read('weigh')), ' flags=no-writes'),
    owed: script('owed', read('owed'), MAKES_ROOM),
  };
}

export type MailboxScripts = ReturnType<typeof mailboxScripts>;
