// Everything a plug-in does, against a certified server nobody here wrote, through real sockets.
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { memoryStore } from 'mortise';
import type { KeyValueStore } from 'mortise';
import { createHttpBrowser } from '../support/http-browser.js';
import { startOidcServers, type OidcServers } from '../support/oidc-process.js';
import {
  createOidcSession,
  type OidcSession,
  type OidcSessionOptions,
} from '../support/oidc-session.js';

/** A token's life and longer: what is asked for can only be had by a refresh. */
const HUGE_MS = 1e12;

let servers: OidcServers;
let opened: OidcSession[];

beforeAll(async () => {
  servers = await startOidcServers();
});
afterAll(() => servers.stop());

beforeEach(() => {
  opened = [];
});

afterEach(async () => {
  for (const { session } of opened) await session.close();
  for (const each of opened) expect(await each.leaks()).toEqual([]);
});

function open(options: Partial<OidcSessionOptions> = {}): OidcSession {
  const { issuer, clients } = servers;
  const created = createOidcSession({ issuer, client: clients.native, ...options });
  opened.push(created);
  return created;
}

async function signedIn(options: Partial<OidcSessionOptions> = {}): Promise<OidcSession> {
  const created = open(options);
  await created.session.signIn();
  return created;
}

/** The same store as another process would find it: a copy, from when it is made. */
async function copyOf(stored: { key: string; value: string }): Promise<KeyValueStore> {
  const store = memoryStore();
  await store.set(stored.key, stored.value);
  return store;
}

/** A memory store that can be looked into. */
function glassStore() {
  const values = new Map<string, string>();
  const store: KeyValueStore = {
    get: async (key) => values.get(key) ?? null,
    set: async (key, value) => void values.set(key, value),
    remove: async (key) => void values.delete(key),
  };
  const only = () => {
    const [[key, value] = ['', '']] = values;
    return { key, value };
  };
  return { store, values, only };
}

/** The server's answer to a client that is not this library. */
async function ask(path: string, form: Record<string, string>) {
  const answer = await fetch(`${servers.issuer}${path}`, {
    method: 'POST',
    body: new URLSearchParams(form),
  });
  return { status: answer.status, json: (await answer.json().catch(() => null)) as unknown };
}

const refreshElsewhere = (refreshToken: string | null) =>
  ask('/token', {
    grant_type: 'refresh_token',
    refresh_token: refreshToken ?? '',
    client_id: servers.clients.native.client_id,
  });

async function askUserInfo(accessToken: string): Promise<number> {
  const headers = { authorization: `Bearer ${accessToken}` };
  return (await fetch(`${servers.issuer}/me`, { headers })).status;
}

describe('signing in', () => {
  test('by discovery, through forms and redirect, to the user’s own data', async () => {
    const { session, pages, names, posts } = await signedIn();
    expect(session.state).toMatchObject({
      name: 'signedIn',
      scopes: ['openid', 'email', 'offline_access'],
    });
    expect(await session.api.userInfo()).toEqual({ sub: 'ada', email: 'ada@people.example' });
    expect(await pages[0]).toMatchObject({
      status: 200,
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/callback\/signed-in$/),
    });
    expect(names()).toEqual([
      'signInRequested',
      'addressReady',
      'redirectReceived',
      'tokensIssued',
    ]);
    expect(Object.keys(posts[0]?.form ?? {}).sort()).toEqual([
      'client_id',
      'code',
      'code_verifier',
      'grant_type',
      'redirect_uri',
    ]);
  });

  test('with a redirect to localhost', async () => {
    const redirect = { loopback: 'localhost', path: '/callback', ports: 'any' } as const;
    const { redirects } = await signedIn({ redirect });
    expect(redirects[0]).toMatch(/^http:\/\/localhost:\d+\/callback\?/);
  });

  test('is there again after a restart, without any request', async () => {
    const store = memoryStore();
    const before = await signedIn({ store });
    const http = jest.fn();
    const { session } = open({ store, http });
    await session.restore();
    expect(session.state).toEqual(before.session.state);
    expect(await session.getAccessToken()).toBe(before.stored().accessToken);
    expect(http).not.toHaveBeenCalled();
  });

  test('cut in two, the second half in another process; the redirect is good once', async () => {
    const store = memoryStore();
    const redirectUri = 'http://127.0.0.1:47999/callback';
    const first = open({ store });
    const { authorizationUrl } = await first.session.beginSignIn({ redirectUri });
    await first.session.close();
    const redirect = await first.browser.authorize(authorizationUrl);
    const second = open({ store });
    await second.session.completeSignIn(redirect);
    expect(await second.session.api.userInfo()).toMatchObject({ sub: 'ada' });
    const error = await second.failureOf(second.session.completeSignIn(redirect));
    expect(error.code).toBe('malformed_response');
    expect(second.session.state.name).toBe('signedIn');
    expect(second.count('authorization_code')).toBe(1);
  });

  test('what the server leaves out is not claimed, nor asked for again', async () => {
    // Without prompt=consent this server grants no offline_access.
    const { session, count } = await signedIn({ authorizationParameters: {} });
    expect(session.state).toMatchObject({ name: 'signedIn', scopes: ['openid', 'email'] });
    const token = await session.getAccessToken({ minValidityMs: HUGE_MS });
    expect(await askUserInfo(token)).toBe(200);
    expect(count('refresh_token')).toBe(0);
  });

  test('case 114: a confidential client whose id and secret are full of what must be encoded', async () => {
    const { confidential } = servers.clients;
    const { session, posts } = await signedIn({ client: confidential });
    await session.getAccessToken({ minValidityMs: HUGE_MS });
    expect(await session.api.userInfo()).toMatchObject({ sub: 'ada' });
    await session.signOut();
    // The header carries them, so the body does not.
    for (const { form } of posts) {
      expect(form).not.toHaveProperty('client_id');
      expect(form).not.toHaveProperty('client_secret');
    }
  });
});

describe('case 23: a denial', () => {
  const DENIED = { person: { decision: 'deny' } } as const;

  test('is access_denied, with what to do about it', async () => {
    const { session, failureOf, posts, pages } = open(DENIED);
    const error = await failureOf(session.signIn());
    expect(error).toMatchObject({
      code: 'access_denied',
      hint: expect.stringContaining('Allow'),
      details: { error: 'access_denied', errorDescription: 'End-User aborted interaction' },
    });
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
    expect(posts).toEqual([]);
    expect(await pages[0]).toMatchObject({ url: expect.stringMatching(/\/not-signed-in$/) });
  });

  test('leaves whoever was signed in', async () => {
    const store = memoryStore();
    const before = await signedIn({ store });
    const { session, failureOf, names } = open({ ...DENIED, store });
    expect(await failureOf(session.signIn())).toMatchObject({ code: 'access_denied' });
    expect(names().at(-1)).toBe('sessionKept');
    expect(await session.getAccessToken()).toBe(before.stored().accessToken);
    expect(await session.api.userInfo()).toMatchObject({ sub: 'ada' });
  });
});

describe('refreshing', () => {
  test('rotates: one request for all who ask, the new token stored before it is used', async () => {
    const { session, stored, count } = await signedIn();
    const first = stored();
    const asked = Array.from({ length: 100 }, () =>
      session.getAccessToken({ minValidityMs: HUGE_MS }),
    );
    const tokens = new Set(await Promise.all(asked));
    expect(count('refresh_token')).toBe(1);
    expect([...tokens]).toEqual([stored().accessToken]);
    expect(stored().accessToken).not.toBe(first.accessToken);
    expect(stored().refreshToken).not.toBe(first.refreshToken);
    expect(await askUserInfo(stored().accessToken)).toBe(200);
  });

  test('goes on, rotation by rotation', async () => {
    const { session, stored, count } = await signedIn();
    const seen = new Set([stored().refreshToken]);
    for (let round = 1; round <= 5; round += 1) {
      await session.getAccessToken({ minValidityMs: HUGE_MS });
      expect(count('refresh_token')).toBe(round);
      seen.add(stored().refreshToken);
    }
    expect(seen.size).toBe(6);
    expect(session.state.name).toBe('signedIn');
  });

  test('happens by itself when the lifetime that the server stated is over', async () => {
    const clock = { aheadMs: 0 };
    const { session, count } = await signedIn({ clock, client: servers.clients.shortLived });
    const first = await session.getAccessToken();
    clock.aheadMs = 15_000;
    expect(await session.getAccessToken()).toBe(first);
    clock.aheadMs = 19_000; // of 20 s
    expect(await session.getAccessToken()).not.toBe(first);
    expect(count('refresh_token')).toBe(1);
  });

  test('happens once when the server will not have a token that should still be good', async () => {
    const glass = glassStore();
    await signedIn({ store: glass.store });
    const { key, value } = glass.only();
    await glass.store.set(key, JSON.stringify({ ...JSON.parse(value), accessToken: 'forgotten' }));
    const { session, count } = open({ store: glass.store });
    expect(await session.api.userInfo()).toMatchObject({ sub: 'ada' });
    expect(count('refresh_token')).toBe(1);
    expect(session.state.name).toBe('signedIn');
  });

  test('case 123: an answer that is lost leaves the session; the server, being strict, then ends it', async () => {
    let isCut = true;
    const { session, failureOf, stored, names, count } = await signedIn({
      async http(request, send) {
        const answer = await send(request);
        if (!String(request.body).includes('refresh_token=') || !isCut) return answer;
        throw new TypeError('fetch failed');
      },
    });
    const { accessToken } = stored();
    // The token at hand is good as it is; that nothing new could be had is told by the state.
    expect(await session.getAccessToken({ minValidityMs: HUGE_MS })).toBe(accessToken);
    expect(session.state.name).toBe('degraded');
    isCut = false;
    const error = await failureOf(session.getAccessToken({ minValidityMs: HUGE_MS }));
    expect(error).toMatchObject({ code: 'sign_in_required', details: { reason: 'rejected' } });
    expect(names().slice(-2)).toEqual(['refreshDue', 'grantRejected']);
    expect(count('refresh_token')).toBe(2);
  });

  test('case 128: a refresh token used twice ends both sessions, once each', async () => {
    const glass = glassStore();
    const owner = await signedIn({ store: glass.store });
    const stolen = await copyOf(glass.only());
    const spent = owner.stored().refreshToken;
    await owner.session.getAccessToken({ minValidityMs: HUGE_MS });

    const thief = open({ store: stolen });
    const error = await thief.failureOf(thief.session.getAccessToken({ minValidityMs: HUGE_MS }));
    expect(error).toMatchObject({
      code: 'sign_in_required',
      details: { reason: 'rejected' },
      cause: { code: 'invalid_grant', details: { status: 400, error: 'invalid_grant' } },
    });
    expect(thief.posts.map(({ form }) => form['refresh_token'])).toEqual([spent]);
    expect(thief.session.state).toEqual({ name: 'signedOut', reason: 'rejected' });
    expect(await stolen.get(glass.only().key)).toBeNull();

    const asked = [1, 2, 3].map(() =>
      owner.failureOf(owner.session.getAccessToken({ minValidityMs: HUGE_MS })),
    );
    for (const each of asked) expect((await each).code).toBe('sign_in_required');
    expect(owner.names().filter((name) => name === 'grantRejected')).toHaveLength(1);
    expect(glass.values.size).toBe(0);

    // From now on nobody is asked: not the server, and not the user.
    const { length } = owner.posts;
    expect(await owner.failureOf(owner.session.getAccessToken())).toMatchObject({
      code: 'sign_in_required',
    });
    expect(owner.posts).toHaveLength(length);
  });

  test('case 118: a secret that is wrong keeps the tokens, and does not ask in a loop', async () => {
    const { confidential } = servers.clients;
    const glass = glassStore();
    await signedIn({ store: glass.store, client: confidential });
    const { value } = glass.only();
    const wrong = { ...confidential, client_secret: 'of last year' };
    const { session, changes, count } = open({ store: glass.store, client: wrong });
    const token = await session.getAccessToken({ minValidityMs: HUGE_MS });
    expect(await askUserInfo(token)).toBe(200);
    expect(changes.at(-1)).toMatchObject({ to: 'degraded', error: { code: 'invalid_client' } });
    expect(count('refresh_token')).toBe(1);
    expect(glass.only().value).toBe(value);
  });
});

describe('case 138: signing out', () => {
  test('revokes: neither token is good for anything', async () => {
    const glass = glassStore();
    const { session, stored } = await signedIn({ store: glass.store });
    const { accessToken, refreshToken } = stored();
    await session.signOut();
    expect(session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
    expect(glass.values.size).toBe(0);
    expect(await refreshElsewhere(refreshToken)).toMatchObject({
      status: 400,
      json: { error: 'invalid_grant' },
    });
    expect(await askUserInfo(accessToken)).toBe(401);
  });

  test('works without the server', async () => {
    const glass = glassStore();
    const { session } = await signedIn({
      store: glass.store,
      http: (request, send) =>
        request.url.endsWith('/revocation')
          ? Promise.reject(new TypeError('fetch failed'))
          : send(request),
    });
    await session.signOut();
    expect(session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
    expect(glass.values.size).toBe(0);
  });
});

describe('a redirect that is not what the server sent', () => {
  const withIss = (iss: (own: string) => string) => (redirect: URL) => {
    redirect.searchParams.set('iss', iss(redirect.searchParams.get('iss') ?? ''));
    return redirect;
  };

  // prettier-ignore
  test.each<[string, (redirect: URL) => URL | string]>([
    ['case 30: iss of another server',       withIss(() => 'https://evil.example')],
    ['case 30: iss of the other server here', withIss(() => servers.other)],
    ['case 31: iss missing',                 (redirect) => (redirect.searchParams.delete('iss'), redirect)],
    ['case 31: iss empty',                   withIss(() => '')],
    ['case 32: iss with a slash behind',     withIss((own) => `${own}/`)],
    ['case 32: iss in other letters',        withIss((own) => own.replace('http', 'HTTP'))],
    ['case 32: iss without its port',        withIss((own) => own.replace(/:\d+$/, ''))],
    ['case 32: iss under another name',      withIss((own) => own.replace('127.0.0.1', 'localhost'))],
    ['case 32: iss with a percent',          withIss((own) => own.replace('127', '%3127'))],
    ['case 32: iss with a blank',            withIss((own) => `${own} `)],
  ])('%s: issuer_mismatch, and no token request', async (_, rewrite) => {
    const { session, failureOf, posts, pages } = open({ rewrite });
    const error = await failureOf(session.signIn());
    expect(error).toMatchObject({
      code: 'issuer_mismatch',
      details: { expected: servers.issuer },
    });
    expect(posts).toEqual([]);
    expect(session.state.name).toBe('signedOut');
    expect(await pages[0]).toMatchObject({ url: expect.stringMatching(/\/not-signed-in$/) });
  });

  test('case 33: a mix-up: the answer of another server, for our attempt, goes to neither', async () => {
    const { session, failureOf, posts } = open({
      async rewrite(redirect) {
        const { searchParams } = redirect;
        const request = new URL(`${servers.other}/auth`);
        const { client_id } = servers.clients.native;
        request.search = String(
          new URLSearchParams({
            client_id,
            response_type: 'code',
            redirect_uri: redirect.origin + redirect.pathname,
            scope: 'openid',
            code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
            code_challenge_method: 'S256',
            state: searchParams.get('state') ?? '',
          }),
        );
        return createHttpBrowser().authorize(request.href);
      },
    });
    expect(await failureOf(session.signIn())).toMatchObject({
      code: 'issuer_mismatch',
      details: { expected: servers.issuer, received: servers.other },
    });
    expect(posts).toEqual([]);
  });

  /** The code that somebody else gets, who never goes to the redirect. */
  async function codeOfSomebodyElse(options: Partial<OidcSessionOptions>): Promise<string> {
    const browser = createHttpBrowser({ login: 'mallory' });
    let redirect = '';
    const stop = new AbortController();
    const { session, failureOf } = open({
      ...options,
      async openBrowser(url) {
        redirect = await browser.authorize(url);
        stop.abort();
      },
    });
    await failureOf(session.signIn({ signal: stop.signal }));
    return new URL(redirect).searchParams.get('code') ?? '';
  }

  // With the same address it is PKCE alone that tells the two attempts apart.
  test.each(['another address', 'the same address', 'another client'])(
    'case 34: a code obtained with %s, with our state: refused, and who was signed in stays',
    async (how) => {
      const { native, shortLived } = servers.clients;
      const port = await freePort();
      const redirect =
        how === 'another address' ? undefined : [`http://127.0.0.1:${port}/callback`];
      const options = redirect ? { redirect } : {};
      const store = memoryStore();
      const before = await signedIn({ store });
      const code = await codeOfSomebodyElse({
        ...options,
        client: how === 'another client' ? shortLived : native,
      });
      const { session, failureOf, count, names } = open({
        ...options,
        store,
        rewrite: (url) => (url.searchParams.set('code', code), url),
      });
      expect(await failureOf(session.signIn())).toMatchObject({
        code: 'invalid_grant',
        details: { status: 400, error: 'invalid_grant' },
      });
      expect(count('authorization_code')).toBe(1);
      expect(names().at(-1)).toBe('sessionKept');
      expect(await session.getAccessToken()).toBe(before.stored().accessToken);
      expect(await session.api.userInfo()).toMatchObject({ sub: 'ada' });
    },
  );

  test('a state of another attempt is passed over, and the right one still arrives', async () => {
    const browser = createHttpBrowser();
    const { session, redirects, pages } = await signedIn({
      async rewrite(redirect) {
        const stray = new URL(redirect);
        stray.searchParams.set('state', 'of-another-attempt');
        expect(await browser.load(stray.href)).toMatchObject({ status: 400 });
        return redirect;
      },
    });
    expect(session.state.name).toBe('signedIn');
    expect(redirects).toHaveLength(1);
    expect(await pages[0]).toMatchObject({ status: 200 });
  });
});

describe('case 112: a code', () => {
  test('is sent once, however often the redirect is loaded', async () => {
    const reloads: Promise<Response>[] = [];
    const { session, count, pages } = await signedIn({
      rewrite(redirect) {
        for (let reload = 0; reload < 5; reload += 1) {
          reloads.push(fetch(redirect, { redirect: 'manual' }));
        }
        return redirect;
      },
      async http(request, send) {
        if (String(request.body).includes('code=')) await moment();
        return send(request);
      },
    });
    expect(count('authorization_code')).toBe(1);
    const { url } = (await pages[0]) ?? {};
    expect(url).toMatch(/\/signed-in$/);
    // A reload, a second tab, a link's preview: they are told the same.
    for (const reload of await Promise.all(reloads)) {
      expect(reload.headers.get('location')).toBe(url);
    }
    expect(await session.api.userInfo()).toMatchObject({ sub: 'ada' });
  });

  test('case 52: is shown as accepted to the browser, though a scanner came too and hung up', async () => {
    let arrived = () => {};
    const scannerCame = new Promise<void>((resolve) => (arrived = resolve));
    const { pages } = await signedIn({
      rewrite(redirect) {
        const scanner = new AbortController();
        setTimeout(async () => {
          const scanned = fetch(redirect, { signal: scanner.signal }).catch(() => {});
          await moment();
          scanner.abort();
          await scanned;
          await moment();
          arrived();
        }, 50);
        return redirect;
      },
      async http(request, send) {
        if (String(request.body).includes('code=')) await scannerCame;
        return send(request);
      },
    });
    expect(await pages[0]).toMatchObject({ url: expect.stringMatching(/\/signed-in$/) });
  });

  // Known: the port closes when one browser has its page, though another was sent there as well.
  test('case 52: a second tab that was sent to the last page gets it, too', async () => {
    const browser = createHttpBrowser();
    let tabs: Promise<Response>[] = [];
    const { session } = open({
      async openBrowser(url) {
        const redirect = await browser.authorize(url);
        tabs = [1, 2].map(() => fetch(redirect, { redirect: 'manual' }));
      },
      async http(request, send) {
        if (String(request.body).includes('code=')) await moment();
        return send(request);
      },
    });
    const over = session.signIn();
    while (tabs.length === 0) await moment();
    const [first, second] = await Promise.all(tabs);
    const placeOf = (tab?: Response) => tab?.headers.get('location') ?? '';
    expect((await browser.load(placeOf(first))).status).toBe(200);
    await moment();
    expect((await browser.load(placeOf(second))).status).toBe(200);
    await over;
  });

  test('is not sent again when the answer is lost: the server would take back what it gave', async () => {
    let answer: { access_token: string } | undefined;
    const created = open({
      async http(request, send) {
        const { status, headers, body } = await send(request);
        if (!String(request.body).includes('code=')) return { status, headers, body };
        let text = '';
        for await (const chunk of body) text += new TextDecoder().decode(chunk);
        answer = JSON.parse(text);
        throw new TypeError('fetch failed');
      },
    });
    const { session, failureOf, count, posts, pages } = created;
    expect(await failureOf(session.signIn())).toMatchObject({ code: 'network_error' });
    expect(count('authorization_code')).toBe(1);
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
    expect(await pages[0]).toMatchObject({ url: expect.stringMatching(/\/not-signed-in$/) });

    const token = answer?.access_token ?? '';
    expect(await askUserInfo(token)).toBe(200);
    expect(await ask('/token', posts[0]?.form ?? {})).toMatchObject({ status: 400 });
    expect(await askUserInfo(token)).toBe(401);
  });
});

describe('a mistake in the settings', () => {
  test('a secret that is wrong: invalid_client, after one request', async () => {
    const client = { ...servers.clients.confidential, client_secret: 'wrong' };
    const { session, failureOf, posts, pages } = open({ client });
    expect(await failureOf(session.signIn())).toMatchObject({
      code: 'invalid_client',
      hint: 'Check the client ID and secret.',
      details: { status: 401 },
    });
    expect(posts).toHaveLength(1);
    expect(await pages[0]).toMatchObject({ text: expect.stringContaining('client ID and secret') });
  });

  test('a client nobody knows: the server tells the user, and the sign-in waits to be ended', async () => {
    const stop = new AbortController();
    let shown = '';
    const { session, failureOf, names, browser } = open({
      client: { client_id: 'nobody' },
      async openBrowser(url) {
        const error = await browser.authorize(url).catch((error: Error) => error);
        shown = String(error);
        stop.abort();
      },
    });
    expect(await failureOf(session.signIn({ signal: stop.signal }))).toMatchObject({
      code: 'sign_in_cancelled',
    });
    expect(shown).toContain('invalid_client');
    expect(names()).toEqual(['signInRequested', 'addressReady', 'signInFailed']);
  });

  test('a scope the client may not have: oauth_error in the server’s words', async () => {
    const { session, failureOf, posts } = open({ scopes: ['openid', 'profile'] });
    expect(await failureOf(session.signIn())).toMatchObject({
      code: 'oauth_error',
      details: { error: 'invalid_scope', errorDescription: expect.stringMatching(/scope/) },
    });
    expect(posts).toEqual([]);
  });

  test.each<[string, string, (issuer: string) => string]>([
    ['with a slash behind', 'discovery_failed', (issuer) => `${issuer}/`],
    ['in capital letters', 'discovery_failed', (issuer) => issuer.replace('http', 'HTTP')],
    [
      'by another name of this machine',
      'discovery_failed',
      (issuer) => issuer.replace('127.0.0.1', 'localhost'),
    ],
    ['with a path', 'discovery_failed', (issuer) => `${issuer}/realms/main`],
    ['with the port of nobody', 'network_error', (issuer) => issuer.replace(/\d+$/, '1')],
  ])('case 168: the issuer %s: %s, and no browser', async (_, code, spell) => {
    const openBrowser = jest.fn();
    const { session, failureOf } = open({ issuer: spell(servers.issuer), openBrowser });
    const error = await failureOf(session.signIn());
    expect(error.code).toBe(code);
    expect(openBrowser).not.toHaveBeenCalled();
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
  });
});

describe('oauth4webapi, for a second opinion', () => {
  test('reads the same out of the server’s metadata and its redirect', async () => {
    const oauth = await import('oauth4webapi');
    const { posts, redirects, addresses } = await signedIn();
    const issuer = new URL(servers.issuer);
    const insecure = { [oauth.allowInsecureRequests]: true };
    const answer = await oauth.discoveryRequest(issuer, insecure);
    const server = await oauth.processDiscoveryResponse(issuer, answer);
    expect(posts[0]?.path).toBe(new URL(server.token_endpoint ?? '').pathname);

    const { client_id } = servers.clients.native;
    const redirect = new URL(redirects[0] ?? '');
    const state = redirect.searchParams.get('state') ?? '';
    const read = oauth.validateAuthResponse(server, { client_id }, redirect, state);
    expect(posts[0]?.form['code']).toBe(read.get('code'));
    const challenge = await oauth.calculatePKCECodeChallenge(posts[0]?.form['code_verifier'] ?? '');
    const authorization = new URL(addresses[0] ?? '');
    expect(authorization.searchParams.get('code_challenge')).toBe(challenge);
  });
});

/** Long enough for a request to arrive here. */
const moment = () => new Promise((done) => setTimeout(done, 50));

/** A port nobody has just now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
