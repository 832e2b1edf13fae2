import {
  type Address,
  type ClientEvents,
  ClientError,
  type IncomingMessage,
  parseAddress,
  RelayClient,
  type Transaction,
} from '@relay/client';
import { Encryption } from '@relay/client/encryption';
import { newIdentity, privateKeyIdentity } from '@relay/client/identity';
import { type Body, decodeBody, encodeBody } from './body.js';
import { burstMessageId, type Entry } from './entries.js';
import { Conversation } from './conversation.js';
import { readPatiently } from './patient.js';
import { SessionStore } from './session-store.js';

/** What a window shows of its person. */
export interface PersonHost {
  stateChanged(event: ClientEvents['state']): void;
  peerChanged(peer: Address): void;
  presenceChanged(presence: ClientEvents['presence']): void;
  typingChanged(isTyping: boolean): void;
  entryChanged(entry: Entry): void;
  /** A message came or one of ours was delivered: what the rate counts. */
  counted(): void;
  frameSeen(frame: ClientEvents['frame']): void;
  /** Something that the person should know. */
  told(text: string): void;
  /** Somebody who is not in this conversation wrote. */
  strangerWrote(from: Address): void;
}

type Identity = ReturnType<typeof privateKeyIdentity>;

const PREFIX = 'relay-demo/';
const PRIVATE_KEY = `${PREFIX}private-key`;
const PEER = 'peer';
const GREETED = 'greeted';
const RETRY_MS = 2_000;
/** Sealing takes a millisecond or two: the page is drawn between so many. */
const BURST_STEP = 8;

/** One of the two: a throw-away key, its connection, and the conversation with the other. Lives as long as its window. */
export class Person {
  readonly conversation: Conversation;
  private readonly client: RelayClient;
  private readonly encryption: Encryption;
  private sending: Promise<unknown> = Promise.resolve();
  private peerAddress: Address | null = null;
  /** The directory that we are connected to has our key. */
  private isPublished = false;

  private constructor(
    private readonly identity: Identity,
    private readonly host: PersonHost,
    parts: { client: RelayClient; encryption: Encryption; conversation: Conversation },
  ) {
    this.client = parts.client;
    this.encryption = parts.encryption;
    this.conversation = parts.conversation;
    this.listen();
  }

  static async open(storage: Storage, url: string, host: PersonHost): Promise<Person> {
    const identity = identityIn(storage);
    const store = new SessionStore(storage, `${PREFIX}store/`);
    const onMessage = (message: IncomingMessage, to: Transaction): Promise<void> => person.received(message, to);
    const client = await RelayClient.open({ url, identity, store, onMessage });
    const encryption = await Encryption.open(client);
    const conversation = await Conversation.load(client.data, Date.now, (entry) => host.entryChanged(entry));
    const person: Person = new Person(identity, host, { client, encryption, conversation });
    const peer = parseAddress(await client.data.read(PEER));
    if (peer !== null) person.follow(peer);
    return person;
  }

  get address(): Address {
    return this.client.address;
  }

  get peer(): Address | null {
    return this.peerAddress;
  }

  get outboxSize(): number {
    return this.client.outboxSize;
  }

  goOnline(): void {
    this.client.start();
  }

  goOffline(): Promise<void> {
    return this.client.close();
  }

  /** Ends a wait between two attempts. */
  retryNow(): void {
    this.client.wake();
  }

  /** Another conversation begins: of the one before, nothing stays. */
  async talkTo(peer: Address): Promise<void> {
    if (peer === this.peerAddress) return;
    if (this.peerAddress !== null) this.client.unwatchPresence([this.peerAddress]);
    await this.conversation.clear();
    await this.client.data.write([
      [PEER, peer],
      [GREETED, null],
    ]);
    this.follow(peer);
    this.greet();
  }

  /** In the order of the calls. */
  say(text: string): void {
    const messageId = this.client.newMessageId();
    this.conversation.text(messageId, text);
    this.inTurn(() => this.send({ kind: 'text', text }, messageId));
  }

  async burst(count: number): Promise<void> {
    const run = this.client.newMessageId().slice(0, 8);
    this.conversation.burst(run, count);
    for (let index = 0; index < count; index++) {
      if (index % BURST_STEP === BURST_STEP - 1) await nextTask();
      await this.send({ kind: 'burst', run, index, of: count }, burstMessageId(run, index));
      this.conversation.burstGrew(run);
    }
  }

  typing(isTyping: boolean): void {
    if (this.peerAddress !== null) this.client.typing(this.peerAddress, isTyping);
  }

  /** Everything that came is on the screen now, and somebody looks at it. */
  sawAll(): void {
    const newest = this.conversation.seen();
    if (newest !== null) this.tellRead(newest);
  }

  private follow(peer: Address): void {
    this.peerAddress = peer;
    this.client.watchPresence([peer]);
    this.host.peerChanged(peer);
  }

  private listen(): void {
    const { client, host } = this;
    client.on('state', (event) => {
      host.stateChanged(event);
      if (event.state === 'syncing') {
        this.isPublished = false;
        this.publish();
      }
      // A read receipt that went out with a dying connection may be lost: it is said again, and counts once.
      const newest = event.state === 'online' ? this.conversation.newestSeen : null;
      if (newest !== null) this.tellRead(newest);
    });
    client.on('receipt', (receipt) => {
      if (receipt.peer !== this.peerAddress) return;
      this.conversation.receipt(receipt);
      if (receipt.kind === 'delivered') host.counted();
    });
    client.on('presence', (presence) => {
      if (presence.address !== this.peerAddress) return;
      host.presenceChanged(presence);
      if (presence.isOnline) this.greet();
    });
    client.on('typing', ({ from, isTyping }) => from === this.peerAddress && host.typingChanged(isTyping));
    client.on('failed', ({ messageId, error }) => {
      this.conversation.failed(messageId);
      host.told(`A message was refused: ${error.message}.`);
    });
    client.on('delayed', ({ error }) => host.told(delayText(error)));
    client.on('frame', (frame) => host.frameSeen(frame));
    client.on('error', (error) => host.told(`${error.message}.`));
  }

  /** The directory may have forgotten us with the relay's memory; it is asked each time. */
  private publish(): void {
    this.encryption.publish(this.identity).then(
      () => {
        this.isPublished = true;
        this.greet();
      },
      (error: unknown) => {
        if (this.client.state !== 'stopped') setTimeout(() => this.publish(), RETRY_MS);
        if (!isOffline(error)) this.host.told(`The key could not be published: ${textOf(error)}`);
      },
    );
  }

  /** Tells the other who we are, once: from then on they can write too. Not before they can look our key up, which calls this again. */
  private greet(): void {
    if (!this.isPublished) return;
    this.inTurn(async () => {
      const peer = this.peerAddress;
      if (peer === null || (await this.client.data.read(GREETED)) === peer) return;
      const isSent = await this.encryption.send(peer, encodeBody({ kind: 'hello' })).catch((error: unknown) => {
        if (isCode(error, 'not_found')) this.host.told('The other window has not been online yet. Waiting for it.');
        else if (!isOffline(error)) throw error;
        return null;
      });
      if (isSent !== null) await this.client.data.write([[GREETED, peer]]);
    });
  }

  private async send(body: Body, messageId: string): Promise<void> {
    try {
      await this.encryption.send(this.peerAddress!, encodeBody(body), { messageId });
    } catch (error) {
      this.conversation.failed(messageId);
      throw error;
    }
  }

  private inTurn(task: () => Promise<void>): void {
    this.sending = this.sending.then(task).catch((error: unknown) => this.host.told(textOf(error)));
  }

  private async received(message: IncomingMessage, to: Transaction): Promise<void> {
    const { from, messageId } = message;
    // Rejects where the directory cannot be asked now; the client hands the message over again.
    const opened = await readPatiently(() => this.encryption.read(message), delay);
    const body = opened.kind === 'text' ? decodeBody(opened.text) : null;
    if (body === null) return this.host.told(`A message that this page cannot read came from ${from}.`);
    if (this.peerAddress === null) await this.adopt(from);
    if (from !== this.peerAddress) return this.host.strangerWrote(from);
    const put = (key: string, value: string): void => to.put(key, value);
    if (body.kind === 'text') this.conversation.theirText(messageId, body.text, put);
    if (body.kind === 'burst') this.conversation.theirBurst(body, put);
    if (body.kind !== 'hello') this.host.counted();
  }

  /** Whoever writes first is the other person, and knows us already. */
  private async adopt(peer: Address): Promise<void> {
    await this.client.data.write([
      [PEER, peer],
      [GREETED, peer],
    ]);
    this.follow(peer);
  }

  private tellRead(entry: Entry): void {
    const messageId = entry.kind === 'text' ? entry.messageId : burstMessageId(entry.run, entry.of - 1);
    if (this.peerAddress !== null) this.client.markRead({ from: this.peerAddress, messageId });
  }
}

/** For a window that was opened with another's storage, or wants to begin anew. */
export function forgetIn(storage: Storage): void {
  const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index)!);
  for (const key of keys.filter((one) => one.startsWith(PREFIX))) storage.removeItem(key);
}

function identityIn(storage: Storage): Identity {
  const kept = storage.getItem(PRIVATE_KEY);
  if (kept !== null) return privateKeyIdentity(kept);
  const identity = newIdentity();
  storage.setItem(PRIVATE_KEY, identity.privateKey);
  return identity;
}

function nextTask(): Promise<void> {
  return delay(0);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function delayText(error: ClientError): string {
  if (error.code !== 'rate_limited') return `${error.message}. What waits here is sent again.`;
  return 'The relay lets one address send only so much a second (SEND_RATE_PER_SECOND). The rest waits here and follows.';
}

function isCode(error: unknown, code: ClientError['code']): boolean {
  return error instanceof ClientError && error.code === code;
}

function isOffline(error: unknown): boolean {
  return isCode(error, 'offline');
}

function textOf(error: unknown): string {
  return error instanceof ClientError ? `${error.message}.` : 'Something went wrong in this page.';
}
