import { type ClientEvents, type Address, parseAddress } from '@relay/client';
import { byId } from '../dom.js';
import { paint, shortAddress } from './avatar.js';
import { ComposerView } from './composer.view.js';
import { ConnectionView } from './connection.view.js';
import { FramesView } from './frames.view.js';
import { LogView } from './log.view.js';
import { NoticeView } from './notice.view.js';
import { PairingView } from './pairing.view.js';
import { PeerView } from './peer.view.js';
import { Person, forgetIn } from './person.js';
import { Rate } from './rate.js';
import { legend } from './ticks.js';

const FIGURES_EVERY_MS = 250;
const TITLE = document.title;

const rate = new Rate(() => performance.now());
const frames = new FramesView();
const notice = new NoticeView();
const pairing = new PairingView();
const peerView = new PeerView();
const log = new LogView(() => look());

const composer = new ComposerView({
  say: (text) => person.say(text),
  typing: (isTyping) => person.typing(isTyping),
  burst: (count) => person.burst(count).catch(() => notice.tell('Not all of them could be put into the outbox.')),
});

const person = await Person.open(sessionStorage, webSocketUrl(), {
  stateChanged,
  peerChanged: (peer) => {
    peerView.show(peer);
    composer.allowBurst();
  },
  presenceChanged: (presence) => peerView.present(presence),
  typingChanged: (isTyping) => peerView.types(isTyping),
  entryChanged: (entry) => log.show(entry),
  counted: () => rate.add(),
  frameSeen: (frame) => frames.add(frame),
  told: (text) => notice.tell(text),
  strangerWrote: (from) => {
    const text = `Somebody else wrote: ${shortAddress(from)}.`;
    notice.offer(text, { action: 'Talk to them instead', run: () => void talkTo(from) });
  },
});

const connection = new ConnectionView({
  goOnline: () => person.goOnline(),
  goOffline: () => void person.goOffline(),
  retryNow: () => person.retryNow(),
});

begin();

function begin(): void {
  // Opened as a copy of the window whose link this is: a person of its own is wanted.
  if (addressInLink() === person.address) return startOver();
  showOwn(person.address);
  for (const entry of person.conversation.all) log.show(entry);
  for (const event of ['focus', 'visibilitychange'] as const) window.addEventListener(event, look, true);
  window.addEventListener('online', () => person.retryNow());
  window.addEventListener('hashchange', followLink);
  byId('start-over', HTMLButtonElement).addEventListener('click', askToStartOver);
  byId('legend', HTMLElement).replaceChildren(...legend());
  setInterval(showFigures, FIGURES_EVERY_MS);
  person.goOnline();
  followLink();
}

function webSocketUrl(): string {
  const url = new URL('/ws', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  return url.href;
}

function addressInLink(): Address | null {
  return parseAddress(new URLSearchParams(location.hash.slice(1)).get('to'));
}

function followLink(): void {
  const peer = addressInLink();
  if (peer !== null && peer !== person.address) void talkTo(peer);
}

async function talkTo(peer: Address): Promise<void> {
  history.replaceState(null, '', `#to=${peer}`);
  if (peer !== person.peer) log.clear();
  await person.talkTo(peer);
  composer.focus();
}

function stateChanged(event: ClientEvents['state']): void {
  connection.show(event);
  if (event.state === 'stopped' || event.state === 'waiting') peerView.unknown();
  if (event.state === 'online' || event.state === 'stopped') notice.withdraw();
  if (event.error === undefined) return;
  // What passes is tried again by itself, with the same key.
  const offer = event.state === 'stopped' ? { action: 'Start with a new key', run: askToStartOver } : undefined;
  notice.keep(`${event.error.message}.`, offer);
}

/** Read is what stands on a screen that somebody looks at: the window in front, at the end of the conversation. */
function look(): void {
  if (document.visibilityState === 'visible' && document.hasFocus() && log.isAtEnd) person.sawAll();
  const { unseenCount } = person.conversation;
  document.title = unseenCount === 0 ? TITLE : `(${unseenCount}) ${TITLE}`;
}

function showOwn(own: Address): void {
  paint(byId('own-avatar', HTMLElement), own);
  const name = byId('own-address', HTMLElement);
  name.textContent = shortAddress(own);
  name.title = own;
  pairing.show(own);
}

function showFigures(): void {
  byId('rate', HTMLElement).textContent = rate.perSecond.toLocaleString('en');
  byId('peak', HTMLElement).textContent = rate.peak.toLocaleString('en');
  byId('outbox', HTMLElement).textContent = person.outboxSize.toLocaleString('en');
}

function askToStartOver(): void {
  if (!confirm('Start with a new key? This window’s key and conversation are gone then, for good.')) return;
  history.replaceState(null, '', location.pathname);
  startOver();
}

function startOver(): void {
  forgetIn(sessionStorage);
  location.reload();
}
