// @ts-check
/**
 * What is still owed while a run goes on, so that its end is known. The checker does not rely on it.
 *
 * @typedef {import('./history.mjs').Event} Event
 */
export class Owed {
  /** Devices that have not got a message that was accepted: message → how many. @type {Map<string, number>} */
  deliveries = new Map();
  /** Accepted, and its sender not told `delivered`. @type {Set<string>} */
  receipts = new Set();
  counts = { sends: 0, accepted: 0, handovers: 0 };
  lastMoveAt = 0;
  /** By connection. @type {Map<number, { address: string, device: string }>} */
  #identities = new Map();
  /** @type {Map<string, Set<string>>} */
  #devices = new Map();
  /** @type {Map<string, number>} */
  #handedOver = new Map();
  /** @type {Set<string>} */
  #sent = new Set();
  /** @type {Set<string>} */
  #accepted = new Set();
  /** @type {Set<string>} */
  #told = new Set();

  /** @param {Event} event */
  take(event) {
    if (event.kind === 'connect') this.#connected(event);
    else if (event.kind === 'open') this.#opened(event.connection);
    else if (event.kind === 'send') this.#sentIt(event.messageId);
    else if (event.kind === 'handover') this.#takeHandover(event);
    else if (event.kind === 'verdict' && event.verdict !== 'error')
      this.#takeAcceptance(event, event.to, event.verdict);
    else if (event.kind === 'receipt' && event.status !== 'expired')
      this.#takeAcceptance(event, event.peer, event.status);
  }

  /** @param {import('./history.mjs').ConnectEvent} event */
  #connected({ connection, address, device }) {
    this.#identities.set(connection, { address, device });
  }

  /** @param {string} messageId */
  #sentIt(messageId) {
    if (!this.#sent.has(messageId)) this.counts.sends++;
    this.#sent.add(messageId);
  }

  /** @param {number} connection */
  #opened(connection) {
    const identity = this.#identities.get(connection);
    if (identity === undefined) return;
    const devices = this.#devices.get(identity.address) ?? /** @type {Set<string>} */ (new Set());
    this.#devices.set(identity.address, devices.add(identity.device));
  }

  /** @type {(event: { t: number, messageId: string }, to: string, status: string) => void} */
  #takeAcceptance({ t, messageId }, to, status) {
    this.lastMoveAt = t;
    if (!this.#accepted.has(messageId)) this.#accept(to, messageId);
    if (status === 'queued' || this.#told.has(messageId)) return;
    this.#told.add(messageId);
    this.receipts.delete(messageId);
  }

  /** @type {(to: string, messageId: string) => void} */
  #accept(to, messageId) {
    this.#accepted.add(messageId);
    this.counts.accepted++;
    this.receipts.add(messageId);
    const left = (this.#devices.get(to)?.size ?? 1) - (this.#handedOver.get(messageId) ?? 0);
    if (left > 0) this.deliveries.set(messageId, left);
  }

  /** @param {import('./history.mjs').HandoverEvent} event */
  #takeHandover({ t, messageId }) {
    this.lastMoveAt = t;
    this.counts.handovers++;
    this.#handedOver.set(messageId, (this.#handedOver.get(messageId) ?? 0) + 1);
    const left = this.deliveries.get(messageId);
    if (left === undefined) return;
    if (left <= 1) this.deliveries.delete(messageId);
    else this.deliveries.set(messageId, left - 1);
  }
}
