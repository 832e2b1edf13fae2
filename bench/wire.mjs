// @ts-check
/** How a message travels: the relay's protocol over WebSocket, or MQTT. The URL says which. */
import { TEXT, frame, maskingKey } from './frames.mjs';
import { MqttClient, publish } from './mqtt.mjs';
import { Client } from './websocket.mjs';

/** @typedef {{ from: string, to: string, content: string, messageId: string }} Message */
/**
 * A message to send. `bytes` end with `json` under `mask`; `packetId`: where that stands in them, or -1.
 * @typedef {{ bytes: Buffer, json: Buffer, packetId: number, mask: Uint8Array }} Envelope
 */
/**
 * `needsSession`: a recipient that was never here has no mailbox.
 * @typedef {{ needsSession: boolean, connect: (url: URL, localAddress?: string) => Client | MqttClient, envelope: (message: Message) => Envelope }} Wire
 */

const UNMASKED = Buffer.alloc(4);
const PACKET_ID_LENGTH = 2;

/** @type {Wire} */
const webSocket = {
  needsSession: false,
  connect: (url, localAddress) => new Client(url, localAddress),
  envelope({ to, content, messageId }) {
    const json = Buffer.from(JSON.stringify({ type: 'message', to, content, messageId, timestamp: Date.now() }));
    return { bytes: frame(json, TEXT), json, packetId: -1, mask: maskingKey };
  },
};

/** The sender writes what the recipient is to read, since a broker passes on what it gets. @type {Wire} */
const mqtt = {
  needsSession: true,
  connect: (url, localAddress) => new MqttClient(url, localAddress),
  envelope({ from, to, content, messageId }) {
    const json = Buffer.from(JSON.stringify({ type: 'message', from, content, messageId, timestamp: Date.now() }));
    const bytes = publish(to, json);
    return { bytes, json, packetId: bytes.length - json.length - PACKET_ID_LENGTH, mask: UNMASKED };
  },
};

/** @param {URL} url @returns {Wire} */
export function wireOf(url) {
  return url.protocol === 'mqtt:' ? mqtt : webSocket;
}
