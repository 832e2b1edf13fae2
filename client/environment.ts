/** Where time comes from, so that tests can move it. */
export interface Clock {
  /** Wall time, integer ms since 1970. */
  now(): number;
  /** Runs it once, after so long; what is returned calls it off. */
  after(delayMs: number, run: () => void): () => void;
}

export interface Random {
  /** From 0 to below 1; only spreads attempts. */
  fraction(): number;
  /** From a source fit for keys and ids. */
  bytes(length: number): Uint8Array;
}

export interface SocketEvent {
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
  /** Of an error: browsers tell nothing, Node and `ws` why nobody could be reached. */
  readonly error?: unknown;
}

/** As much of a WebSocket as is used: those of browsers, Node, React Native and `ws` have it. */
export interface Socket {
  send(text: string): void;
  close(code?: number): void;
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: SocketEvent) => void): void;
}

export type SocketConstructor = new (url: string) => Socket;
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** Everything that is not the client's own. */
export interface Environment {
  readonly clock: Clock;
  readonly random: Random;
  readonly WebSocket: SocketConstructor;
  readonly fetch: Fetch;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

export const systemRandom: Random = {
  fraction: () => Math.random(),
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};

/** What is not given comes from the platform. Throws where it has no WebSocket: Node below 22, without `@relay/client/node`. */
export function environmentOf(given: Partial<Environment> = {}): Environment {
  const WebSocket = given.WebSocket ?? globalThis.WebSocket;
  if (WebSocket === undefined) {
    throw new TypeError('no WebSocket here: pass one, or connect with @relay/client/node');
  }
  return {
    clock: given.clock ?? systemClock,
    random: given.random ?? systemRandom,
    WebSocket,
    // Called as a method of something else, a browser's fetch throws.
    fetch: given.fetch ?? ((url, init) => globalThis.fetch(url, init)),
  };
}

/** 128 random bits in hex: names devices and messages. */
export function randomId(random: Random): string {
  return Array.from(random.bytes(16), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
