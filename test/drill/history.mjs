// @ts-check
import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';

/**
 * What clients saw, on one monotonic clock. `t` is in ms since the start of the run; a `connection` is one attempt to connect,
 * whatever came of it. Times may be compared across clients because all of them live in one process.
 *
 * @typedef {'client' | 'node' | 'store' | 'wake-ups'} Touched
 * @typedef {{ t: number, kind: 'connect', connection: number, address: string, device: string, protocol: 1 | 2, node: string }} ConnectEvent
 * @typedef {{ t: number, kind: 'open', connection: number }} OpenEvent  signed in
 * @typedef {{ t: number, kind: 'close', connection: number, code: number, by: 'client' | 'relay' }} CloseEvent
 * @typedef {{ t: number, kind: 'send', connection: number, from: string, to: string, messageId: string, hash: string }} SendEvent
 * @typedef {{ t: number, kind: 'verdict', connection: number, from: string, to: string, messageId: string, verdict: 'queued' | 'delivered' | 'error', code: string | null, outcome: string | null }} VerdictEvent
 * @typedef {{ t: number, kind: 'receive', connection: number, id: string, from: string, messageId: string, hash: string }} ReceiveEvent  by the WebSocket stack; for a classic client that acknowledges
 * @typedef {{ t: number, kind: 'handover', address: string, device: string, id: string, from: string, messageId: string }} HandoverEvent  to the application
 * @typedef {{ t: number, kind: 'ack', connection: number, upTo: string }} AckEvent
 * @typedef {{ t: number, kind: 'receipt', connection: number, status: 'queued' | 'delivered' | 'read' | 'expired', peer: string, messageId: string, id: string | null }} ReceiptEvent  a status that answers no send; `peer` is whom the message went to, `id` the entry it waited as
 * @typedef {{ t: number, kind: 'read', connection: number, from: string, messageId: string }} ReadEvent  the recipient says that it has read what `from` sent
 * @typedef {{ t: number, kind: 'gap', connection: number, reason: string, count: number }} GapEvent
 * @typedef {{ t: number, kind: 'error', connection: number, code: string }} ErrorEvent  an error that answers no send
 * @typedef {{ t: number, kind: 'roundtrip', connection: number, sentAt: number }} RoundTripEvent
 * @typedef {{ t: number, kind: 'fault', what: string, target: string, from: number, to: number, touches: Touched, result: string }} FaultEvent  recorded when it is over
 * @typedef {{ t: number, kind: 'contest', address: string, device: string, survivors: number, silent: number, codes: number[] }} ContestEvent  one device connected many times at once; `silent`: open, but their node says nothing
 * @typedef {{ t: number, kind: 'ended', process: string, exit: string }} EndedEvent  a process that nobody had told to end
 * @typedef {{ t: number, kind: 'size', address: string, size: number }} SizeEvent  what the store still holds for an address
 * @typedef {{ t: number, kind: 'layout' } & import('./next-build.mjs').Layout} LayoutEvent  what is left of the fields that only the next version knows
 * @typedef {{ t: number, kind: 'audit', differences: string[] }} AuditEvent  what `relay verify` found
 *
 * @typedef {ConnectEvent | OpenEvent | CloseEvent | SendEvent | VerdictEvent | ReceiveEvent | HandoverEvent | AckEvent | ReceiptEvent | ReadEvent | GapEvent
 *   | ErrorEvent | RoundTripEvent | FaultEvent | ContestEvent | EndedEvent | SizeEvent | LayoutEvent | AuditEvent} Event
 * @typedef {Event extends infer E ? E extends Event ? Omit<E, 't'> : never : never} NewEvent
 */

/** The close code of a link that its client left because nothing came any more. */
export const GIVEN_UP = 0;

/** The recorder. */
export class History {
  /** @type {Event[]} */
  events = [];
  /** @type {((event: Event) => void)[]} */
  listeners = [];
  #startedAt = performance.now();
  #connections = 0;

  now() {
    return Math.round((performance.now() - this.#startedAt) * 1000) / 1000;
  }

  nextConnection() {
    return ++this.#connections;
  }

  /** @param {NewEvent} event */
  add(event) {
    const timed = /** @type {Event} */ ({ t: this.now(), ...event });
    this.events.push(timed);
    for (const listen of this.listeners) listen(timed);
  }

  /** One event a line. */
  *lines() {
    for (const event of this.events) yield `${JSON.stringify(event)}\n`;
  }
}

/** Stands for a content in the history. @param {string} content */
export function hashOf(content) {
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}
