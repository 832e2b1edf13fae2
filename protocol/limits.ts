/** Bounds that are part of the protocol. Those an operator may move are settings (`common/settings.ts`), not here. */
export const LIMITS = {
  /** A stranger may make the relay buffer no more than this. */
  frameBytesBeforeSignIn: 4096,
  messageIdLength: 128,
  signalBytes: 16 * 1024,
  addressesPerRequest: 500,
  publicKeyLength: 4096,
  presenceSubscriptions: 500,
  pageSize: 100,
  /** Of contents; a page always has one entry. */
  pageBytes: 1024 * 1024,

  /** What may be sent on one connection and not yet acknowledged. */
  windowEntries: 64,
  /** What a client of version 2 may ask for. */
  maxWindowEntries: 1024,
  windowBytes: 1024 * 1024,
  /** Above this many bytes in a socket's buffer, the relay writes it no more entries and reads it no further. */
  socketBufferBytes: 1024 * 1024,
  /** Above this many, frames that are never stored are left out. One of the largest size always fits. */
  unstoredBufferBytes: 128 * 1024,

  authTimeoutMs: 5_000,
  /** A connection that sent nothing for this long is pinged, … */
  pingAfterMs: 25_000,
  /** … and ended when it stays silent this much longer. */
  pongWithinMs: 10_000,
  /** A connection that acknowledges nothing for this long, with entries outstanding, is ended. */
  stallMs: 60_000,
  /** How long a send waits for a connected recipient's acknowledgement before it is answered `queued`. */
  deliveredWithinMs: 300,
  /** Every send has its verdict by then. */
  verdictWithinMs: 10_000,

  badMessages: 5,
  badMessagesWindowMs: 10_000,
  /** Pings and frames of unknown type that one connection may send in a second; a send refused for its rate counts a tenth. */
  chatterPerSecond: 100,

  /** At least this many later messages must reach a mailbox before a messageId in it may be used again. */
  rememberedMessages: 512,
} as const;
