// Serves index.html and the two files beside it, as any web server would: a page opened as a file has no origin.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createSystemBrowser } from 'mortise/node';
import { isAlone } from '../stage/person.mjs';
import { play, setting } from '../stage/play.mjs';

const isSpeckle = process.argv.includes('--speckle');
const clientId = setting('PREVU3D_CLIENT_ID');
const installation = setting('PREVU3D_ENVIRONMENT');
const platform = isSpeckle ? 'speckle' : 'prevu3d';

const PAGE = new URL('index.html', import.meta.url);
const BUNDLES = ['mortise.browser.iife.js', 'mortise.element.iife.js'];
const SETTINGS = /(<script id="settings"[^>]*>)[^]*?(<\/script>)/;

/** What the page is given in place of the settings that stand in it. */
let settings;

function answer({ url, headers }, response) {
  const { pathname } = new URL(url, 'http://localhost');
  const bundle = BUNDLES.find((name) => pathname === `/${name}`);
  const type = bundle ? 'text/javascript' : 'text/html';
  response.setHeader('content-type', `${type}; charset=utf-8`);
  response.setHeader('cache-control', 'no-store');
  // The address holds the code, for the moment until the page has taken it.
  response.setHeader('referrer-policy', 'no-referrer');
  // A site that points its own name at this machine gets nothing.
  if (!/^localhost:\d+$/.test(headers.host ?? '')) return response.writeHead(421).end();
  if (bundle) return response.end(readFileSync(new URL(`../../dist/${bundle}`, import.meta.url)));
  if (pathname !== '/') return response.writeHead(404).end();
  const json = JSON.stringify(settings).replaceAll('<', '\\u003c');
  response.end(readFileSync(PAGE, 'utf8').replace(SETTINGS, (_, start, end) => start + json + end));
}

const server = createServer(answer);
await new Promise((listening) => server.listen(0, 'localhost', listening));
const address = `http://localhost:${server.address().port}`;
// Each platform compares as text.
const redirectUri = isSpeckle ? `${address}/` : address;

await play(
  {
    platform,
    needs: isSpeckle ? {} : { PREVU3D_CLIENT_ID: clientId },
    redirectUris: [redirectUri],
    flags: ['speckle', 'serve'],
  },
  async ({ environment, terminal, signal }) => {
    const options = isSpeckle
      ? { appId: 'any', redirectUri, ...environment }
      : {
          clientId: clientId ?? 'any',
          scopes: ['read:basic', 'read:hierarchy'],
          environment: environment ?? installation,
        };
    settings = { platform, redirectUri, options };
    terminal.step('Files', `index.html, ${BUNDLES.join(', ')}`);
    terminal.step('Page', `open it in a browser\n${address}/`);
    if (process.argv.includes('--serve') || !isAlone()) {
      if (!isAlone()) await createSystemBrowser()(`${address}/`).catch(() => {});
      await untilStopped(terminal, signal);
    } else {
      terminal.note('Nobody is here to look at it. With --serve it stays until Ctrl-C.');
    }
  },
);
server.close();
server.closeAllConnections();

function untilStopped(terminal, signal) {
  terminal.note('Served until Ctrl-C.');
  return new Promise((stopped) => signal.addEventListener('abort', stopped, { once: true }));
}
