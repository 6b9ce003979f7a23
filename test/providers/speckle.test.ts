import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { createSession, memoryStore, type ErrorCode } from 'mortise';
import { speckle, type SpeckleApi, type SpeckleOptions } from 'mortise/providers/speckle';
import { FAULTS, type FaultName } from 'mortise/sandbox';
import { failureOf } from '../api/support/failure.js';
import type { Reply } from '../api/support/scripted-http.js';
import { settle } from '../support/fake-clock.js';
import { json } from './support/fake-host.js';
import {
  APP_SECRET,
  CONFIDENTIAL,
  PUBLIC,
  REDIRECT_URI,
  SERVER,
  bodyOf,
  createSpeckleStage,
  placeOf,
  type SpeckleStage,
  type SpeckleStageOptions,
} from './support/speckle.js';

const NOT_VALID = json({ error: 'Your token is not valid.' }, 403);
const NO_NEW_EXCHANGE: Reply = { status: 404, body: 'Not Found' };
const NEVER = { name: 'signedOut', reason: 'never' };
const refused = (err: string, status = 401) => json({ err }, status);
const configuration = expect.objectContaining({ code: 'configuration_error' });

const stages: SpeckleStage[] = [];

function setUp(options?: SpeckleStageOptions): SpeckleStage {
  const stage = createSpeckleStage(options);
  stages.push(stage);
  return stage;
}

async function signedIn(options?: SpeckleStageOptions): Promise<SpeckleStage> {
  const stage = setUp(options);
  await stage.signIn();
  return stage;
}

afterEach(async () => {
  for (const { session, clock, sent } of stages.splice(0)) {
    await session.close();
    expect(clock.pending).toBe(0);
    // A stale bearer is refused before the handler runs, so none is ever sent there.
    for (const request of sent.filter(({ url }) => /\/(oauth|auth)\//.test(url))) {
      expect(request.headers).not.toHaveProperty('authorization');
    }
    // Neither secret nor token is ever in an address.
    for (const { url } of sent) expect(url).not.toMatch(/SECRET|sandbox\./);
  }
});

describe('options', () => {
  // prettier-ignore
  test.each<[string, Partial<Record<keyof SpeckleOptions, unknown>>]>([
    ['no app ID',                     { appId: '' }],
    ['an app ID that is a path',      { appId: 'a/b' }],
    ['an app ID that is a query',     { appId: 'a?b' }],
    ['an app ID with a line end',     { appId: 'a\n' }],
    ['no app ID',                     { appId: undefined }],
    ['an empty secret',               { appSecret: '' }],
    ['a secret that is no text',      { appSecret: null }],
    ['no redirect URI',               { redirectUri: undefined }],
    ['a relative redirect URI',       { redirectUri: '/callback' }],
    ['a redirect URI with a query',   { redirectUri: `${REDIRECT_URI}?from=cad` }],
    ['a redirect URI with a ?',       { redirectUri: `${REDIRECT_URI}?` }],
    ['one with a fragment',           { redirectUri: `${REDIRECT_URI}#a` }],
    ['one of 101 characters',         { redirectUri: `https://a.example/${'a'.repeat(83)}` }],
  ])('%s is refused', (_, more) => {
    expect(() => speckle({ ...CONFIDENTIAL, ...more } as SpeckleOptions)).toThrow(configuration);
  });

  test('a redirect URI of 100 characters, and one of a scheme of its own, can be registered', () => {
    const longest = `https://a.example/${'a'.repeat(82)}`;
    for (const redirectUri of [longest, 'myapp://cb', 'http://localhost:3000']) {
      expect(speckle({ ...PUBLIC, redirectUri }).redirect).toEqual([redirectUri]);
    }
  });

  test('the redirect is the registered one, with its port', async () => {
    const redirectUri = 'http://localhost:29363';
    const stage = await signedIn({ options: { ...CONFIDENTIAL, redirectUri } });
    expect(stage.session.state.name).toBe('signedIn');
    expect(stage.host.visit().redirect).toEqual([redirectUri]);
  });

  test('case 9: a public host refuses the secret', () => {
    const { host } = setUp({ options: PUBLIC });
    expect(host.client).toBe('public');
    const create = () => createSession({ host, provider: speckle(CONFIDENTIAL) });
    expect(create).toThrow(configuration);
  });

  test('no token can be had for fewer scopes', () => {
    const { session } = setUp();
    expect(() => session.share({ scopes: ['streams:read'] })).toThrow(configuration);
  });
});

describe('case 171: the server', () => {
  // prettier-ignore
  test.each([
    [undefined,                                     'https://app.speckle.systems'],
    ['https://speckle.example',                     'https://speckle.example'],
    ['https://speckle.example/',                    'https://speckle.example'],
    ['  HTTPS://Speckle.EXAMPLE:443/projects/1 ',   'https://speckle.example'],
    ['speckle.example',                             'https://speckle.example'],
    ['speckle.example:8443/graphql?a=b#c',          'https://speckle.example:8443'],
    ['https://speckle.example/?next=//evil.example', 'https://speckle.example'],
    ['https://speckle.example\\@evil.example',      'https://speckle.example'],
    ['https://bücher.example',                      'https://xn--bcher-kva.example'],
    ['http://localhost:3000',                       'http://localhost:3000'],
    ['http://127.0.0.1',                            'http://127.0.0.1'],
    ['http://[::1]:80/',                            'http://[::1]'],
  ])('%j is %s', (serverUrl, origin) => {
    expect(speckle({ ...PUBLIC, ...(serverUrl && { serverUrl }) }).server).toBe(origin);
  });

  test.each([
    '',
    ' ',
    'http://speckle.example',
    'http://localhost.example',
    'http://127.0.0.1.example',
    'https://user@speckle.example',
    'https://user:password@speckle.example',
    'https://evil.example@speckle.example',
    'ftp://speckle.example',
    'file:///etc/hosts',
    'javascript:alert(1)',
    'https://',
    'https://a b.example',
    'speckle.example:port',
    null,
    7,
  ])('%j is none', (serverUrl) => {
    const options = { ...PUBLIC, serverUrl } as SpeckleOptions;
    expect(() => speckle(options)).toThrow(configuration);
  });

  test.each(['https:/speckle.example', 'https:\\\\speckle.example', 'http:/localhost'])(
    'a slip of the hand like %j is not the host of its scheme',
    (serverUrl) => {
      let server = '';
      try {
        server = new URL(speckle({ ...PUBLIC, serverUrl }).server).hostname;
      } catch (error) {
        expect(error).toEqual(configuration);
      }
      expect(server).not.toMatch(/^https?$/);
    },
  );

  test('however it is spelled, is the only one that ever hears of the session', async () => {
    const label = fc.stringMatching(/^[a-z]([a-z\d-]{0,8}[a-z\d])?$/);
    const host = fc.tuple(label, label).map(([a, b]) => `${a}.${b}.example`);
    const servers = fc.record({
      host,
      port: fc.option(fc.integer({ min: 1, max: 65_535 })),
      isShouted: fc.boolean(),
      hasScheme: fc.boolean(),
      tail: fc.constantFrom('', '/', '/projects/1', '/?a=https://evil.example', '#x', '//a/../b'),
      blanks: fc.constantFrom('', ' ', '\n\t'),
    });
    await fc.assert(
      fc.asyncProperty(servers, async ({ host, port, isShouted, hasScheme, tail, blanks }) => {
        const address = `${hasScheme ? 'https://' : ''}${host}${port === null ? '' : `:${port}`}`;
        const typed = `${blanks}${isShouted ? address.toUpperCase() : address}${tail}${blanks}`;
        const origin = `https://${host}${port === null || port === 443 ? '' : `:${port}`}`;
        const stage = setUp({ options: { ...CONFIDENTIAL, serverUrl: typed } });
        const page = await stage.signIn();
        expect(page.origin).toBe(origin);
        stage.instead = { 'POST /graphql': NOT_VALID };
        await failureOf(stage.session.api.activeUser());
        await failureOf(stage.session.api.request({ path: 'https://evil.example/' }));
        await stage.session.signOut();
        expect(stage.sentTo('POST /auth/logout')).toHaveLength(1);
        expect(new Set(stage.sent.map(({ url }) => new URL(url).origin))).toEqual(
          new Set([origin]),
        );
      }),
      { numRuns: 40 },
    );
  });

  test.each([
    'https://evil.example/graphql',
    'https://app.speckle.systems.evil.example/',
    'https://app.speckle.systems:444/graphql',
    'http://app.speckle.systems/graphql',
    '//evil.example',
    '/\\evil.example',
  ])('case 157: a request to %s is not sent', async (path) => {
    const { session, sent } = await signedIn();
    const before = sent.length;
    expect((await failureOf(session.api.request({ path }))).code).toBe('api_url_untrusted');
    expect(sent).toHaveLength(before);
  });

  test('case 159: that sends elsewhere is not followed, with or without a token', async () => {
    const location = { location: 'https://evil.example/' };
    const stage = await signedIn();
    stage.instead = {
      'POST /graphql': { status: 307, headers: location },
      'POST /auth/logout': { status: 308, headers: location },
    };
    expect(await failureOf(stage.session.api.activeUser())).toMatchObject({
      code: 'http_error',
      details: { status: 307 },
    });
    await stage.session.signOut();
    expect(stage.sent.filter(({ url }) => url.includes('evil'))).toEqual([]);
  });
});

describe('two servers side by side in one store', () => {
  const AT = ['https://one.example', 'https://two.example'] as const;

  test('never mix: sign-in, tokens, renewal, sign-out', async () => {
    const store = memoryStore();
    const [one, two] = AT.map((serverUrl) =>
      setUp({ store, options: { ...CONFIDENTIAL, serverUrl } }),
    ) as [SpeckleStage, SpeckleStage];
    await one.signIn();
    expect((await failureOf(two.session.getAccessToken())).code).toBe('sign_in_required');
    expect(two.session.state).toEqual(NEVER);
    await two.signIn();
    const [oneToken, twoToken] = [
      await one.session.getAccessToken(),
      await two.session.getAccessToken(),
    ];
    one.instead = { 'POST /graphql': (request) => refuseOnce(request.headers, oneToken) };
    await one.session.api.activeUser();
    expect(one.sentTo('POST /auth/token')).toHaveLength(1);
    expect(await two.session.getAccessToken()).toBe(twoToken);
    await one.session.signOut();
    expect(await two.session.getAccessToken()).toBe(twoToken);
    expect((await two.session.api.activeUser())?.name).toBe('John Doe');
    for (const [index, stage] of [one, two].entries()) {
      expect(stage.sent.every(({ url }) => url.startsWith(`${AT[index]}/`))).toBe(true);
    }
  });

  test('a redirect of one is no answer to what the other began', async () => {
    const store = memoryStore();
    const [one, two] = AT.map((serverUrl) =>
      setUp({ store, options: { ...CONFIDENTIAL, serverUrl } }),
    ) as [SpeckleStage, SpeckleStage];
    const { authorizationUrl } = await one.session.beginSignIn({ redirectUri: REDIRECT_URI });
    const redirect = await one.click('allow', new URL(authorizationUrl));
    const error = await failureOf(two.session.completeSignIn(redirect));
    expect(error.code).toBe('malformed_response');
    expect(two.sentTo('POST /oauth/token')).toEqual([]);
    await one.session.completeSignIn(redirect);
  });

  test('case 156: what is stored names no server, and what is written into it is not believed', async () => {
    const stage = await signedIn();
    const [key, record] = [keyOf(SERVER), JSON.parse((await recordOf(stage))!)];
    expect(JSON.stringify(record)).not.toMatch(/https?:/);
    const evil = 'https://evil.example';
    const edited = { ...record, server: evil, serverUrl: evil, origin: evil, apiUrl: evil };
    await stage.host.store.set(key, JSON.stringify(edited));
    const again = setUp({ store: stage.host.store });
    expect((await again.session.api.activeUser())?.name).toBe('John Doe');
    await again.session.signOut();
    expect(again.sent.every(({ url }) => url.startsWith(`${SERVER}/`))).toBe(true);
  });

  test('the same server spelled in two ways is one', async () => {
    const store = memoryStore();
    const spelled = (serverUrl: string) =>
      setUp({ store, options: { ...CONFIDENTIAL, serverUrl } });
    const one = spelled('https://one.example');
    await one.signIn();
    const other = spelled('ONE.example:443/projects');
    expect(await other.session.getAccessToken()).toBe(await one.session.getAccessToken());
    expect(other.sent).toEqual([]);
  });
});

const refuseOnce = (headers: Readonly<Record<string, string>>, token: string) =>
  headers['authorization'] === `Bearer ${token}` ? NOT_VALID : undefined;

describe('which exchange a server has is told by the body of its answer', () => {
  // prettier-ignore
  test.each<[string, Reply, 'newer' | 'older']>([
    ['as it is',             { body: 'supported' },                       'newer'],
    ['as JSON',              json('supported'),                           'newer'],
    ['with blanks',          { body: ' Supported\r\n' },                  'newer'],
    ['with a mark',          { body: '\ufeffsupported' },                 'newer'],
    ['in a sentence',        { body: 'not supported' },                   'older'],
    ['in a page',            { body: '<html>supported</html>' },          'older'],
    ['twice',                { body: 'supported\nsupported' },            'older'],
    ['in a list',            json(['supported']),                         'older'],
    ['a page',               { body: '<!doctype html><title>Speckle' },   'older'],
    ['nothing',              { body: '' },                                'older'],
    ['204',                  { status: 204 },                             'older'],
    ['a way elsewhere',      { status: 302, body: 'supported' },          'older'],
    ['400',                  { status: 400, body: 'supported' },          'older'],
    ['404',                  { status: 404, body: 'supported' },          'older'],
    ['405',                  { status: 405 },                             'older'],
  ])('%s', async (_, probe, exchange) => {
    const stage = setUp();
    stage.instead = { 'GET /oauth/token': probe };
    const page = await stage.signIn();
    expect(page.search).toBe(exchange === 'newer' ? '?code_challenge_method=S256' : '');
    expect(stage.sent.map(placeOf)).toEqual([
      'GET /oauth/token',
      exchange === 'newer' ? 'POST /oauth/token' : 'POST /auth/token',
    ]);
    expect(stage.sent[0]!.headers).toEqual({ accept: 'application/json' });
  });

  test.each<[string, Reply, ErrorCode]>([
    ...[407, 408, 425, 429, 500, 502, 503, 504].map((status): [string, Reply, ErrorCode] => [
      String(status),
      { status, body: 'supported' },
      'discovery_failed',
    ]),
    ['5 MB', { body: 'supported'.padEnd(5_000_000) }, 'malformed_response'],
  ])('%s says nothing: nobody is signed in in the weaker way', async (_, probe, code) => {
    const stage = setUp();
    stage.instead = { 'GET /oauth/token': probe };
    const error = await failureOf(stage.signIn());
    expect(error.code).toBe(code);
    if (code === 'discovery_failed') {
      expect(error).toMatchObject({
        retryable: true,
        details: { issuer: SERVER, status: probe.status },
      });
    }
    expect(stage.sent.map(placeOf)).toEqual(['GET /oauth/token']);
    expect(stage.host.shown).toEqual([]);
    expect(stage.session.state).toEqual(NEVER);
    // Not remembered: the next try finds a server that is well.
    stage.instead = {};
    await stage.signIn();
    expect(stage.sentTo('POST /auth/token')).toEqual([]);
  });

  test('a network that breaks says nothing either', async () => {
    const stage = setUp();
    stage.instead = { 'GET /oauth/token': () => Promise.reject(new Error(APP_SECRET)) };
    expect((await failureOf(stage.signIn())).code).toBe('network_error');
    expect(stage.host.shown).toEqual([]);
  });

  test('is asked once a session', async () => {
    const stage = await signedIn();
    await stage.signIn();
    stage.instead = { 'POST /graphql': NOT_VALID };
    await failureOf(stage.session.api.activeUser());
    await stage.session.signOut();
    expect(stage.sentTo('GET /oauth/token')).toHaveLength(1);
  });

  test('without the secret the older one is of no use, and the hint says to whom to turn', async () => {
    const stage = setUp({ options: PUBLIC });
    stage.instead = { 'GET /oauth/token': NO_NEW_EXCHANGE };
    expect(await failureOf(stage.signIn())).toMatchObject({
      code: 'discovery_failed',
      retryable: false,
      details: { issuer: SERVER, status: 404, problem: expect.stringMatching(/appSecret/) },
      hint: expect.stringMatching(/author/),
    });
    expect(stage.host.shown).toEqual([]);
  });
});

describe('the older exchange', () => {
  const OLDER = { 'GET /oauth/token': NO_NEW_EXCHANGE };

  test('sends the challenge as it stood in the address, the secret, and no verifier', async () => {
    const stage = setUp();
    stage.instead = OLDER;
    const page = await stage.signIn();
    const [, , , appId, challenge] = page.pathname.split('/');
    expect([appId, page.search]).toEqual(['the-app-id', '']);
    expect(challenge).toMatch(/^[\w-]{43}$/);
    const [exchange] = stage.sentTo('POST /auth/token');
    expect(exchange!.headers).toEqual({
      accept: 'application/json',
      'content-type': 'application/json',
    });
    expect(bodyOf(exchange)).toEqual({
      appId: 'the-app-id',
      appSecret: APP_SECRET,
      accessCode: expect.stringMatching(/^sandbox-code-/),
      challenge,
    });
  });

  test('is announced as weaker as long as the user can still turn back', async () => {
    const stage = setUp();
    stage.instead = OLDER;
    const done = stage.start();
    const page = await stage.host.consentPage();
    expect(stage.session.state).toMatchObject({
      name: 'authorizing',
      weakness: 'pkce_not_checked',
      authorizationUrl: page.href,
    });
    await stage.host.visit().onRedirect(await stage.click('allow', page));
    await done;
  });

  test('and the newer one is not', async () => {
    const stage = setUp();
    const done = stage.start({ timeoutMs: 1_000 });
    await stage.host.consentPage();
    expect(stage.session.state).not.toHaveProperty('weakness');
    await stage.over(failureOf(done));
  });

  test('its challenge is new each time', async () => {
    const stage = setUp();
    stage.instead = OLDER;
    const [one, other] = [await stage.signIn(), await stage.signIn()];
    expect(one.pathname).not.toBe(other.pathname);
  });
});

describe.each([
  ['newer', 'POST /oauth/token', {}],
  ['older', 'POST /auth/token', { 'GET /oauth/token': NO_NEW_EXCHANGE }],
] as const)('what the %s exchange refuses', (_, exchange, instead) => {
  /** The user comes back with a code, and this is what the server says to it. */
  async function answered(answer: Reply) {
    const stage = setUp();
    stage.instead = { ...instead, [exchange]: answer };
    const done = stage.start({ timeoutMs: 60_000 });
    const page = await stage.host.consentPage();
    const outcome = await stage.host.visit().onRedirect(await stage.click('allow', page));
    return { stage, done, page, outcome };
  }

  // prettier-ignore
  test.each<[string, Reply]>([
    ['an unknown code',                   refused('Access code not found.')],
    ['one of another sign-in',            refused('Code challenge mismatch. Ensure the same challenge is used for authentication and token exchange.')],
    ['one of another app',                refused('Invalid request: application id does not match.')],
    ['one of another sign-in, on an older server', refused('Invalid request')],
    ['in the newer shape',                json({ error: { code: 'NOT_FOUND_ERROR', message: 'Access code not found.' } }, 404)],
    ['politely',                          refused('Access code not found.', 200)],
  ])('%s: waiting goes on, and the right one is taken', async (_, answer) => {
    const { stage, done, page, outcome } = await answered(answer);
    expect(outcome).toEqual({ kind: 'ignored' });
    expect(stage.session.state).toMatchObject({ name: 'authorizing', ignoredRedirects: 1 });
    expect(stage.changes.at(-1)?.event).toBe('codeRefused');
    stage.instead = instead;
    await stage.host.visit().onRedirect(await stage.click('allow', page));
    await done;
    expect(stage.sentTo(exchange)).toHaveLength(2);
  });

  // prettier-ignore
  test.each<[string, Reply, ErrorCode, object]>([
    ['a code that is too old',  refused('Access code expired'),                       'invalid_grant',      { status: 401, errorDescription: 'Access code expired' }],
    ['in the words of the RFC', json({ error: 'invalid_grant', error_description: 'No.' }, 400), 'invalid_grant', { status: 400, errorDescription: 'No.' }],
    ['as text of error',        json({ error: 'Access code expired' }, 400),          'invalid_grant',      { status: 400 }],
    ['a wrong secret',          refused('Invalid app secret. Ensure the app secret is correct.'), 'invalid_client', { status: 401, error: 'invalid_client', errorDescription: 'Invalid app secret. Ensure the app secret is correct.' }],
    ['a wrong one, on an older server', refused('Invalid app credentials'),                  'invalid_client',     { status: 401 }],
    ['an app it does not know', refused('Invalid app'),                               'oauth_error',        { status: 401, errorDescription: 'Invalid app' }],
    ['what lacks a field',      refused('Invalid request, insufficient information provided in the request.'), 'oauth_error', { status: 401 }],
    ['a trouble of its own',    refused('Knex: Timeout acquiring a connection.'),     'oauth_error',        { status: 401, error: 'invalid_request' }],
    ['a body it cannot read',   json({ error: { code: 'USER_INPUT_ERROR', message: 'Not JSON.' } }, 400), 'oauth_error', { error: 'USER_INPUT_ERROR', errorDescription: 'Not JSON.' }],
    ['a code without a message', json({ error: { code: 'USER_INPUT_ERROR' } }, 400),  'oauth_error',        { error: 'USER_INPUT_ERROR' }],
    ['another word of the RFC', json({ error: 'invalid_client' }, 401),               'invalid_client',     { status: 401 }],
    ['in plain text',           { status: 401, body: 'Unauthorized' },                'oauth_error',        { status: 401 }],
    ['with nothing',            { status: 400 },                                      'oauth_error',        { status: 400 }],
    ['too many',                { ...json({ error: { code: 'RATE_LIMIT_ERROR', message: 'Too many.' } }, 429), headers: { 'retry-after': '0.5' } }, 'rate_limited', { status: 429, retryAfterMs: 500 }],
    ['busy',                    { status: 503, body: '<html>' },                      'http_error',         { status: 503 }],
    ['case 107: two spellings', json({ token: 'a', access_token: 'b' }),              'malformed_response', { status: 200 }],
    ['case 107: one level down', json({ data: { token: 'a', refreshToken: 'b' } }),   'malformed_response', { status: 200 }],
    ['case 107: other names',   json({ accessToken: 'a', refreshToken: 'b' }),        'malformed_response', { status: 200 }],
    ['case 108: politely',      json({ error: 'Something.', token: 'a' }),            'oauth_error',        { status: 200 }],
    ['case 104: another type',  json({ token: 'a', token_type: 'mac' }),              'malformed_response', { status: 200 }],
    ['case 105: no token',      json({ token: '', refreshToken: 'b' }),               'malformed_response', { status: 200 }],
    ['case 105: a line end',    json({ token: 'a\r\nb', refreshToken: 'b' }),         'malformed_response', { status: 200 }],
  ])('%s: it ends', async (_, answer, code, details) => {
    const { stage, done, outcome } = await answered(answer);
    const error = await failureOf(done);
    expect(error).toMatchObject({ code, details });
    expect(outcome).toEqual({ kind: 'failed', error });
    if (code === 'invalid_client') expect(error.hint).toMatch(/App ID and App Secret/);
    expect(stage.session.state).toEqual(NEVER);
    expect(stage.sentTo(exchange)).toHaveLength(1);
  });

  test('the words that are shown hold neither secret, code nor verifier', async () => {
    const stage = setUp();
    let sent: Record<string, unknown> = {};
    stage.instead = {
      ...instead,
      [exchange]: (request) => {
        sent = bodyOf(request);
        return refused(`It was ${Object.values(sent).join(' and ')}.`);
      },
    };
    const error = await failureOf(stage.signIn());
    expect(error.code).toBe('oauth_error');
    const { appId, ...secrets } = sent;
    const printed = JSON.stringify(error.details);
    expect(appId).toBe('the-app-id');
    for (const secret of Object.values(secrets)) expect(printed).not.toContain(secret);
  });
});

describe('a denial', () => {
  test('ends the sign-in, and what was there before stays', async () => {
    const stage = await signedIn();
    const token = await stage.session.getAccessToken();
    const done = failureOf(stage.start());
    const page = await stage.host.consentPage();
    const redirect = await stage.click('deny', page);
    expect(redirect).toBe(`${REDIRECT_URI}?denied=true`);
    await stage.host.visit().onRedirect(redirect);
    expect(await done).toMatchObject({
      code: 'access_denied',
      details: { error: 'access_denied' },
      hint: expect.stringMatching(/click Allow/),
    });
    expect(await stage.session.getAccessToken()).toBe(token);
  });
});

describe('case 36: the redirect', () => {
  test.each([
    ['another port', 'http://localhost:3001/callback'],
    ['no port', 'http://localhost/callback'],
    ['another scheme', 'https://localhost:3000/callback'],
    ['another name of this machine', 'http://127.0.0.1:3000/callback'],
    ['a longer path', 'http://localhost:3000/callback/x'],
    ['a shorter path', 'http://localhost:3000/'],
    ['a longer host', 'http://localhost.evil.example:3000/callback'],
    ['a user name', 'http://localhost:3000@evil.example/callback'],
  ])('with %s carries nothing', async (_, place) => {
    const stage = setUp();
    const done = stage.start();
    const page = await stage.host.consentPage();
    const { search } = new URL(await stage.click('allow', page));
    const outcomes = [`${place}${search}`, `${place}?denied=true`].map((url) =>
      stage.host.visit().onRedirect(url),
    );
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(['ignored', 'ignored']);
    expect(stage.sentTo('POST /oauth/token')).toEqual([]);
    await stage.host.visit().onRedirect(`${REDIRECT_URI}${search}`);
    await done;
  });
});

describe('case 96: what the user pastes', () => {
  test.each<[string, (redirect: string) => string]>([
    ['the address', (redirect) => ` <${redirect}>\n`],
    ['the address without its scheme', (redirect) => redirect.replace('http://', '')],
    ['the query', (redirect) => new URL(redirect).search],
    ['the code', (redirect) => `"${new URL(redirect).searchParams.get('access_code')}"`],
  ])('%s completes the sign-in', async (_, paste) => {
    const stage = setUp();
    const done = stage.start();
    const redirect = await stage.click('allow', await stage.host.consentPage());
    await stage.session.completeSignIn(paste(redirect));
    await done;
  });

  test('a code that the server does not know is refused, and the sign-in goes on', async () => {
    const stage = setUp();
    const done = stage.start();
    const page = await stage.host.consentPage();
    const error = await failureOf(stage.session.completeSignIn('not-the-code'));
    expect(error.code).toBe('malformed_response');
    await stage.session.completeSignIn(await stage.click('allow', page));
    await done;
  });
});

describe('a renewal', () => {
  /** The API refuses the tokens issued so far. */
  async function refusing(options?: SpeckleStageOptions, how: Reply = NOT_VALID) {
    const stage = await signedIn(options);
    const old = await stage.session.getAccessToken();
    const hears = ({ headers }: { headers: Readonly<Record<string, string>> }) =>
      headers['authorization'] === `Bearer ${old}` ? how : undefined;
    stage.instead = { 'POST /graphql': hears };
    return { stage, old };
  }

  test.each<[string, Reply]>([
    ['403 with the words of the server', NOT_VALID],
    ['401', { status: 401 }],
  ])('is driven by %s, and the request is sent once more', async (_, how) => {
    const { stage, old } = await refusing({}, how);
    const { refreshToken } = JSON.parse((await recordOf(stage)) ?? '{}');
    expect((await stage.session.api.activeUser())?.name).toBe('John Doe');
    expect(await stage.session.getAccessToken()).not.toBe(old);
    const [renewal, ...more] = stage.sentTo('POST /auth/token');
    expect(more).toEqual([]);
    expect(renewal!.headers).toEqual({
      accept: 'application/json',
      'content-type': 'application/json',
    });
    expect(bodyOf(renewal)).toEqual({ appId: 'the-app-id', appSecret: APP_SECRET, refreshToken });
    // A new pair, and both of it are kept.
    const kept = JSON.parse((await recordOf(stage)) ?? '{}');
    expect(kept.accessToken).toBe(await stage.session.getAccessToken());
    expect(kept.refreshToken).not.toBe(refreshToken);
    expect(stage.changes.map(({ event }) => event).slice(-2)).toEqual([
      'refreshDue',
      'tokensIssued',
    ]);
  });

  test('happens once for many callers, for mutations too', async () => {
    const { stage } = await refusing();
    const { api } = stage.session;
    const callers = Array.from({ length: 50 }, (_, index) =>
      index % 2 ? api.activeUser() : api.graphql('query { serverInfo { name } }'),
    );
    await Promise.all(callers);
    expect(stage.sentTo('POST /auth/token')).toHaveLength(1);
    expect(stage.sentTo('POST /graphql')).toHaveLength(100);
  });

  test('case 130: that does not help is one for each request, and no sign-out', async () => {
    const stage = await signedIn({ faults: ['speckle-token-not-valid'] });
    const error = await failureOf(stage.session.api.activeUser());
    expect(error).toMatchObject({ code: 'http_error', details: { status: 403 } });
    expect(error.hint).toBe('Sign in again.');
    expect(stage.sentTo('POST /graphql')).toHaveLength(2);
    expect(stage.sentTo('POST /auth/token')).toHaveLength(1);
    for (let time = 0; time < 5; time += 1) await failureOf(stage.session.api.activeUser());
    expect(stage.sentTo('POST /auth/token')).toHaveLength(3);
    expect(stage.session.state.name).toBe('signedIn');
  });

  // prettier-ignore
  test.each<[string, Reply, ErrorCode]>([
    ['403 in other words',  json({ error: 'Nobody may do this.' }, 403),                      'forbidden'],
    ['403 in an object',    json({ error: { message: 'Your token is not valid.' } }, 403),    'forbidden'],
    ['403 in plain text',   { status: 403, body: 'Your token is not valid.' },                'forbidden'],
    ['403 of a proxy',      { status: 403, body: '<html>' },                                  'forbidden'],
    ['404 with the words',  json({ error: 'Your token is not valid.' }, 404),                 'http_error'],
    ['400 with the words',  json({ error: 'Your token is not valid.' }, 400),                 'http_error'],
  ])('case 164: is not driven by %s', async (_, answer, code) => {
    const stage = await signedIn();
    stage.instead = { 'POST /graphql': answer };
    expect((await failureOf(stage.session.api.activeUser())).code).toBe(code);
    expect(stage.sentTo('POST /auth/token')).toEqual([]);
    expect(stage.session.state.name).toBe('signedIn');
  });

  test('without the secret there is none: sign in again', async () => {
    const { stage } = await refusing({ options: PUBLIC });
    const errors = await Promise.all([
      failureOf(stage.session.api.activeUser()),
      failureOf(stage.session.api.activeUser()),
    ]);
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'sign_in_required', details: { reason: 'rejected' } });
    }
    expect(stage.session.state).toEqual({ name: 'signedOut', reason: 'rejected' });
    expect(stage.sentTo('POST /auth/token')).toEqual([]);
    expect(await recordOf(stage)).toBeNull();
    await stage.signIn();
    expect(stage.session.state.name).toBe('signedIn');
  });

  test.each(['Invalid request', 'Invalid token', 'Refresh token expired'])(
    'that is refused with %j signs out',
    async (err) => {
      const { stage } = await refusing();
      stage.instead = { ...stage.instead, 'POST /auth/token': refused(err) };
      const error = await failureOf(stage.session.api.activeUser());
      expect(error).toMatchObject({ code: 'sign_in_required', details: { reason: 'rejected' } });
      expect(error.cause).toMatchObject({ code: 'invalid_grant', details: { status: 401 } });
      expect(await recordOf(stage)).toBeNull();
    },
  );

  test('is refused half a year after the sign-in', async () => {
    const { stage } = await refusing();
    await stage.clock.advance(183 * 86_400_000);
    const error = await failureOf(stage.session.api.activeUser());
    expect(error).toMatchObject({ code: 'sign_in_required', details: { reason: 'rejected' } });
  });

  // prettier-ignore
  test.each<[string, Reply, ErrorCode]>([
    ['says that fields lack',     refused('Invalid request - App Id and Secret are required.'),   'oauth_error'],
    ['has trouble of its own',    refused('Knex: Timeout acquiring a connection.'),               'oauth_error'],
    ['refuses the secret',        refused('Invalid app secret. Ensure the app secret is correct.'), 'invalid_client'],
    ['is busy',                   { status: 503 },                                                'http_error'],
    ['asks for patience',         { status: 429, headers: { 'retry-after': '2.5' } },             'rate_limited'],
    ['answers with a page',       { body: '<html>' },                                             'malformed_response'],
  ])('of a server that %s keeps the session', async (_, answer, code) => {
    const { stage, old } = await refusing();
    stage.instead = { ...stage.instead, 'POST /auth/token': answer };
    expect((await failureOf(stage.session.api.activeUser())).code).toBe(code);
    expect(stage.session.state.name).toBe('degraded');
    expect(await stage.session.getAccessToken()).toBe(old);
    const { 'POST /graphql': hears } = stage.instead;
    stage.instead = { 'POST /graphql': hears! };
    await stage.clock.advance(60_000);
    expect((await stage.session.api.activeUser())?.name).toBe('John Doe');
    expect(stage.session.state.name).toBe('signedIn');
  });

  test('is never due by the clock: no server says how long a token lives', async () => {
    const stage = await signedIn();
    const token = await stage.session.getAccessToken();
    await stage.clock.advance(365 * 86_400_000);
    expect(await stage.session.getAccessToken()).toBe(token);
    expect(stage.sentTo('POST /auth/token')).toEqual([]);
  });
});

// Both go to addresses that are known without asking which exchange the server has.
describe('after a restart, while the server cannot tell which exchange it has', () => {
  async function restarted(): Promise<SpeckleStage> {
    const { host } = await signedIn();
    const stage = setUp({ store: host.store });
    stage.instead = { 'GET /oauth/token': { status: 503 } };
    return stage;
  }

  test('the session works', async () => {
    const { session, sent } = await restarted();
    expect((await session.api.activeUser())?.name).toBe('John Doe');
    expect(sent.map(placeOf)).toEqual(['POST /graphql']);
  });

  test('it is renewed', async () => {
    const { session, sentTo } = await restarted();
    await session.getAccessToken({ minValidityMs: Infinity }).catch(() => {});
    expect(sentTo('POST /auth/token')).toHaveLength(1);
  });

  test('it is logged out', async () => {
    const { session, sentTo } = await restarted();
    await session.signOut();
    expect(sentTo('POST /auth/logout')).toHaveLength(1);
  });
});

const keyOf = (server: string) =>
  `mortise/1/${['speckle', server, 'the-app-id', 'default'].map(encodeURIComponent).join('/')}`;
const recordOf = ({ host }: SpeckleStage): Promise<string | null> => host.store.get(keyOf(SERVER));

describe('signing out', () => {
  test('logs both tokens out, in one request without a bearer', async () => {
    const stage = await signedIn();
    const { accessToken, refreshToken } = JSON.parse((await recordOf(stage))!);
    await stage.session.signOut();
    const [logout, ...more] = stage.sentTo('POST /auth/logout');
    expect(more).toEqual([]);
    expect(bodyOf(logout)).toEqual({ token: accessToken, refreshToken });
    expect(logout!.headers).toEqual({
      accept: 'application/json',
      'content-type': 'application/json',
    });
    expect(await recordOf(stage)).toBeNull();
  });

  test('without a refresh token logs the other out', async () => {
    const stage = await signedIn({ faults: ['speckle-no-refresh-token'] });
    const token = await stage.session.getAccessToken();
    await stage.session.signOut();
    expect(bodyOf(stage.sentTo('POST /auth/logout')[0])).toEqual({ token });
  });

  test('after a renewal logs the new pair out', async () => {
    const stage = await signedIn({ faults: ['speckle-token-not-valid-once'] });
    await stage.session.api.activeUser();
    const { accessToken: token, refreshToken } = JSON.parse((await recordOf(stage))!);
    await stage.session.signOut();
    expect(bodyOf(stage.sentTo('POST /auth/logout')[0])).toEqual({ token, refreshToken });
  });

  test.each<[string, Reply | (() => Promise<never>)]>([
    ['refuses', { status: 400, body: 'Something went wrong while trying to logout.' }],
    ['fails', { status: 500 }],
    ['cannot be reached', () => Promise.reject(new Error('reset'))],
    ['never answers', () => new Promise<never>(() => {})],
  ])('case 138: works here when the server %s', async (_, answer) => {
    const stage = await signedIn();
    stage.instead = { 'POST /auth/logout': answer };
    await stage.over(stage.session.signOut());
    expect(stage.session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
    expect(await recordOf(stage)).toBeNull();
    expect(stage.sentTo('POST /auth/logout')).toHaveLength(1);
  });
});

describe('the API', () => {
  test('tells who is signed in', async () => {
    const { session, sentTo } = await signedIn();
    expect(await session.api.activeUser()).toMatchObject({
      id: expect.any(String),
      name: 'John Doe',
      email: 'john.doe@sandbox.example',
    });
    const provider = speckle(CONFIDENTIAL);
    expect(await provider.displayName?.(session.api)).toBe('John Doe');
    expect(sentTo('POST /graphql')).toHaveLength(2);
  });

  test('without the scope for it there is no email, and no error', async () => {
    const stage = await signedIn();
    const data = { activeUser: { id: 'u', name: 'N', email: null } };
    stage.instead = { 'POST /graphql': json({ data }) };
    expect(await stage.session.api.activeUser()).toEqual(data.activeUser);
  });

  test('nobody is null, and has no name and no projects', async () => {
    const { session } = await signedIn({ faults: ['speckle-active-user-null'] });
    expect(await session.api.activeUser()).toBeNull();
    expect(await session.api.projects()).toEqual([]);
    expect(await speckle(CONFIDENTIAL).displayName?.(session.api)).toBeNull();
  });

  test.each([1, 2, 3, 7, 25])(
    'lists every project, %d at a time, and stops where real servers end',
    async (limit) => {
      const stage = await signedIn();
      const names: string[] = [];
      for await (const { name } of stage.session.api.projects({ limit })) names.push(name);
      expect(new Set(names).size).toBe(7);
      const asked = stage.sentTo('POST /graphql').map((request) => bodyOf(request)['variables']);
      // The last page with entries has a cursor, too; behind it is an empty one.
      expect(asked).toHaveLength(Math.ceil(7 / limit) + 1);
      expect(asked[0]).toEqual({ limit, cursor: null });
      const cursors = asked.map((variables) => Object(variables).cursor as string | null);
      expect(new Set(cursors).size).toBe(cursors.length);
    },
  );

  test('lists as an array, anew each time, and asks for nothing before', async () => {
    const { session, sentTo } = await signedIn();
    const listing = session.api.projects();
    expect(sentTo('POST /graphql')).toEqual([]);
    const all = await listing;
    expect(all.map(({ name }) => name)).toContain('Harbour Bridge');
    expect(await listing).toEqual(all);
  });

  test('asks for no further page when its reader leaves', async () => {
    const { session, sentTo } = await signedIn();
    for await (const project of session.api.projects({ limit: 2 })) {
      expect(project.id).not.toBe('');
      break;
    }
    expect(sentTo('POST /graphql')).toHaveLength(1);
  });

  test('a reader who is told to stop is told aborted', async () => {
    const { session } = await signedIn();
    const controller = new AbortController();
    const names: string[] = [];
    const reading = (async () => {
      for await (const { name } of session.api.projects({ limit: 2, signal: controller.signal })) {
        names.push(name);
        controller.abort();
      }
    })();
    expect((await failureOf(reading)).code).toBe('aborted');
    expect(names).toHaveLength(2);
  });

  const page = (count: number, cursor: string | null) => ({
    data: {
      activeUser: {
        projects: { cursor, items: Array.from({ length: count }, (_, id) => ({ id: `${id}` })) },
      },
    },
  });
  const errors = [{ message: 'It broke.', extensions: { code: 'INTERNAL_SERVER_ERROR' } }];

  // prettier-ignore
  test.each<[string, object, ErrorCode | number]>([
    ['without entries',                page(0, null),                                        2],
    ['without entries, but a cursor',  page(0, 'more'),                                      2],
    ['without a cursor',               page(1, null),                                        3],
    ['with one it had before',         page(1, 'next'),                                      'malformed_response'],
    ['that failed',                    { data: { activeUser: { projects: null } }, errors }, 'graphql_error'],
    ['that failed as a whole',         { data: { activeUser: null }, errors },               'graphql_error'],
    ['that a scope lacks for',         { data: { activeUser: { projects: null } }, errors: [{ extensions: { code: 'FORBIDDEN', scope: 'streams:read' } }] }, 'insufficient_scope'],
    ['that is none',                   { data: { activeUser: { projects: { cursor: null } } } }, 'malformed_response'],
    ['of something else',              { data: {} },                                         'malformed_response'],
    ['of nobody that is a text',       { data: { activeUser: 'nobody' } },                   'malformed_response'],
  ])('a second page %s', async (_, second, outcome) => {
    const stage = await signedIn();
    const answers = [page(2, 'next'), second];
    stage.instead = { 'POST /graphql': () => json(answers.shift() ?? page(0, null)) };
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const project of stage.session.api.projects()) seen.push(project);
    })();
    if (typeof outcome === 'number') {
      await reading;
      expect(seen).toHaveLength(outcome);
    } else expect((await failureOf(reading)).code).toBe(outcome);
  });

  test('takes queries with variables, and gives partial data with its errors', async () => {
    const stage = await signedIn();
    const query = 'query P($id: String!) { project(id: $id) { name } serverInfo { name } }';
    const { data } = await stage.session.api.graphql(query, { id: '8f2c1d907a' });
    expect(data).toMatchObject({ project: { name: 'Harbour Bridge' } });
    const partial = { data: { project: null, serverInfo: { name: 'S' } }, errors };
    stage.instead = { 'POST /graphql': json(partial) };
    expect(await stage.session.api.graphql(query, { id: 'unknown' })).toEqual(partial);
  });

  // prettier-ignore
  test.each<[string, object, ErrorCode, object, RegExp]>([
    ['FORBIDDEN',                            {},                             'forbidden',          { status: 403 },                                /owner/],
    ['FORBIDDEN',                            { scope: 'apps:write' },        'insufficient_scope', { status: 403, scope: 'apps:write' },           /Settings, Developer, Apps/],
    ['UNAUTHORIZED_ACCESS_ERROR',            { statusCode: 403 },            'forbidden',          { status: 403 },                                /owner/],
    ['SSO_SESSION_MISSING_OR_EXPIRED_ERROR', {},                             'forbidden',          { status: 403 },                                /single sign-on/],
    ['UNAUTHENTICATED',                      { statusCode: 401 },            'http_error',         { status: 401 },                                /^Sign in again/],
    ['UNAUTHORIZED',                         { statusCode: 401 },            'http_error',         { status: 401 },                                /^Sign in again/],
    ['RATE_LIMIT_ERROR',                     { statusCode: 429 },            'rate_limited',       { status: 429, retryAfterMs: null },            /Wait/],
    ['STREAM_NOT_FOUND',                     { statusCode: 404 },            'graphql_error',      { codes: ['STREAM_NOT_FOUND'], messages: ['No.'] }, /author/],
    ['INTERNAL_SERVER_ERROR',                {},                             'graphql_error',      { codes: ['INTERNAL_SERVER_ERROR'], messages: ['No.'] }, /author/],
  ])('understands %s %j', async (code, more, meant, details, hint) => {
    const stage = await signedIn();
    const problem = { message: 'No.', extensions: { code, ...more } };
    stage.instead = { 'POST /graphql': json({ data: null, errors: [problem] }) };
    const error = await failureOf(stage.session.api.activeUser());
    expect(error).toMatchObject({ code: meant, details, hint: expect.stringMatching(hint) });
    expect(stage.session.state.name).toBe('signedIn');
    expect(stage.sentTo('POST /auth/token')).toEqual([]);
  });

  test.each([
    ['a query that cannot be read', '{ activeUser {', 'GRAPHQL_PARSE_FAILED'],
    ['a field that is not there', '{ nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    [
      'a variable that lacks',
      'query P($id: String!) { project(id: $id) { id } }',
      'BAD_USER_INPUT',
    ],
  ])('%s is status 400, and still a graphql_error', async (_, query, code) => {
    const { session } = await signedIn();
    const error = await failureOf(session.api.graphql(query));
    expect(error).toMatchObject({ code: 'graphql_error', details: { codes: [code] } });
    expect(Object(error.details).messages[0]).not.toBe('');
  });

  test('what it says in an error holds no token', async () => {
    const stage = await signedIn();
    const token = await stage.session.getAccessToken();
    for (const status of [200, 400]) {
      const problem = { message: `Not for ${token} here.`, extensions: { code: token } };
      stage.instead = { 'POST /graphql': json({ errors: [problem] }, status) };
      const error = await failureOf(stage.session.api.activeUser());
      expect(error.code).toBe('graphql_error');
      expect(JSON.stringify(error.details)).not.toContain(token);
    }
  });

  test('a limit that is reached is waited for, a mutation is left to its caller', async () => {
    const stage = await signedIn({ faults: ['speckle-429-fractional-once'] });
    const before = stage.clock.monotonicMs();
    expect(await stage.over(stage.session.api.activeUser())).not.toBeNull();
    const [first, second] = stage.sentTo('POST /graphql');
    expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(250);
    expect(second!.atMs - before).toBeLessThan(1_000);
    stage.instead = { 'POST /graphql': { status: 429, headers: { 'retry-after': '3' } } };
    const mutation = 'mutation { appRevokeAccess(appId: "a") }';
    expect(await failureOf(stage.session.api.graphql(mutation))).toMatchObject({
      code: 'rate_limited',
      details: { status: 429, retryAfterMs: 3_000 },
    });
    expect(stage.sentTo('POST /graphql')).toHaveLength(3);
  });

  test('a private project without a token: 401, once renewed, and then said', async () => {
    const stage = await signedIn();
    stage.instead = { 'GET /objects/p/o': { status: 401 } };
    const error = await failureOf(stage.session.api.request({ path: 'objects/p/o' }));
    expect(error).toMatchObject({ code: 'http_error', details: { status: 401 } });
    expect(error.hint).toBe('Sign in again.');
  });
});

describe('every fault of the sandbox is a typed error, or does no harm', () => {
  type SpeckleFault = Extract<FaultName, `speckle-${string}`>;

  interface Outcome {
    /** What is done once signed in; default: the user is asked for. */
    readonly then?: (api: SpeckleApi, stage: SpeckleStage) => PromiseLike<unknown>;
    /** The error of it, or of the sign-in where there is no `then`. */
    readonly fails?: { readonly code: ErrorCode; readonly [detail: string]: unknown };
    readonly options?: SpeckleOptions;
    /** Requests to the token endpoints, and clicks of the user. */
    readonly sent?: readonly string[];
    readonly clicks?: number;
  }

  const NEWER = 'POST /oauth/token';
  const OLDER = 'POST /auth/token';
  const me = (api: SpeckleApi) => api.activeUser();
  const all = (api: SpeckleApi) => api.projects();
  const leave = (_: SpeckleApi, { session }: SpeckleStage) => session.signOut();

  // prettier-ignore
  const OUTCOMES: Readonly<Record<SpeckleFault, Outcome>> = {
    'speckle-legacy-only':           { then: me, sent: [OLDER] },
    'speckle-front-end':             { then: me, sent: [OLDER] },
    'speckle-probe-503':             { fails: { code: 'discovery_failed', retryable: true }, sent: [], clicks: 0 },
    'speckle-stray-code-first':      { then: me, sent: [NEWER, NEWER], clicks: 2 },
    'speckle-code-twice':            { fails: { code: 'malformed_response' }, sent: [] },
    'speckle-code-and-denied':       { fails: { code: 'malformed_response' }, sent: [] },
    'speckle-redirect-naive':        { fails: { code: 'sign_in_timeout' }, sent: [] },
    'speckle-no-refresh-token':      { then: me, sent: [NEWER] },
    'speckle-exchange-refused':      { fails: { code: 'sign_in_timeout' }, sent: [NEWER] },
    'speckle-refresh-refused':       { then: async ({ activeUser }, { session }) => [await activeUser(), await session.getAccessToken({ minValidityMs: Infinity })], fails: { code: 'sign_in_required' }, sent: [NEWER, OLDER] },
    'speckle-logout-400':            { then: leave, sent: [NEWER] },
    'speckle-token-not-valid':       { then: me, fails: { code: 'http_error', details: { status: 403 } }, sent: [NEWER, OLDER] },
    'speckle-token-not-valid-once':  { then: me, sent: [NEWER, OLDER] },
    'speckle-active-user-null':      { then: me },
    'speckle-partial-data':          { then: me },
    'speckle-forbidden-scope':       { then: me, fails: { code: 'insufficient_scope', details: { status: 403, scope: 'streams:read' } } },
    'speckle-unauthenticated':       { then: me, fails: { code: 'http_error', details: { status: 401 } } },
    'speckle-unauthorized':          { then: me, fails: { code: 'http_error', details: { status: 401 } } },
    'speckle-project-not-found':     { then: me, fails: { code: 'graphql_error', details: { codes: ['STREAM_NOT_FOUND'], messages: ['The sandbox refuses this query.'] } } },
    'speckle-sso-session-missing':   { then: me, fails: { code: 'forbidden', hint: 'Sign in to the workspace with single sign-on in a browser, then try again.' } },
    'speckle-429-fractional-once':   { then: me },
    'speckle-429-resolver-once':     { then: me },
    'speckle-cursor-for-ever':       { then: all, fails: { code: 'malformed_response' } },
  };

  test('and all of them are here', () => {
    const names = Object.keys(FAULTS).filter((name) => name.startsWith('speckle-'));
    expect(Object.keys(OUTCOMES).sort()).toEqual(names.sort());
  });

  /** A user who clicks Allow as often as it takes. */
  async function act(stage: SpeckleStage, clicks: number): Promise<void> {
    const done = stage.start();
    if (clicks > 0) {
      const page = await stage.host.consentPage();
      for (let click = 0; click < clicks; click += 1) {
        await stage.host.visit().onRedirect(await stage.click('allow', page));
      }
    }
    return stage.over(done);
  }

  test.each(Object.entries(OUTCOMES) as [SpeckleFault, Outcome][])(
    '%s',
    async (fault, { then, fails, sent = [NEWER], clicks = 1 }) => {
      const stage = setUp({ faults: [fault] });
      const work = act(stage, clicks).then(
        () => then && stage.over(then(stage.session.api, stage)),
      );
      if (fails) expect(await failureOf(work)).toMatchObject(fails);
      else await work;
      const tokens = stage.sent.map(placeOf).filter((place) => /^POST .*\/token$/.test(place));
      expect(tokens).toEqual(sent);
      if (!then) expect(stage.session.state).toEqual(NEVER);
    },
  );
});

test('case 1: a challenge is of one sign-in only', async () => {
  const stage = setUp();
  const challenges = new Set<string>();
  for (let time = 0; time < 20; time += 1) {
    const page = await stage.signIn();
    const { codeVerifier } = bodyOf(stage.sentTo('POST /oauth/token').at(-1));
    const challenge = page.pathname.split('/').at(-1)!;
    expect(createHash('sha256').update(String(codeVerifier)).digest('base64url')).toBe(challenge);
    challenges.add(challenge);
  }
  expect(challenges.size).toBe(20);
  await settle();
});
