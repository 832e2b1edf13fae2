// @ts-check
/**
 * An MQTT 3.1.1 client made for measuring: a persistent session (clean session 0), one subscription, everything at QoS 1.
 * Its payloads are the relay's `message` frames, so what arrives is recognised and checked as from any other server.
 */
import { SocketClient, ignore } from './socket-client.mjs';

const CONNECT = 0x10;
const CONNACK = 0x20;
const PUBLISH_QOS1 = 0x32;
const PUBACK = 0x40;
const SUBSCRIBE = 0x82;
const SUBACK = 0x90;
const PROTOCOL_LEVEL = 4; // 3.1.1
const KEEP_SESSION_NO_KEEPALIVE = [0x00, 0x00, 0x00];
const MAX_PACKET_ID = 0xffff;

/** Never 0, and far more of them than messages are under way. @param {number} sequence */
export function packetIdOf(sequence) {
  return (sequence % MAX_PACKET_ID) + 1;
}

/** The latest sequence number below `next` that has it; negative where none has. @type {(packetId: number, next: number) => number} */
export function sequenceOf(packetId, next) {
  const latest = next - 1;
  return latest - ((((latest - packetId + 1) % MAX_PACKET_ID) + MAX_PACKET_ID) % MAX_PACKET_ID);
}

/** @param {string} text */
function field(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

/** @type {(firstByte: number, ...parts: Uint8Array[]) => Buffer} */
function packet(firstByte, ...parts) {
  const header = [firstByte];
  let rest = parts.reduce((sum, { length }) => sum + length, 0);
  do {
    header.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from(header), ...parts]);
}

/** With packet id 0, which stands right before the payload and is to be numbered. @type {(to: string, payload: Buffer) => Buffer} */
export function publish(to, payload) {
  return packet(PUBLISH_QOS1, field(to), Buffer.alloc(2), payload);
}

export class MqttClient extends SocketClient {
  pingsAnswered = 0;
  /** @type {number[]} packet ids to confirm, of this read */
  #arrived = [];
  #address = '';
  #signedIn = ignore;

  /** @param {URL} url @param {string} [localAddress] */
  constructor(url, localAddress) {
    super(url, localAddress);
    this.opened = new Promise((resolve, reject) => {
      this.reject = reject;
      this.onceConnected(() => resolve(undefined));
    });
    this.opened.catch(ignore);
  }

  /**
   * The address is the client's id and the topic it listens to. A session that the broker still has needs no subscription.
   * @param {string} address
   * @returns {Promise<void>}
   */
  signIn(address) {
    this.#address = address;
    const head = [PROTOCOL_LEVEL, ...KEEP_SESSION_NO_KEEPALIVE];
    this.write(packet(CONNECT, field('MQTT'), Buffer.from(head), field(address)));
    return new Promise((resolve, reject) => {
      this.reject = reject;
      this.#signedIn = resolve;
    });
  }

  /** @protected @override @type {SocketClient['scan']} */
  scan(chunk, start, end) {
    let at = start;
    for (;;) {
      let size = 0;
      let body = at + 1;
      for (let shift = 0; ; shift += 7) {
        if (body >= end) return at;
        const byte = chunk[body++] ?? 0;
        size |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      if (body + size > end) return at;
      this.#packet(chunk, at, body, body + size);
      at = body + size;
    }
  }

  /** @protected @override */
  answer() {
    if (this.#arrived.length === 0) return;
    const packets = Buffer.allocUnsafe(this.#arrived.length * 4);
    this.#arrived.forEach((id, i) => packets.writeUInt32BE(((PUBACK << 24) | (2 << 16) | id) >>> 0, i * 4));
    this.#arrived.length = 0;
    this.write(packets);
  }

  /** @type {(chunk: Buffer, at: number, body: number, end: number) => void} */
  #packet(chunk, at, body, end) {
    const kind = (chunk[at] ?? 0) & 0xf0;
    if (kind === (PUBLISH_QOS1 & 0xf0)) {
      const topicEnd = body + 2 + chunk.readUInt16BE(body);
      this.#arrived.push(chunk.readUInt16BE(topicEnd));
      this.onText(chunk, topicEnd + 2, end);
    } else if (kind === PUBACK) this.onConfirmed(chunk.readUInt16BE(body));
    else if (kind === CONNACK) this.#connected((chunk[body] ?? 0) === 1, chunk[body + 1] ?? 0);
    else if (kind === SUBACK) this.#signedIn();
    else this.giveUp(`unexpected packet 0x${(chunk[at] ?? 0).toString(16)}`);
  }

  /** @type {(hasSession: boolean, code: number) => void} */
  #connected(hasSession, code) {
    if (code !== 0) this.giveUp(`sign-in refused: ${code}`);
    else if (hasSession) this.#signedIn();
    else this.write(packet(SUBSCRIBE, Buffer.from([0, 1]), field(this.#address), Buffer.from([1])));
  }
}
