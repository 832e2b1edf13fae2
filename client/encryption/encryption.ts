import { keyStatement, parseAddress } from '@relay/protocol';
import type { RelayClient, SendOptions } from '../client.js';
import { type Clock, systemClock } from '../environment.js';
import { ClientError } from '../errors.js';
import type { IncomingMessage } from '../inbox.js';
import type { OutgoingMessage } from '../outgoing.js';
import type { Identity } from '../sign-in.js';
import { headerOf, seal, unseal } from './envelope.js';
import { keyIdOf, publicKeyText } from './key-pair.js';
import { isSame, OwnKeys } from './own-keys.js';
import { PinStore } from './pins.js';
import { type KeyChange, type KeyStanding, type KnownKey, Trust, type TrustPolicy } from './trust.js';

export interface EncryptionOptions {
  readonly policy?: Partial<TrustPolicy>;
  /** Somebody's key is another than before. Nothing is sent to them until `accept`, unless the policy has done so. */
  readonly onKeyChange?: (change: KeyChange) => void;
  /** Lengths of texts are hidden up to a multiple of this; 1 hides nothing. */
  readonly padToBytes?: number;
  readonly clock?: Clock;
}

export type Opened =
  /** `senderKey`: how its sender's key stands with the application; only `accepted` and `former` were ever agreed to. */
  | { readonly kind: 'text'; readonly text: string; readonly senderKey: KeyStanding }
  | { readonly kind: 'unreadable'; readonly reason: 'no_envelope' | 'not_our_key' | 'unknown_sender_key' | 'tampered' };

const PAD_TO_BYTES = 64;

/** Text that only the two ends can read, over a client that carries any content. */
export class Encryption {
  readonly trust: Trust;

  private constructor(
    private readonly client: RelayClient,
    readonly ownKeys: OwnKeys,
    pins: PinStore,
    private readonly options: EncryptionOptions,
  ) {
    this.trust = new Trust({
      pins,
      fetchKey: (address) => client.keys.fetch(address),
      clock: options.clock ?? systemClock,
      domain: client.domain,
      policy: { allowUnsigned: false, onChange: 'ask', ...options.policy },
      changed: (change) => options.onKeyChange?.(change),
    });
  }

  /** Keys and pins live in the client's store; the first opening makes a key pair. */
  static async open(client: RelayClient, options: EncryptionOptions = {}): Promise<Encryption> {
    const [keys, pins] = await Promise.all([OwnKeys.load(client.store), PinStore.load(client.store)]);
    return new Encryption(client, keys, pins, options);
  }

  /**
   * Puts the current key into the directory, signed by the address. Does nothing where it stands there already. Without an identity it
   * goes unsigned, and others take it only where their policy allows that.
   */
  async publish(identity?: Identity): Promise<void> {
    const publicKey = publicKeyText(this.ownKeys.current.publicKey);
    const found = await this.client.keys.fetch(this.client.address);
    if (found?.publicKey === publicKey && (found.signed !== null || identity === undefined)) return;
    if (identity === undefined) return this.client.keys.publish({ publicKey });
    const version = Math.max(found?.signed?.version ?? 0, this.ownKeys.version) + 1;
    const { domain, address } = this.client;
    const proof = await identity.sign(keyStatement({ domain, address, version, publicKey }));
    await this.client.keys.publish({ publicKey, version, ...proof });
    await this.ownKeys.publishedAs(version);
  }

  /**
   * As `RelayClient.send`, encrypted. Rejects where there is no key to trust; see `Trust.keyFor`. Every call seals anew: the same text with the
   * same `messageId` is another content, which the relay refuses.
   */
  async send(to: string, text: string, options: SendOptions = {}): Promise<OutgoingMessage> {
    const recipient = parseAddress(to);
    if (recipient === null) throw new ClientError('bad_message');
    const { messageId = this.client.newMessageId() } = options;
    const content = seal(new TextEncoder().encode(text), {
      binding: { from: this.client.address, to: recipient, messageId },
      own: this.ownKeys.current,
      peerKey: await this.trust.keyFor(recipient),
      padToBytes: this.options.padToBytes ?? PAD_TO_BYTES,
    });
    return this.client.send(recipient, content, { ...options, messageId });
  }

  /** What a message says. Rejects only where the directory cannot be asked now: let the handler fail then, it is offered again. */
  async read({ from, messageId, content }: Pick<IncomingMessage, 'from' | 'messageId' | 'content'>): Promise<Opened> {
    const header = headerOf(content);
    if (header === null) return { kind: 'unreadable', reason: 'no_envelope' };
    const own = this.ownKeys.byId(header.recipientKeyId);
    if (own === null) return { kind: 'unreadable', reason: 'not_our_key' };
    const peer = await this.peerKey(from, header.senderKeyId);
    if (peer === null) return { kind: 'unreadable', reason: 'unknown_sender_key' };
    const binding = { from, to: this.client.address, messageId };
    const plaintext = unseal(content, { binding, own, peerKey: peer.key });
    if (plaintext === null) return { kind: 'unreadable', reason: 'tampered' };
    return { kind: 'text', text: new TextDecoder().decode(plaintext), senderKey: peer.standing };
  }

  /** Asks the directory only where no key that is known has this id. */
  private async peerKey(from: IncomingMessage['from'], id: Uint8Array): Promise<KnownKey | null> {
    for (const maxAgeMs of [Infinity, 0]) {
      const keys = await this.trust.keysOf(from, maxAgeMs).catch(unlessRefused);
      const found = keys.find(({ key }) => isSame(keyIdOf(key), id));
      if (found !== undefined) return found;
    }
    return null;
  }
}

/** A key that is not to be believed is no key; a directory that cannot be asked is another matter. */
function unlessRefused(error: unknown): [] {
  const refusals = ['key_unsigned', 'key_rolled_back', 'unsupported', 'bad_answer'];
  if (error instanceof ClientError && refusals.includes(error.code)) return [];
  throw error;
}
