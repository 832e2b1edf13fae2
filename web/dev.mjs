// @ts-check
/** A page that follows every change, in front of a relay that runs: node web/dev.mjs [page] [url of the relay]. */
import { createServer } from 'vite';
import { configOf } from './pages.mjs';

const [page = 'demo', target = 'http://localhost:3002'] = process.argv.slice(2);
// The relay sees the page's own host, which is what its challenges then name.
const proxied = { target, ws: true };
const server = await createServer({
  ...configOf(page),
  logLevel: 'info',
  server: { proxy: { '/ws': proxied, '/api': proxied, '/auth': proxied, '/.well-known': proxied } },
});
await server.listen();
server.printUrls();
