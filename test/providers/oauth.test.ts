import { createSession, type Host, type Session } from 'mortise';
import {
  oauth,
  type DiscoveredOptions,
  type FixedOptions,
  type OAuthApi,
} from 'mortise/providers/oauth';
import { failureOf } from '../api/support/failure.js';
import { createFakeHost, form, json, type FakeHost } from './support/fake-host.js';

const ISSUER = 'https://login.example/tenant';
const OPENID = `GET ${ISSUER}/.well-known/openid-configuration`;
const RFC8414 = 'GET https://login.example/.well-known/oauth-authorization-server/tenant';
const METADATA = {
  issuer: ISSUER,
  authorization_endpoint: 'https://login.example/authorize',
  token_endpoint: 'https://login.example/token',
  userinfo_endpoint: 'https://login.example/userinfo',
};
const TOKENS = { access_token: 'access', token_type: 'Bearer', expires_in: 3600 };
const DISCOVERED: DiscoveredOptions = { issuer: ISSUER, clientId: 'me', scopes: ['openid', 'a b'] };
const FIXED: FixedOptions = {
  authorizationEndpoint: 'https://login.example/authorize?tenant=1',
  tokenEndpoint: 'https://login.example/token',
  clientId: 'me',
};
const SECRET = { clientSecret: 's:e c+ret' };

let host: FakeHost;
let session: Session<OAuthApi>;

function setUp(options: DiscoveredOptions | FixedOptions, client: Host['client'] = 'public'): void {
  host = createFakeHost(client);
  host.answer({ [OPENID]: json(METADATA), 'POST https://login.example/token': json(TOKENS) });
  session = createSession({ host, provider: oauth(options) });
}

/** Signs in as a user who agrees; the server adds `more` to the redirect. */
async function agree(more = ''): Promise<URL> {
  const done = session.signIn();
  done.catch(() => {});
  const page = await host.consentPage();
  const { redirect_uri: redirectUri, state } = Object.fromEntries(page.searchParams);
  await host.visit().onRedirect(`${redirectUri}?code=c&state=${state}${more}`);
  await done;
  return page;
}

afterEach(async () => {
  await session?.close();
  expect(host.clock.pending).toBe(0);
});

describe('a server that describes itself', () => {
  test('is asked once, and its own endpoints are used', async () => {
    setUp(DISCOVERED);
    const page = await agree();
    expect(page.origin + page.pathname).toBe('https://login.example/authorize');
    await agree();
    const addresses = host.sent.map(({ method, url }) => `${method} ${url}`);
    expect(addresses).toEqual([
      OPENID,
      `POST ${FIXED.tokenEndpoint}`,
      `POST ${FIXED.tokenEndpoint}`,
    ]);
    expect(host.sent[0]!.headers).not.toHaveProperty('authorization');
  });

  test('case 170: is asked at the second place when the first has nothing', async () => {
    setUp(DISCOVERED);
    host.answer({ [OPENID]: { status: 404 }, [RFC8414]: json(METADATA) });
    await agree();
    expect(host.sent.map(({ url }) => url)).toContain(RFC8414.slice('GET '.length));
  });

  test('is not asked before anybody needs it', async () => {
    setUp(DISCOVERED);
    await session.restore();
    expect(host.sent).toEqual([]);
  });

  test('that cannot be asked fails the sign-in, and is asked again by the next', async () => {
    setUp(DISCOVERED);
    host.answer({ [OPENID]: { status: 500 } });
    const { code, details } = await failureOf(session.signIn());
    expect({ code, details }).toMatchObject({ code: 'discovery_failed', details: { status: 500 } });
    expect(host.shown).toEqual([]);
    host.answer({ [OPENID]: json(METADATA) });
    await agree();
  });

  // prettier-ignore
  test.each<[string, object]>([
    ['168', { issuer: 'https://login.example' }],
    ['168', { issuer: `${ISSUER}/` }],
    ['168', { issuer: undefined }],
    ['168', { issuer: [ISSUER] }],
    ['169', { token_endpoint: 'https://evil.example/token' }],
    ['169', { token_endpoint: 'http://login.example/token' }],
    ['169', { token_endpoint: undefined }],
    ['169', { authorization_endpoint: 'https://169.254.169.254/' }],
    ['169', { userinfo_endpoint: 'https://login.example:8443/userinfo' }],
  ])('case %s: %j is not believed', async (_, change) => {
    setUp(DISCOVERED);
    host.answer({ [OPENID]: json({ ...METADATA, ...change }) });
    expect((await failureOf(session.signIn())).code).toBe('discovery_failed');
    expect(host.shown).toEqual([]);
  });

  test('case 169: another host is believed when it is named', async () => {
    setUp({ ...DISCOVERED, endpointHosts: ['API.login.example'] });
    const userinfo_endpoint = 'https://api.login.example/me';
    host.answer({
      [OPENID]: json({ ...METADATA, userinfo_endpoint }),
      [`GET ${userinfo_endpoint}`]: json({ sub: '1' }),
    });
    await agree();
    expect(await session.api.userInfo()).toEqual({ sub: '1' });
  });

  test.each<[string, string, string | undefined]>([
    ['its own iss', `&iss=${encodeURIComponent(ISSUER)}`, undefined],
    ['the iss of another', '&iss=https%3A%2F%2Fevil.example', 'https://evil.example'],
    ['the iss of its parent', '&iss=https%3A%2F%2Flogin.example', 'https://login.example'],
    ['no iss', '', ''],
  ])('that promises an iss: a redirect with %s', async (_, iss, received) => {
    setUp(DISCOVERED);
    const promise = { authorization_response_iss_parameter_supported: true };
    host.answer({ [OPENID]: json({ ...METADATA, ...promise }) });
    if (received === undefined) return void (await agree(iss));
    expect(await failureOf(agree(iss))).toMatchObject({
      code: 'issuer_mismatch',
      details: { expected: ISSUER, received: received || null },
    });
    expect(host.sent.filter(({ method }) => method === 'POST')).toEqual([]);
  });

  test('that promises none: a redirect without iss is good, one of another is not', async () => {
    setUp(DISCOVERED);
    await agree();
    const error = await failureOf(agree('&iss=https%3A%2F%2Fevil.example'));
    expect(error.code).toBe('issuer_mismatch');
  });
});

describe('a server that is described here', () => {
  test('is asked nothing, and its query stays where it is', async () => {
    setUp({ ...FIXED, scopes: ['a', 'b'], authorizationParameters: { prompt: 'login' } });
    const { searchParams } = await agree();
    expect(Object.fromEntries(searchParams)).toMatchObject({
      tenant: '1',
      response_type: 'code',
      client_id: 'me',
      redirect_uri: 'http://127.0.0.1:8765/callback',
      scope: 'a b',
      code_challenge_method: 'S256',
      prompt: 'login',
    });
    expect(host.sent.map(({ url }) => url)).toEqual([FIXED.tokenEndpoint]);
  });

  test('with its issuer named refuses the redirect of another', async () => {
    setUp({ ...FIXED, issuer: ISSUER });
    await agree(`&iss=${encodeURIComponent(ISSUER)}`);
    const error = await failureOf(agree('&iss=https%3A%2F%2Fevil.example'));
    expect(error.code).toBe('issuer_mismatch');
  });

  test('is told when a token is given up, if it has a place for that', async () => {
    const revocationEndpoint = 'https://login.example/revoke';
    setUp({ ...FIXED, revocationEndpoint });
    await agree();
    await session.signOut();
    const { url, body } = host.sent.at(-1)!;
    expect(url).toBe(revocationEndpoint);
    expect(form(body)).toEqual({
      client_id: 'me',
      token: 'access',
      token_type_hint: 'access_token',
    });
  });

  test('departs from no RFC: a token answer without its type is refused', async () => {
    setUp(FIXED);
    host.answer({ 'POST https://login.example/token': json({ ...TOKENS, token_type: undefined }) });
    expect((await failureOf(agree())).code).toBe('malformed_response');
  });

  test('departs from no RFC: a denial without state is no answer', async () => {
    setUp(FIXED);
    const failure = failureOf(session.signIn());
    await host.consentPage();
    const { kind } = await host
      .visit()
      .onRedirect('http://127.0.0.1:8765/callback?error=access_denied');
    expect(kind).toBe('ignored');
    await session.close();
    expect((await failure).code).toBe('aborted');
  });
});

describe('the redirect', () => {
  const rule = { loopback: 'localhost', path: '/done', ports: [7000, 7001] } as const;
  test.each([
    [
      'any port of 127.0.0.1 unless said otherwise',
      undefined,
      { loopback: '127.0.0.1', path: '/callback', ports: 'any' },
    ],
    ['what the server accepts', rule, rule],
    ['exact addresses', ['https://plugin.example/done'], ['https://plugin.example/done']],
  ])('is %s', (_, redirect, expected) => {
    const provider = oauth(redirect === undefined ? FIXED : { ...FIXED, redirect });
    expect(provider.redirect).toEqual(expected);
  });
});

describe('a client secret', () => {
  test('is refused in a host that cannot keep it', async () => {
    const create = async () => setUp({ ...FIXED, ...SECRET }, 'public');
    expect((await failureOf(create())).code).toBe('configuration_error');
  });

  test('goes in the header, encoded as the RFC says, and not into the body', async () => {
    setUp({ ...FIXED, ...SECRET }, 'confidential');
    await agree();
    const { headers, body } = host.sent[0]!;
    const credentials = Buffer.from('me:s%3Ae+c%2Bret').toString('base64');
    expect(headers['authorization']).toBe(`Basic ${credentials}`);
    expect(Object.keys(form(body)).sort()).toEqual([
      'code',
      'code_verifier',
      'grant_type',
      'redirect_uri',
    ]);
  });

  test('goes into the body of a server that takes it nowhere else', async () => {
    setUp({ ...DISCOVERED, ...SECRET }, 'confidential');
    const only = { token_endpoint_auth_methods_supported: ['client_secret_post'] };
    host.answer({ [OPENID]: json({ ...METADATA, ...only }) });
    await agree();
    const { headers, body } = host.sent.at(-1)!;
    expect(headers).not.toHaveProperty('authorization');
    expect(form(body)).toMatchObject({ client_id: 'me', client_secret: SECRET.clientSecret });
  });
});

describe('the API', () => {
  test('userInfo is asked for with the bearer', async () => {
    setUp(DISCOVERED);
    host.answer({ [`GET ${METADATA.userinfo_endpoint}`]: json({ sub: '1', name: 'Ann' }) });
    await agree();
    expect(await session.api.userInfo()).toEqual({ sub: '1', name: 'Ann' });
    const { url, headers } = host.sent.at(-1)!;
    expect([url, headers['authorization']]).toEqual([METADATA.userinfo_endpoint, 'Bearer access']);
  });

  test('userInfo keeps the query of its address', async () => {
    setUp(DISCOVERED);
    const userinfo_endpoint = 'https://login.example/userinfo?schema=openid';
    host.answer({
      [OPENID]: json({ ...METADATA, userinfo_endpoint }),
      'GET https://login.example/userinfo': json({ sub: '1' }),
    });
    await agree();
    await session.api.userInfo();
    expect(host.sent.at(-1)!.url).toBe(userinfo_endpoint);
  });

  test.each<[string, string]>([
    ['a page', '<html>'],
    ['nothing', ''],
  ])('userInfo of %s is malformed_response', async (_, body) => {
    setUp(DISCOVERED);
    host.answer({ [`GET ${METADATA.userinfo_endpoint}`]: { body } });
    await agree();
    expect((await failureOf(session.api.userInfo())).code).toBe('malformed_response');
  });

  test('a server without user information is the author’s mistake', async () => {
    setUp(FIXED);
    await agree();
    expect((await failureOf(session.api.userInfo())).code).toBe('configuration_error');
    expect(host.sent).toHaveLength(1);
  });

  test('request is below apiBaseUrl', async () => {
    setUp({ ...FIXED, apiBaseUrl: 'https://api.example/v2' });
    host.answer({ 'GET https://api.example/v2/items': json([1]) });
    await agree();
    expect(await (await session.api.request({ path: 'items' })).json()).toEqual([1]);
  });

  test('request without apiBaseUrl is the author’s mistake, and goes nowhere', async () => {
    setUp(DISCOVERED);
    await agree();
    const sent = host.sent.length;
    for (const path of ['items', 'https://api.example/items', METADATA.userinfo_endpoint]) {
      const error = await failureOf(session.api.request({ path }));
      expect(error).toMatchObject({
        code: 'configuration_error',
        details: { problem: 'api.request needs apiBaseUrl' },
      });
    }
    expect(host.sent).toHaveLength(sent);
  });
});

// prettier-ignore
test.each<[string, object]>([
  ['nothing',                             {}],
  ['no client ID',                        { ...FIXED, clientId: '' }],
  ['no server',                           { clientId: 'me' }],
  ['case 171: an issuer over http',       { ...DISCOVERED, issuer: 'http://login.example' }],
  ['case 168: an issuer with a fragment', { ...DISCOVERED, issuer: `${ISSUER}#a` }],
  ['case 168: an issuer with a query',    { ...DISCOVERED, issuer: `${ISSUER}?a=b` }],
  ['an issuer with a user name',          { ...DISCOVERED, issuer: 'https://me@login.example' }],
  ['an issuer that is no address',        { ...DISCOVERED, issuer: 'login.example' }],
  ['half a server',                       { ...FIXED, authorizationEndpoint: undefined }],
  ['the other half',                      { ...FIXED, tokenEndpoint: undefined }],
  ['a token endpoint over http',          { ...FIXED, tokenEndpoint: 'http://login.example/token' }],
  ['a token endpoint of another scheme',  { ...FIXED, tokenEndpoint: 'javascript:alert(1)' }],
  ['a revocation endpoint over http',     { ...FIXED, revocationEndpoint: 'http://login.example/revoke' }],
  ['an API over http',                    { ...FIXED, apiBaseUrl: 'http://api.example' }],
  ['an API with a user name',             { ...FIXED, apiBaseUrl: 'https://me:word@api.example' }],
  ['an API that is no address',           { ...FIXED, apiBaseUrl: '' }],
])('%s is a configuration_error', async (_, options) => {
  const error = await failureOf((async () => oauth(options as FixedOptions))());
  expect(error.code).toBe('configuration_error');
});

test('http is good enough on this machine', () => {
  const apiBaseUrl = 'http://localhost:8080';
  expect(() =>
    oauth({ issuer: 'http://127.0.0.1:8080', clientId: 'me', apiBaseUrl }),
  ).not.toThrow();
  expect(() => oauth({ issuer: 'http://[::1]:8080', clientId: 'me', apiBaseUrl })).not.toThrow();
});

test.each(['state', 'redirect_uri', 'code_challenge', 'client_id', 'response_type', 'tenant'])(
  'a further parameter cannot replace %s',
  async (name) => {
    setUp({ ...FIXED, authorizationParameters: { [name]: 'mine' } });
    expect((await failureOf(session.signIn())).code).toBe('configuration_error');
    expect(host.shown).toEqual([]);
  },
);
