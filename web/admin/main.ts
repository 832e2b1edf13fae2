import { byId } from '../dom.js';
import { Api, Refused } from './api.js';
import { Board } from './board.js';

/** Of this tab alone, and gone with it. */
const KEPT_AS = 'relay-admin-token';
const LOOK_EVERY_MS = 2_000;

const form = byId('sign-in', HTMLFormElement);
const input = byId('token', HTMLInputElement);
const error = byId('sign-in-error', HTMLElement);
const live = byId('live', HTMLElement);
const forget = byId('forget', HTMLButtonElement);
const boardElement = byId('board', HTMLElement);

let current: Board | null = null;

function signedOut(reason: string): void {
  sessionStorage.removeItem(KEPT_AS);
  current = null;
  boardElement.hidden = live.hidden = forget.hidden = true;
  form.hidden = false;
  error.textContent = reason;
  error.hidden = reason === '';
  input.focus();
}

/** Rejects where the token is not the right one, and shows the board else. */
async function signIn(token: string): Promise<void> {
  const board = new Board(new Api(token), signedOut);
  await board.look();
  sessionStorage.setItem(KEPT_AS, token);
  current = board;
  input.value = '';
  form.hidden = error.hidden = true;
  boardElement.hidden = live.hidden = forget.hidden = false;
  void keepLooking(board);
}

/** One look after the other, however long each takes; none while nobody sees it. */
async function keepLooking(board: Board): Promise<void> {
  while (current === board) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    if (current !== board || document.hidden) continue;
    try {
      await board.look();
      live.textContent = 'live';
      live.className = 'live is-on';
    } catch (reason) {
      if (reason instanceof Refused && (reason.status === 401 || reason.status === 404)) {
        signedOut('The token is not right any more.');
      } else {
        live.textContent = reason instanceof Refused ? reason.message : 'no answer';
        live.className = 'live is-off';
      }
    }
  }
}

function tellWhy(reason: unknown): void {
  if (!(reason instanceof Refused)) signedOut('The relay does not answer.');
  else signedOut(reason.status === 401 ? 'That is not the token.' : reason.message);
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void signIn(input.value.trim()).catch(tellWhy);
});
forget.addEventListener('click', () => signedOut(''));
live.textContent = 'live';
live.className = 'live is-on';

const kept = sessionStorage.getItem(KEPT_AS);
if (kept === null) signedOut('');
else void signIn(kept).catch(tellWhy);
