import { createHash, webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ErrorCode } from 'mortise';
import { failureOf } from '../api/support/failure.js';
import type { Reply, SentRequest } from '../api/support/scripted-http.js';
import { json } from './support/fake-host.js';
import {
  PUBLIC,
  REDIRECT_URI,
  SERVER,
  bodyOf,
  createSpeckleStage,
  placeOf,
  type SpeckleStage,
} from './support/speckle.js';

const printed = (name: string) =>
  readFileSync(resolve(__dirname, '../fixtures/speckle', name), 'utf8');

/** Runs what the document prints, in a page that has these globals and no others. */
function run<T>(name: string, call: string, page: Readonly<Record<string, unknown>>): T {
  const code = `'use strict';\n${printed(name)}\nreturn ${call};`;
  return new Function(...Object.keys(page), code)(...Object.values(page)) as T;
}

/** The request that a printed function sends. */
async function requestOf(
  name: string,
  call: string,
  page: object,
): Promise<Pick<SentRequest, 'method' | 'url' | 'headers' | 'body'>> {
  let asked: Pick<SentRequest, 'method' | 'url' | 'headers' | 'body'> | undefined;
  const fetch = async (url: string, { method, headers, body }: SentRequest) => {
    const lower = Object.entries(headers).map(([key, value]) => [key.toLowerCase(), value]);
    asked = { method, url, headers: Object.fromEntries(lower), body };
    return { ok: true, json: async () => ({}) };
  };
  await run<Promise<unknown>>(name, call, { ...page, fetch });
  return asked!;
}

/** Beside what is printed we only say that JSON is wanted. */
const asPrinted = ({ method, url, headers, body }: SentRequest) => {
  const { accept, ...rest } = headers;
  expect(accept).toBe('application/json');
  return { method, url, headers: rest, body };
};

const ME = 'query Me($unused: String) { activeUser { id name } }';

let stage: SpeckleStage;

beforeEach(() => void (stage = createSpeckleStage({ options: PUBLIC })));
afterEach(async () => {
  await stage.session.close();
  expect(stage.clock.pending).toBe(0);
});

/** What we made for this sign-in, told by what we sent. */
const pairOf = (page: URL) => ({
  codeChallenge: page.pathname.split('/').at(-1)!,
  codeVerifier: String(bodyOf(stage.sentTo('POST /oauth/token')[0])['codeVerifier']),
});

describe('Registering Your Application', () => {
  test.each(['https://yourapp.com/callback', 'http://localhost:3000/callback'])(
    'the redirect URI %s must match exactly: it is the only one that is listened on',
    async (redirectUri) => {
      const own = createSpeckleStage({ options: { ...PUBLIC, redirectUri } });
      const page = await own.signIn();
      expect(page.search).toBe('?code_challenge_method=S256');
      const done = failureOf(own.session.beginSignIn({ redirectUri: `${redirectUri}/other` }));
      expect((await done).code).toBe('configuration_error');
      await own.session.close();
    },
  );

  test('the table of scopes: what is missing is named, with where its author adds it', async () => {
    const rows = printed('common-scopes.txt').split('\n');
    const scopes = rows.map((row) => /^[a-z]+:[a-z]+/.exec(row)![0]);
    expect(scopes).toEqual(['streams:read', 'streams:write', 'profile:read', 'profile:email']);
    await stage.signIn();
    for (const scope of scopes) {
      const extensions = { code: 'FORBIDDEN', scope, statusCode: 403 };
      stage.instead = { 'POST /graphql': json({ errors: [{ extensions }], data: null }) };
      const error = await failureOf(stage.session.api.graphql(ME));
      expect(error).toMatchObject({
        code: 'insufficient_scope',
        details: { status: 403, scope },
        hint: expect.stringMatching(/Settings, Developer, Apps\. Then sign in again/),
      });
    }
    expect(stage.session.state.name).toBe('signedIn');
  });

  test('users can revoke at any time: then they are asked to sign in', async () => {
    await stage.signIn();
    stage.instead = { 'POST /graphql': json({ error: 'Your token is not valid.' }, 403) };
    const error = await failureOf(stage.session.api.activeUser());
    expect(error).toMatchObject({ code: 'sign_in_required', details: { reason: 'rejected' } });
  });
});

describe('Implementing OAuth2 with PKCE', () => {
  test('step 1: verifier and challenge are what the printed function makes of the same bytes', async () => {
    const { codeVerifier, codeChallenge } = pairOf(await stage.signIn());
    expect(codeVerifier).toMatch(/^[\w-]{43}$/);
    const bytes = Buffer.from(codeVerifier, 'base64url');
    const crypto = {
      getRandomValues: (array: Uint8Array) => array.set(bytes),
      subtle: webcrypto.subtle,
    };
    const pair = run<Promise<object>>('generate-pkce-pair.txt', 'generatePKCEPair()', { crypto });
    expect(await pair).toEqual({ codeVerifier, codeChallenge });
    expect(codeChallenge).toBe(createHash('sha256').update(codeVerifier).digest('base64url'));
  });

  test('step 1: they are new each time', async () => {
    const [one, other] = [await stage.signIn(), await stage.signIn()];
    expect(one.pathname).not.toBe(other.pathname);
  });

  test('step 2: the address is the printed one, but for the & that begins no query', async () => {
    const page = await stage.signIn();
    const pair = pairOf(page);
    const window = { location: { href: '' } };
    await run<Promise<void>>('initiate-auth.txt', `initiateAuth('${SERVER}', '${PUBLIC.appId}')`, {
      window,
      generatePKCEPair: async () => pair,
      sessionStorage: { setItem: () => {} },
    });
    const { href } = window.location;
    expect(new URL(href).search).toBe('');
    expect(page.href).toBe(href.replace('&', '?'));
  });

  test('step 3: the code is the one that the printed function finds', async () => {
    const done = stage.start();
    const page = await stage.host.consentPage();
    const redirect = await stage.click('allow', page);
    expect(redirect.startsWith(`${REDIRECT_URI}?access_code=`)).toBe(true);
    const window = { location: new URL(redirect) };
    const code = run<string>('get-access-code.txt', 'getAccessCode()', { window });
    await stage.host.visit().onRedirect(redirect);
    await done;
    expect(bodyOf(stage.sentTo('POST /oauth/token')[0])['accessCode']).toBe(code);
  });

  test('step 3: No access_code found in callback URL', async () => {
    const done = stage.start({ timeoutMs: 60_000 });
    await stage.host.consentPage();
    const outcome = await stage.host.visit().onRedirect(REDIRECT_URI);
    expect(outcome).toEqual({ kind: 'ignored' });
    expect(stage.session.state).toMatchObject({ name: 'authorizing', ignoredRedirects: 1 });
    expect(stage.sentTo('POST /oauth/token')).toEqual([]);
    expect((await stage.over(failureOf(done))).code).toBe('sign_in_timeout');
  });

  test('step 4: the exchange is the printed request, byte for byte', async () => {
    const { codeVerifier } = pairOf(await stage.signIn());
    const [exchange] = stage.sentTo('POST /oauth/token');
    const expected = await requestOf(
      'exchange-code-for-token.txt',
      `exchangeCodeForToken('${SERVER}', '${PUBLIC.appId}')`,
      {
        getAccessCode: () => bodyOf(exchange)['accessCode'],
        sessionStorage: { getItem: () => codeVerifier },
      },
    );
    expect(asPrinted(exchange!)).toEqual(expected);
  });

  test('step 4: the printed answer is understood', async () => {
    const [, names = ''] = /\/\/ \{ (.*) \}/.exec(printed('exchange-code-for-token.txt'))!;
    const answer = Object.fromEntries(names.split(', ').map((name) => [name, `the-${name}`]));
    expect(answer).toEqual({ token: 'the-token', refreshToken: 'the-refreshToken' });
    stage.instead = { 'POST /oauth/token': json(answer) };
    await stage.signIn();
    expect(await stage.session.getAccessToken()).toBe('the-token');
    expect(stage.session.state).toEqual({ name: 'signedIn', expiresAtMs: null, scopes: [] });
    await stage.clock.advance(100 * 365 * 86_400_000);
    expect(await stage.session.getAccessToken()).toBe('the-token');
  });

  test.each<[number, ErrorCode, Reply]>([
    [400, 'oauth_error', json({ err: 'Something else.' }, 400)],
    [401, 'oauth_error', { status: 401, body: 'Unauthorized' }],
    [404, 'http_error', { status: 404, body: '<html>' }],
    [500, 'http_error', json({ error: { message: 'a', code: 'b' } }, 500)],
  ])('step 4: Token exchange failed: %d', async (status, code, answer) => {
    stage.instead = { 'POST /oauth/token': answer };
    const error = await failureOf(stage.signIn());
    expect(error).toMatchObject({ code, details: { status } });
    expect(stage.session.state).toEqual({ name: 'signedOut', reason: 'never' });
  });

  test('step 5: the token is stored, and the one-time verifier is in no store', async () => {
    const written: string[] = [];
    const { store } = stage.host;
    const own = createSpeckleStage({
      options: PUBLIC,
      store: {
        ...store,
        set: (key, value) => {
          written.push(value);
          return store.set(key, value);
        },
      },
    });
    await own.signIn();
    const { codeVerifier } = bodyOf(own.sentTo('POST /oauth/token')[0]);
    expect(written).toHaveLength(1);
    expect(written[0]).toContain(await own.session.getAccessToken());
    expect(written[0]).not.toContain(codeVerifier);
    await own.session.close();
  });

  test.each([
    ['without variables', ME, undefined],
    ['with variables', ME, { unused: 'ü "quoted"' }],
  ])('step 6: a query %s is the printed request, byte for byte', async (_, query, variables) => {
    await stage.signIn();
    const { data } = await stage.session.api.graphql(query, variables);
    expect(data).toEqual({ activeUser: { id: expect.any(String), name: 'John Doe' } });
    const token = await stage.session.getAccessToken();
    const args = [SERVER, query, ...(variables ? [variables] : [])];
    const expected = await requestOf(
      'speckle-query.txt',
      `speckleQuery(${args.map((each) => JSON.stringify(each)).join(', ')})`,
      { sessionStorage: { getItem: () => token } },
    );
    expect(asPrinted(stage.sent.at(-1)!)).toEqual(expected);
  });

  test('step 6: the token goes in the header of REST requests, too', async () => {
    await stage.signIn();
    stage.instead = { 'GET /objects/p/o/single': json({ id: 'o' }) };
    const answer = await stage.session.api.request({ path: 'objects/p/o/single' });
    expect(await answer.json()).toEqual({ id: 'o' });
    expect(stage.sent.at(-1)).toMatchObject({
      url: `${SERVER}/objects/p/o/single`,
      headers: { authorization: `Bearer ${await stage.session.getAccessToken()}` },
    });
  });

  test('all in all it takes these requests, in this order', async () => {
    await stage.signIn();
    await stage.session.api.activeUser();
    expect(stage.sent.map(placeOf)).toEqual([
      'GET /oauth/token',
      'POST /oauth/token',
      'POST /graphql',
    ]);
  });
});
