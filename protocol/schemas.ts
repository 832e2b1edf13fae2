import { ERRORS } from './errors.js';
import type { ClientFrame, ServerFrame } from './frames.js';
import { SCHEMES } from './identity.js';
import { LIMITS } from './limits.js';

/** As much of JSON Schema (draft 2020-12) as the frames need. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly not?: Schema;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly dependentRequired?: Readonly<Record<string, readonly string[]>>;
}

export interface FrameSchema {
  readonly summary: string;
  readonly schema: Schema;
  readonly example: Readonly<Record<string, unknown>>;
}

const text = (description: string, more: Schema = {}): Schema => ({ type: 'string', description, ...more });
const flag = (description: string): Schema => ({ type: 'boolean', description });
const count = (description: string, more: Schema = {}): Schema => {
  return { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description, ...more };
};

const time = (description: string): Schema => count(`${description}, ms since 1970`);
const address = (description: string): Schema => {
  return text(description, { pattern: '^0x[0-9a-fA-F]{40}$', not: { const: `0x${'0'.repeat(40)}` } });
};
const messageId = text("The sender's name for the message: 1 to 128 printable ASCII characters", {
  pattern: `^[ -~]{1,${LIMITS.messageIdLength}}$`,
});
const entryId = (description: string): Schema => text(description, { pattern: '^\\d{1,15}-\\d{1,15}$' });
const addresses: Schema = {
  type: 'array',
  description: 'Addresses',
  items: address('An address'),
  maxItems: LIMITS.addressesPerRequest,
};

/** `optional` names the properties that may be left out. */
function frame(type: string, properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  const required = ['type', ...Object.keys(properties).filter((name) => !optional.includes(name))];
  return { type: 'object', required, properties: { type: { const: type }, ...properties } };
}

const BOB = '0xb0b0000000000000000000000000000000000002';
const ALICE = '0xa11ce00000000000000000000000000000000001';
const NOW = 1767225600000;
const SIGNATURE = `0x${'1f'.repeat(65)}`;

/** What clients send, as `decodeClientFrame` takes it: a test compares the two. Fields that are not named are ignored. */
export const CLIENT_SCHEMAS: Readonly<Record<ClientFrame['type'], FrameSchema>> = {
  auth: {
    summary: 'Opens a connection of the first protocol or, with a proof, answers a challenge',
    schema: {
      ...frame(
        'auth',
        {
          address: address('Who signs in'),
          scheme: { enum: SCHEMES, description: 'How the nonce of the challenge was signed' },
          signature: text('65 bytes r, s, v', { pattern: '^0x[0-9a-fA-F]{130}$' }),
        },
        ['scheme', 'signature'],
      ),
      dependentRequired: { scheme: ['signature'], signature: ['scheme'] },
    },
    example: { type: 'auth', address: BOB, scheme: 'eip191', signature: SIGNATURE },
  },
  hello: {
    summary: 'Opens a connection of version 2, for one device of an address',
    schema: frame(
      'hello',
      {
        v: { const: 2, description: 'Version of the protocol' },
        address: address('Who signs in'),
        deviceId: text('The installation of the client, made once and kept', {
          pattern: '^[A-Za-z0-9_-]{1,64}$',
          not: { const: 'classic' },
        }),
        token: text('Of an earlier sign-in of this device', { pattern: '^[!-~]{1,512}$' }),
        challenge: flag('Wants to prove the address also where the relay would believe it'),
        window: count('Entries that may be unacknowledged at a time', { minimum: 1, maximum: LIMITS.maxWindowEntries }),
      },
      ['token', 'challenge', 'window'],
    ),
    example: { type: 'hello', v: 2, address: BOB, deviceId: 'phone-1', window: 64 },
  },
  message: {
    summary: 'Sends ciphertext to an address',
    schema: frame(
      'message',
      {
        to: address('The recipient'),
        content: text('Opaque to the relay; as large as the frame allows', { minLength: 1 }),
        messageId,
        timestamp: time("The sender's time; the relay's where it is missing"),
        ttlSeconds: count('How long it may wait, if that is less than the retention', { minimum: 1 }),
        ephemeral: flag('For whoever is connected now, never stored'),
      },
      ['timestamp', 'ttlSeconds', 'ephemeral'],
    ),
    example: { type: 'message', to: BOB, content: '<ciphertext>', messageId: 'm-17', timestamp: NOW },
  },
  ack: {
    summary: 'Version 2: everything up to that entry is saved',
    schema: frame('ack', { upTo: entryId('The id of an entry; cumulative') }),
    example: { type: 'ack', upTo: `${NOW}-3` },
  },
  history: {
    summary: 'Asks for messages that are still kept, newest first',
    schema: frame(
      'history',
      {
        before: { ...entryId('The `next` of the page before'), type: ['string', 'null'] },
        limit: count('Messages at most', { minimum: 1, maximum: LIMITS.pageSize }),
      },
      ['before', 'limit'],
    ),
    example: { type: 'history', limit: 50 },
  },
  typing: {
    summary: 'Tells that somebody is typing; never stored',
    schema: frame('typing', { to: address('Who is told'), isTyping: flag('Whether it began or ended') }),
    example: { type: 'typing', to: BOB, isTyping: true },
  },
  read_receipt: {
    summary: 'Tells the sender that a message was read',
    schema: frame('read_receipt', { to: address('Who sent the message'), messageId }),
    example: { type: 'read_receipt', to: ALICE, messageId: 'm-17' },
  },
  signal: {
    summary: 'For setting up calls and keys; never stored',
    schema: frame('signal', {
      to: address('Who is told'),
      data: text(`At most ${LIMITS.signalBytes} bytes in UTF-8`, { maxLength: LIMITS.signalBytes }),
    }),
    example: { type: 'signal', to: BOB, data: 'v=0' },
  },
  subscribe_presence: {
    summary: 'Asks who is online, now and from now on',
    schema: frame('subscribe_presence', { addresses }),
    example: { type: 'subscribe_presence', addresses: [BOB] },
  },
  unsubscribe_presence: {
    summary: 'Ends subscriptions',
    schema: frame('unsubscribe_presence', { addresses }),
    example: { type: 'unsubscribe_presence', addresses: [BOB] },
  },
  set_presence: {
    summary: 'Hides oneself, or shows oneself again',
    schema: frame('set_presence', { visible: flag('Whether others see when one is online') }),
    example: { type: 'set_presence', visible: false },
  },
  ping: {
    summary: 'Keeps proxies awake; answered with `pong`',
    schema: frame('ping', {}),
    example: { type: 'ping' },
  },
};

const timestamp = time('When it happened');
const receiptId = entryId(
  'Of the entry, where the receipt comes out of the mailbox: to be acknowledged like a message',
);

/** What the relay sends. Clients ignore types and fields that they do not know: later versions add some. */
export const SERVER_SCHEMAS: Readonly<Record<ServerFrame['type'] | 'queued' | 'delivered' | 'message', FrameSchema>> = {
  challenge: {
    summary: 'Asks for a proof: sign the nonce, if it names this relay, and answer with `auth`',
    schema: frame('challenge', {
      nonce: text('relay:signin-<domain>-<address>-<expiry, s>-<128 random bits in hex>'),
      expiresAt: time('Until when it may be answered'),
    }),
    example: {
      type: 'challenge',
      nonce: `relay:signin-relay.example-${BOB}-1767225720-${'0a'.repeat(16)}`,
      expiresAt: NOW + 120_000,
    },
  },
  auth_success: {
    summary: 'Signed in; with everything beyond `timestamp` on connections of version 2 only',
    schema: frame(
      'auth_success',
      {
        address: address('Who signed in'),
        timestamp: time("The relay's time"),
        v: { const: 2 },
        deviceId: text('As in `hello`'),
        sessionId: text('Names this connection in logs'),
        token: text('After a proof: opens the device again without one. Secret'),
        tokenExpiresAt: time('Until when, if it is not used before'),
        limits: {
          type: 'object',
          required: ['maxFrameBytes', 'window', 'maxOfflineMessages', 'retentionHours'],
          properties: {
            maxFrameBytes: count('Of a frame'),
            window: count('Entries that may be unacknowledged'),
            maxOfflineMessages: count('Messages that wait in one mailbox'),
            retentionHours: { type: 'number', description: 'How long a message waits' },
          },
        },
        pending: count('Entries that wait for this device'),
      },
      ['v', 'deviceId', 'sessionId', 'token', 'tokenExpiresAt', 'limits', 'pending'],
    ),
    example: {
      type: 'auth_success',
      address: BOB,
      timestamp: NOW,
      v: 2,
      deviceId: 'phone-1',
      sessionId: 'xK3-17',
      limits: { maxFrameBytes: 131072, window: 64, maxOfflineMessages: 1000, retentionHours: 168 },
      pending: 3,
    },
  },
  sync_complete: {
    summary: 'Version 2: everything that waited at the sign-in has been sent',
    schema: frame('sync_complete', { upTo: { ...entryId('The last entry'), type: ['string', 'null'] } }),
    example: { type: 'sync_complete', upTo: `${NOW}-3` },
  },
  message: {
    summary: 'A message for this address',
    schema: frame(
      'message',
      {
        from: address('The sender'),
        content: text('As it was sent'),
        messageId,
        timestamp: time("The sender's time"),
        queued: { const: true, description: 'It waited before this connection could get it' },
        id: entryId('To be acknowledged; missing for an ephemeral message'),
      },
      ['queued', 'id'],
    ),
    example: {
      type: 'message',
      from: ALICE,
      content: '<ciphertext>',
      messageId: 'm-17',
      timestamp: NOW,
      queued: true,
      id: `${NOW}-3`,
    },
  },
  queued: {
    summary: 'Verdict: stored, and nobody has acknowledged it yet',
    schema: frame('queued', { messageId, to: address('The recipient'), timestamp }),
    example: { type: 'queued', messageId: 'm-17', to: BOB, timestamp: NOW },
  },
  delivered: {
    summary: 'Verdict or receipt: a device of the recipient has it',
    schema: frame('delivered', { messageId, to: address('The recipient'), timestamp, id: receiptId }, ['id']),
    example: { type: 'delivered', messageId: 'm-17', to: BOB, timestamp: NOW },
  },
  read: {
    summary: 'Receipt: the recipient says that it has read the message',
    schema: frame('read', { from: address('Who has read it'), messageId, timestamp, id: receiptId }, ['id']),
    example: { type: 'read', from: BOB, messageId: 'm-17', timestamp: NOW },
  },
  expired: {
    summary: 'Receipt: nobody had it when its time ended',
    schema: frame('expired', { messageId, to: address('The recipient'), id: receiptId }, ['id']),
    example: { type: 'expired', messageId: 'm-17', to: BOB },
  },
  gap: {
    summary: 'Entries are missing here',
    schema: frame('gap', { reason: { enum: ['expired', 'dropped'] }, count: count('How many') }),
    example: { type: 'gap', reason: 'expired', count: 2 },
  },
  typing: {
    summary: 'Somebody is typing',
    schema: frame('typing', { from: address('Who'), isTyping: flag('Whether it began or ended') }),
    example: { type: 'typing', from: ALICE, isTyping: true },
  },
  signal: {
    summary: 'What somebody sent with `signal`',
    schema: frame('signal', { from: address('Who'), data: text('As it was sent') }),
    example: { type: 'signal', from: ALICE, data: 'v=0' },
  },
  presence: {
    summary: 'Whether a subscribed address is online',
    schema: frame(
      'presence',
      {
        address: address('Of whom'),
        status: { enum: ['online', 'offline'] },
        lastSeen: time('When it was last online'),
      },
      ['lastSeen'],
    ),
    example: { type: 'presence', address: BOB, status: 'offline', lastSeen: NOW },
  },
  history: {
    summary: 'A page of messages that are still kept',
    schema: frame('history', {
      entries: { type: 'array', items: { type: 'object' }, description: 'As `message` frames, newest first' },
      next: { ...entryId('Pass as `before` for older ones; null at the end'), type: ['string', 'null'] },
    }),
    example: { type: 'history', entries: [], next: null },
  },
  key_changed: {
    summary: "One's own public key was replaced or deleted, whoever did it",
    schema: frame(
      'key_changed',
      { address: address("One's own"), updatedAt: time('When'), version: count('Of a signed key') },
      ['version'],
    ),
    example: { type: 'key_changed', address: BOB, updatedAt: NOW, version: 2 },
  },
  session_opened: {
    summary: "A browser got a session of one's own address by a link that a wallet confirmed, whoever made the link",
    schema: frame('session_opened', {
      address: address("One's own"),
      deviceId: { type: 'string', description: 'Which device the browser is; `DELETE /api/devices/:deviceId` ends it' },
      openedAt: time('When'),
    }),
    example: { type: 'session_opened', address: BOB, deviceId: 'browser-x7', openedAt: NOW },
  },
  pong: {
    summary: 'Answers `ping`',
    schema: frame('pong', { timestamp: time("The relay's time") }),
    example: { type: 'pong', timestamp: NOW },
  },
  going_away: {
    summary: 'The relay is about to close this connection with 1012',
    schema: frame('going_away', { reconnectAfterMs: count('When to connect again, ms') }),
    example: { type: 'going_away', reconnectAfterMs: 800 },
  },
  error: {
    summary: 'Something was refused or failed',
    schema: frame(
      'error',
      {
        code: { enum: Object.keys(ERRORS), description: 'For programs' },
        message: text('For people'),
        messageId,
        outcome: {
          enum: ['refused', 'unknown'],
          description: 'Of a send: surely not stored, or to be asked again with the same id',
        },
        retryable: flag('Whether the same may succeed later'),
        retryAfterMs: count('When, ms'),
      },
      ['messageId', 'outcome', 'retryAfterMs'],
    ),
    example: {
      type: 'error',
      code: 'mailbox_full',
      message: ERRORS.mailbox_full.text,
      messageId: 'm-17',
      outcome: 'refused',
      retryable: true,
    },
  },
};
