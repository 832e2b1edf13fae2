/** Where a wallet sends the browser back to. It holds no secret, so it is the same for everybody. */
export const CALLBACK_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in</title>
<style>body { font: 1.1rem/1.5 system-ui, sans-serif; margin: 20vh auto 0; max-width: 30rem; padding: 0 1rem; text-align: center }</style>
<p id="state" role="status">Signing in …</p>
<noscript>This page needs JavaScript to finish the sign-in.</noscript>
<script src="callback.js"></script>
</html>
`;

/**
 * Fetches the session with the browser's cookie, once, and hands it to the pages of this origin: a tab that waits hears it on
 * the channel \`relay-sign-in\`, one that opens later finds it under \`relay-session\`. In a browser that did not begin
 * the sign-in, the same request ends it.
 */
export const CALLBACK_SCRIPT = `'use strict';
const token = new URLSearchParams(location.search).get('token');
const deadline = Date.now() + 120000;
const show = (text) => { document.getElementById('state').textContent = text; };

async function finish() {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch('session', { method: 'POST', headers, body: JSON.stringify({ token }) });
  const answer = await response.json();
  const waitMs = response.ok ? answer.retryAfterMs : 1000 * (Number(response.headers.get('retry-after')) || 5);
  const mayChange = response.ok ? answer.pending : answer.retryable;
  if (mayChange && Date.now() < deadline) return void setTimeout(() => finish().catch(failed), waitMs);
  if (mayChange || !response.ok) return show(answer.error ?? 'The wallet has not confirmed this sign-in.');
  localStorage.setItem('relay-session', JSON.stringify(answer));
  new BroadcastChannel('relay-sign-in').postMessage(answer);
  show('You are signed in and can close this window.');
}

const failed = () => show('The relay cannot be reached. Reload this page to try again.');
finish().catch(failed);
`;
