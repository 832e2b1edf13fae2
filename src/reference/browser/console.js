/** The console of /docs/ws: one WebSocket to this relay, frames to choose, edit and send, and what comes back. */

const LINES_MAX = 500;
/** What opens a connection stands first. */
const OPENINGS = ['hello', 'auth'];

/**
 * @typedef {{ summary: string, examples: { payload: Record<string, unknown> }[] }} Message
 * @typedef {{ components: { messages: Record<string, Message> } }} Document
 */

/** @type {<Kind extends HTMLElement>(id: string, kind: new () => Kind) => Kind} */
function element(id, kind) {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${id}`);
}

const connect = element('connect', HTMLButtonElement);
const send = element('send', HTMLButtonElement);
const frames = element('frames', HTMLSelectElement);
const frame = element('frame', HTMLTextAreaElement);
const log = element('log', HTMLOListElement);

/** @type {WebSocket | null} */
let socket = null;
/** Of the last entry that came, for `ack`. @type {string | null} */
let lastId = null;

/** @param {string} id @param {string} text */
function show(id, text) {
  element(id, HTMLElement).textContent = text;
}

/** @param {'sent' | 'received' | 'event'} kind @param {string} text */
function note(kind, text) {
  const line = document.createElement('li');
  line.className = kind;
  const mark = { sent: '→', received: '←', event: '·' }[kind];
  line.textContent = `${new Date().toISOString().slice(11, 23)} ${mark} ${text}`;
  log.append(line);
  while (log.children.length > LINES_MAX) log.firstChild?.remove();
  log.scrollTop = log.scrollHeight;
}

function open() {
  const url = `${location.origin.replace(/^http/, 'ws')}/ws`;
  const opened = new WebSocket(url);
  socket = opened;
  connect.textContent = 'Disconnect';
  show('state', 'connecting …');
  opened.addEventListener('open', () => {
    send.disabled = false;
    show('state', `connected to ${url}; send hello or auth within 5 s`);
    note('event', 'connected');
  });
  opened.addEventListener('message', ({ data }) => received(String(data)));
  opened.addEventListener('close', ({ code, reason }) => closed(code, reason));
}

/** @param {number} code @param {string} reason */
function closed(code, reason) {
  socket = null;
  lastId = null;
  send.disabled = true;
  connect.textContent = 'Connect';
  show('state', 'not connected');
  note('event', `closed with ${code}${reason === '' ? '' : ` ${reason}`}`);
}

/** @param {string} text */
function received(text) {
  note('received', text);
  /** @type {{ type?: unknown, id?: unknown, nonce?: unknown }} */
  const { type, id, nonce } = JSON.parse(text);
  if (typeof id === 'string') lastId = id;
  if (type === 'auth_success') show('state', 'signed in');
  if (type === 'challenge') show('state', `answer with auth: sign ${String(nonce)} with the key of the address`);
}

function transmit() {
  show('fault', '');
  try {
    // One line, as it goes over the wire; what is no JSON is refused here, not by the relay.
    const text = JSON.stringify(JSON.parse(frame.value));
    socket?.send(text);
    note('sent', text);
  } catch {
    show('fault', 'This is no JSON');
  }
}

/** @param {Map<string, Message>} messages */
function choose(messages) {
  const message = messages.get(frames.value);
  const [example] = message?.examples ?? [];
  const isAck = frames.value === 'ack' && lastId !== null;
  const payload = isAck ? { ...example?.payload, upTo: lastId } : example?.payload;
  frame.value = JSON.stringify(payload, null, 2);
  show('summary', message?.summary ?? '');
}

/** What clients may send, by type: from the document that this page is made of. */
async function clientMessages() {
  const response = await fetch('asyncapi.json');
  /** @type {Document} */
  const { components } = await response.json();
  /** @type {[string, Message][]} */
  const found = Object.entries(components.messages).flatMap(([name, message]) => {
    const [, type] = /^client_(.+)$/.exec(name) ?? [];
    return type === undefined ? [] : [[type, message]];
  });
  const isLater = (/** @type {string} */ type) => (OPENINGS.includes(type) ? OPENINGS.indexOf(type) : OPENINGS.length);
  return new Map(found.sort(([a], [b]) => isLater(a) - isLater(b)));
}

const messages = await clientMessages();
frames.append(...[...messages.keys()].map((type) => new Option(type)));
frames.addEventListener('change', () => choose(messages));
connect.addEventListener('click', () => (socket === null ? open() : socket.close(1000)));
element('clear', HTMLButtonElement).addEventListener('click', () => log.replaceChildren());
element('sending', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  if (socket !== null) transmit();
});
choose(messages);
element('console', HTMLElement).hidden = false;
