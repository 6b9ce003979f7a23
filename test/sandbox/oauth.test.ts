import { createSandbox, sandboxEnvironment } from 'mortise/sandbox';
import { createClient, OAUTH, type Changes } from './sandbox-client.js';

const ISSUER = 'https://login.example';
const start = (at = OAUTH) => createClient(createSandbox({ provider: 'oauth' }), at);
const basic = (text: string) => ({ authorization: `Basic ${btoa(text)}` });

test.each(['openid-configuration', 'oauth-authorization-server'])(
  'describes itself at /.well-known/%s',
  async (name) => {
    const { json } = await start().get(`${ISSUER}/.well-known/${name}`);
    expect(json).toMatchObject({
      issuer: ISSUER,
      authorization_endpoint: OAUTH.authorize,
      token_endpoint: OAUTH.token,
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
    });
  },
);

test('the issuer is where it is asked, as sandboxEnvironment says', async () => {
  const origin = 'http://localhost:8080';
  const { issuer } = sandboxEnvironment('oauth', origin);
  const { json } = await start().get(`${issuer}/.well-known/openid-configuration`);
  expect(json.issuer).toBe(origin);
});

describe('the authorization endpoint', () => {
  test.each<[string, 'allow' | 'deny', string]>([
    ['a code', 'allow', 'code'],
    ['a denial', 'deny', 'error'],
  ])('sends %s with state and iss', async (_, decision, name) => {
    const redirect = new URL(await start().consent({ decision }));
    expect([...redirect.searchParams.keys()]).toEqual([name, 'state', 'iss']);
    expect(redirect.searchParams.get('iss')).toBe(ISSUER);
  });

  test.each([
    'http://127.0.0.1:1/x',
    'http://[::1]:49152/callback',
    'http://localhost:49152',
    'http://127.0.0.1/callback?tenant=a',
    'https://plugin.example/callback',
    'com.example.plugin:/callback',
  ])('accepts the redirect URI %s', async (redirectUri) => {
    const client = start({ ...OAUTH, redirectUri });
    const redirect = await client.consent();
    expect(redirect.startsWith(`${redirectUri}${redirectUri.includes('?') ? '&' : '?'}code=`)).toBe(
      true,
    );
    expect(await client.signIn()).toHaveProperty('access_token');
  });

  test.each<[string, Changes]>([
    ['plain http on a host', { redirect_uri: 'http://plugin.example/callback' }],
    ['a name that begins like loopback', { redirect_uri: 'http://localhost.evil.example/' }],
    ['a fragment', { redirect_uri: 'https://plugin.example/#x' }],
    ['a user in the address', { redirect_uri: 'https://a@plugin.example/' }],
    ['a scheme without a dot', { redirect_uri: 'javascript:alert(1)' }],
    ['no redirect_uri', { redirect_uri: null }],
    ['no client_id', { client_id: null }],
    ['state twice', { state: ['a', 'b'] }],
  ])('sends nobody anywhere for %s', async (_, changes) => {
    const client = start();
    const page = await client.get(client.authorizationUrl(changes));
    expect([page.status, page.header('location')]).toEqual([400, undefined]);
    expect(page.text).toContain('SANDBOX');
  });

  test.each<[string, Changes, string]>([
    ['another response_type', { response_type: 'token' }, 'unsupported_response_type'],
    ['the plain method', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['no PKCE', { code_challenge: null, code_challenge_method: null }, 'invalid_request'],
  ])('answers %s by redirect', async (_, changes, error) => {
    const redirect = new URL(await start().consent({}, changes));
    expect(Object.fromEntries(redirect.searchParams)).toEqual({
      error,
      state: 'state-1',
      iss: ISSUER,
    });
  });
});

describe('the token endpoint', () => {
  test('answers by RFC 6749 section 5.1', async () => {
    const answer = await start().signIn();
    expect(answer).toMatchObject({ token_type: 'Bearer', expires_in: 3_600 });
    expect(answer.scope).toBe('data:read data:write');
    expect(Object.keys(answer)).toContain('refresh_token');
  });

  test.each<[string, Changes, Record<string, string>]>([
    ['no secret', {}, {}],
    ['a secret in the body', { client_secret: 's' }, {}],
    ['a Basic header', { client_id: null }, basic('plug-in:s')],
    ['a Basic header, form-encoded', { client_id: null }, basic('plug%2Din:a%3Ab+c')],
  ])('takes a client with %s', async (_, changes, headers) => {
    const client = start();
    const answer = await client.exchange(await client.code(), changes, headers);
    expect(answer.status).toBe(200);
    const again = await client.refresh(answer.json.refresh_token, changes, headers);
    expect(again.status).toBe(200);
  });

  test.each<[string, Changes, Record<string, string>, number, string]>([
    ['two ways at once', { client_secret: 's' }, basic('plug-in:s'), 400, 'invalid_request'],
    ['the wrong secret', { client_secret: 'wrong' }, {}, 401, 'invalid_client'],
    ['no client', { client_id: null }, {}, 401, 'invalid_client'],
    ['a header that is not Basic', {}, { authorization: 'Bearer x' }, 401, 'invalid_client'],
    ['a service without a secret', { grant_type: 'client_credentials' }, {}, 401, 'invalid_client'],
    ['another verifier', { code_verifier: 'a'.repeat(43) }, {}, 400, 'invalid_grant'],
  ])('refuses %s', async (_, changes, headers, status, error) => {
    const client = start();
    const answer = await client.exchange(await client.code(), changes, headers);
    expect([answer.status, answer.json.error]).toEqual([status, error]);
  });

  test('gives a service its token, and no refresh token', async () => {
    const fields = { grant_type: 'client_credentials', scope: 'data:read' };
    const { json } = await start().post(OAUTH.token, fields, basic('service:s'));
    expect(Object.keys(json)).toEqual(['access_token', 'token_type', 'expires_in', 'scope']);
  });

  test('a refresh may ask for less, not for more', async () => {
    const client = start();
    const { refresh_token } = await client.signIn();
    const more = await client.refresh(refresh_token, { scope: 'data:read admin' });
    expect(more.json.error).toBe('invalid_scope');
    const less = await client.refresh(refresh_token, { scope: 'data:read' });
    expect(less.json.scope).toBe('data:read');
  });

  test('a spent refresh token voids the family', async () => {
    const client = start();
    const first = await client.signIn();
    const second = (await client.refresh(first.refresh_token)).json;
    expect((await client.refresh(first.refresh_token)).json.error).toBe('invalid_grant');
    expect((await client.refresh(second.refresh_token)).json.error).toBe('invalid_grant');
  });
});

describe('revocation', () => {
  const revoke = (client: ReturnType<typeof start>, token: string, clientId = 'plug-in') =>
    client.post(`${ISSUER}/revoke`, { token, client_id: clientId });
  const me = `${ISSUER}/api/me`;

  test('a refresh token takes its access tokens with it', async () => {
    const client = start();
    const { access_token, refresh_token } = await client.signIn();
    expect((await revoke(client, refresh_token)).status).toBe(200);
    expect((await client.get(me, access_token)).status).toBe(401);
    expect((await client.refresh(refresh_token)).json.error).toBe('invalid_grant');
  });

  test('an access token goes alone', async () => {
    const client = start();
    const { access_token, refresh_token } = await client.signIn();
    await revoke(client, access_token);
    expect((await client.get(me, access_token)).status).toBe(401);
    expect((await client.refresh(refresh_token)).status).toBe(200);
  });

  test('an unknown token is as good as revoked, another client’s stays', async () => {
    const client = start();
    const { access_token } = await client.signIn();
    expect((await revoke(client, 'unknown')).status).toBe(200);
    expect((await revoke(client, access_token, 'other')).status).toBe(200);
    expect((await client.get(me, access_token)).status).toBe(200);
  });
});

test.each([
  ['/userinfo', 'email'],
  ['/api/me', 'name'],
  ['/api/projects', 'length'],
])('%s answers with a token, and only then', async (path, member) => {
  const client = start();
  const { access_token } = await client.signIn();
  expect((await client.get(ISSUER + path, access_token)).json).toHaveProperty(member);
  expect((await client.get(ISSUER + path)).status).toBe(401);
});

test('registered redirect URIs are the only ones', async () => {
  const sandbox = createSandbox({ provider: 'oauth', redirectUris: ['http://localhost:4000/cb'] });
  const page = async (redirectUri: string) => {
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: 'any',
      redirect_uri: redirectUri,
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
    });
    const { signal } = new AbortController();
    const url = `http://localhost/authorize?${query}`;
    return (await sandbox({ method: 'GET', url, headers: {}, signal })).status;
  };
  expect(await page('http://localhost:4000/cb')).toBe(200);
  expect(await page('http://localhost:4001/cb')).toBe(400);
});
