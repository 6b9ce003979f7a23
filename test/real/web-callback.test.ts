import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSession, isMortiseError, type Session } from 'mortise';
import { createNodeHost, fileStore, serveSandbox } from 'mortise/node';
import { aps, type ApsApi } from 'mortise/providers/aps';
import { createSandbox } from 'mortise/sandbox';

/**
 * A server that owns a callback route, as VIKTOR does: a confidential client, one session a user, and the
 * pending attempt in the store. Real sockets on both sides.
 */
const CALLBACK = '/api/integrations/oauth2/callback/';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serve(directory: string, platform: string, port: number) {
  const host = createNodeHost({
    store: fileStore({ directory }),
    openBrowser: () => Promise.reject(new Error('a server opens no browser')),
  });
  const sessions = new Map<string, Session<ApsApi>>();
  let origin = '';
  const sessionOf = (user: string) => {
    const known = sessions.get(user);
    if (known) return known;
    const provider = aps({
      clientId: 'the-platform',
      clientSecret: 'any',
      scopes: ['data:read', 'user-profile:read'],
      redirectUris: [origin + CALLBACK],
      baseUrl: platform,
    });
    const session = createSession({ host, provider, account: user });
    sessions.set(user, session);
    return session;
  };

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const user = /user=(\w+)/.exec(request.headers.cookie ?? '')?.[1];
    const { pathname, href } = new URL(request.url ?? '/', origin);
    if (!user) return void response.writeHead(401).end();
    if (pathname === '/sign-in') {
      const redirectUri = origin + CALLBACK;
      const { authorizationUrl } = await sessionOf(user).beginSignIn({ redirectUri });
      return void response.writeHead(302, { location: authorizationUrl }).end();
    }
    if (pathname === CALLBACK) {
      await sessionOf(user).completeSignIn(href);
      return void response.writeHead(303, { location: '/' }).end();
    }
    const hubs = (await sessionOf(user).api.hubs()).map(({ attributes }) => attributes?.['name']);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(hubs));
  }

  const server = createServer((request, response) => {
    // The next process has the same port, and must not be asked over an old connection.
    response.setHeader('connection', 'close');
    route(request, response).catch((error: unknown) => {
      const code = isMortiseError(error) ? error.code : 'unknown';
      response.writeHead(code === 'sign_in_required' ? 401 : 400).end(code);
    });
  });
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    for (const session of sessions.values()) await session.close();
  };
  return { origin, close };
}

async function open() {
  let passedMs = 0;
  const directory = mkdtempSync(join(tmpdir(), 'mortise-web-'));
  closing.push(async () => rmSync(directory, { recursive: true }));
  const platform = await serveSandbox(
    createSandbox({ provider: 'aps', nowMs: () => Date.now() + passedMs }),
  );
  closing.push(() => platform.close());
  const start = async (port = 0) => {
    const server = await serve(directory, platform.url, port);
    closing.push(server.close);
    return server;
  };
  return { start, pass: (ms: number) => void (passedMs += ms) };
}

const get = (url: string, user: string) =>
  fetch(url, { headers: { cookie: `user=${user}` }, redirect: 'manual' });

/** Clicks on the consent page; the redirect is given back, not followed. */
async function consent(origin: string, user: string, decision = 'allow'): Promise<string> {
  const page = (await get(`${origin}/sign-in`, user)).headers.get('location') ?? '';
  const html = await (await fetch(page)).text();
  const body = new URLSearchParams({ decision });
  for (const [, name = '', value = ''] of html.matchAll(
    /<input [^>]*name="(\w+)" value="([^"]*)"/g,
  )) {
    if (name === 'scopes' || !body.has(name)) body.append(name, value);
  }
  const answer = await fetch(page, { method: 'POST', body, redirect: 'manual' });
  return answer.headers.get('location') ?? '';
}

test('a user signs in through the callback, and the data is theirs', async () => {
  const { origin } = await (await open()).start();
  expect((await get(origin, 'ada')).status).toBe(401);
  const redirect = await consent(origin, 'ada');
  expect(redirect.startsWith(`${origin}${CALLBACK}?code=`)).toBe(true);
  const finished = await get(redirect, 'ada');
  expect([finished.status, finished.headers.get('location')]).toEqual([303, '/']);
  expect(await (await get(origin, 'ada')).json()).toHaveLength(3);
  expect((await get(origin, 'ben')).status).toBe(401);
});

test('case 14, 33: one user’s answer in another user’s browser is nobody’s session', async () => {
  const { origin } = await (await open()).start();
  const redirects = await Promise.all([consent(origin, 'ada'), consent(origin, 'ben')]);
  const swapped = await get(redirects[0], 'ben');
  expect([swapped.status, await swapped.text()]).toEqual([400, 'malformed_response']);
  expect((await get(origin, 'ben')).status).toBe(401);
  // Each of them still finishes, in either order.
  expect((await get(redirects[1], 'ben')).status).toBe(303);
  expect((await get(redirects[0], 'ada')).status).toBe(303);
  expect((await get(origin, 'ben')).status).toBe(200);
});

test('case 15: the same callback twice is a stable refusal, and the session stays', async () => {
  const { origin } = await (await open()).start();
  const redirect = await consent(origin, 'ada');
  await get(redirect, 'ada');
  const again = await get(redirect, 'ada');
  expect([again.status, await again.text()]).toEqual([400, 'malformed_response']);
  expect((await get(origin, 'ada')).status).toBe(200);
});

test('case 19: a callback nobody asked for is refused', async () => {
  const { origin } = await (await open()).start();
  const answer = await get(`${origin}${CALLBACK}?code=sandbox-code-x&state=made-up`, 'ada');
  expect([answer.status, await answer.text()]).toEqual([400, 'malformed_response']);
});

test('case 23: a denial is told, and nobody is signed in', async () => {
  const { origin } = await (await open()).start();
  const answer = await get(await consent(origin, 'ada', 'deny'), 'ada');
  expect([answer.status, await answer.text()]).toEqual([400, 'access_denied']);
});

test('another process may finish what one has begun', async () => {
  const { start } = await open();
  const before = await start();
  const redirect = await consent(before.origin, 'ada');
  await before.close();
  const after = await start(Number(new URL(before.origin).port));
  expect((await get(redirect, 'ada')).status).toBe(303);
  expect((await get(after.origin, 'ada')).status).toBe(200);
});

test('case 119: many requests of one user with an expired token cost one refresh', async () => {
  const { start, pass } = await open();
  const { origin } = await start();
  await get(await consent(origin, 'ada'), 'ada');
  // The platform's clock alone: this process learns of it by a 401. A second refresh would void them all.
  pass(7_200_000);
  const answers = await Promise.all(Array.from({ length: 20 }, () => get(origin, 'ada')));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
});
