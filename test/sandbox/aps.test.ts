import { createHash } from 'node:crypto';
import { sandboxEnvironment } from 'mortise/sandbox';
import {
  APS,
  basic,
  HOST,
  HUBS,
  INTROSPECT,
  METADATA,
  refusalOf,
  REVOKE,
  SECRET,
  serviceToken,
  start,
  USERINFO,
} from './aps-client.js';
import { VERIFIER, type Changes } from './sandbox-client.js';

const NO_CHALLENGE = { code_challenge: null, code_challenge_method: null };
const codeOf = (redirect: string) => new URL(redirect).searchParams.get('code') ?? '';

describe('metadata', () => {
  test('names the endpoints as the documents do', async () => {
    const { json } = await start().get(METADATA);
    expect(json).toMatchObject({
      issuer: HOST,
      authorization_endpoint: APS.authorize,
      token_endpoint: APS.token,
      revocation_endpoint: REVOKE,
      userinfo_endpoint: USERINFO,
      jwks_uri: `${HOST}/authentication/v2/keys`,
      grant_types_supported: ['authorization_code', 'client_credentials', 'refresh_token'],
      response_modes_supported: ['fragment', 'form_post', 'query'],
      id_token_signing_alg_values_supported: ['RS256'],
    });
    expect(json.scopes_supported).toContain('data:read');
    expect(json).not.toHaveProperty('code_challenge_methods_supported');
  });

  test('on loopback everything is at one origin, as sandboxEnvironment says', async () => {
    const { baseUrl } = sandboxEnvironment('aps', 'http://localhost:8080');
    expect(baseUrl).toBe('http://localhost:8080');
    const client = start();
    const { json } = await client.get(`${baseUrl}/.well-known/openid-configuration`);
    expect(json.issuer).toBe(baseUrl);
    for (const [name, value] of Object.entries(json)) {
      if (/_endpoint$|_uri$/.test(name)) expect(value).toMatch(/^http:\/\/localhost:8080\//);
    }
    const { access_token } = await client.signIn();
    for (const path of ['/userinfo', '/project/v1/hubs']) {
      expect((await client.get(baseUrl + path, access_token)).status).toBe(200);
    }
  });

  test('there are no keys', async () => {
    const { json } = await start().get(`${HOST}/authentication/v2/keys`);
    expect(json).toEqual({ keys: [] });
  });
});

describe('the authorization endpoint', () => {
  test.each<['allow' | 'deny', string[]]>([
    ['allow', ['code', 'state']],
    ['deny', ['error', 'state']],
  ])('answers "%s" with the state, and names no issuer', async (decision, names) => {
    const redirect = new URL(await start().consent({ decision }));
    expect([...redirect.searchParams.keys()]).toEqual(names);
    expect(redirect.searchParams.get('state')).toBe('state-1');
  });

  test.each([
    'http://localhost:8080/',
    'http://127.0.0.1:49152/callback',
    'http://[::1]:3000/a/b',
    'https://plugin.example/api/integrations/oauth2/callback/',
    'http://localhost:8080/callback?tenant=a',
  ])('without a registration, sends to %s', async (redirectUri) => {
    const redirect = await start({}, { ...APS, redirectUri }).consent();
    const mark = redirectUri.includes('?') ? '&' : '?';
    expect(redirect.startsWith(`${redirectUri}${mark}code=`)).toBe(true);
  });

  const registered = { redirectUris: [APS.redirectUri, 'com.example.plugin:/callback'] };
  test.each(registered.redirectUris)('sends to %s, which is registered', async (redirectUri) => {
    const client = start(registered, { ...APS, redirectUri });
    expect((await client.consent()).startsWith(`${redirectUri}?code=`)).toBe(true);
  });

  test.each([
    'http://127.0.0.1:8080/callback',
    'http://localhost:8081/callback',
    'http://localhost:8080/callback/',
    'http://localhost:8080/Callback',
    'http://localhost:8080/callback?x=1',
    'https://localhost:8080/callback',
  ])('sends nobody to %s, which is not registered', async (redirectUri) => {
    const client = start(registered);
    const page = await client.get(client.authorizationUrl({ redirect_uri: redirectUri }));
    expect([page.status, page.header('location')]).toEqual([400, undefined]);
    expect(page.text).toContain('registered, to the letter');
  });

  test.each<[string, Changes]>([
    ['plain http on a host', { redirect_uri: 'http://plugin.example/callback' }],
    ['a name that begins like loopback', { redirect_uri: 'http://localhost.evil.example/' }],
    ['a fragment', { redirect_uri: 'https://plugin.example/#x' }],
    ['a user in the address', { redirect_uri: 'https://a@plugin.example/' }],
    ['a text that is no address', { redirect_uri: 'callback' }],
    ['a scheme that is not registered', { redirect_uri: 'com.example.plugin:/callback' }],
    ['no redirect_uri', { redirect_uri: null }],
    ['no client_id', { client_id: null }],
    ['scope twice', { scope: ['data:read', 'data:write'] }],
    ['a state with padding', { state: 'c3RhdGU=' }],
    ['a state in JSON', { state: '{"a":1}' }],
    ['a state with a blank', { state: 'a b' }],
  ])('sends nobody anywhere for %s', async (_, changes) => {
    const client = start();
    const page = await client.get(client.authorizationUrl(changes));
    expect([page.status, page.header('location')]).toEqual([400, undefined]);
    expect(page.text).toContain('SANDBOX');
  });

  const scopes = (count: number) =>
    Array.from({ length: count }, (_, index) => `data:read:urn:adsk.objects:${index}`).join(' ');
  test.each<[string, Changes, string]>([
    ['no response_type', { response_type: null }, 'unsupported_response_type'],
    ['an ID token', { response_type: 'id_token' }, 'unsupported_response_type'],
    ['no scope', { scope: null }, 'invalid_scope'],
    ['an empty scope', { scope: '' }, 'invalid_scope'],
    ['a scope nobody knows', { scope: 'data:read offline_access' }, 'invalid_scope'],
    ['a scope in capitals', { scope: 'DATA:READ' }, 'invalid_scope'],
    ['scopes parted by commas', { scope: 'data:read,data:write' }, 'invalid_scope'],
    ['a resource without its URN', { scope: 'data:read:' }, 'invalid_scope'],
    ['51 scopes', { scope: scopes(51) }, 'invalid_scope'],
    ['more than 3000 characters', { scope: `data:read:${'x'.repeat(3_000)}` }, 'invalid_scope'],
    ['the plain method', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['a challenge without method', { code_challenge_method: null }, 'invalid_request'],
    ['a method without challenge', { code_challenge: null }, 'invalid_request'],
    ['a challenge that is no SHA-256', { code_challenge: 'short' }, 'invalid_request'],
    ['openid without nonce', { scope: 'openid data:read' }, 'invalid_request'],
    ['an answer in the fragment', { response_mode: 'fragment' }, 'invalid_request'],
  ])('tells the client of %s', async (_, changes, error) => {
    const client = start();
    const answer = await client.get(client.authorizationUrl(changes));
    const redirect = new URL(answer.header('location') ?? '');
    expect(Object.fromEntries(redirect.searchParams)).toEqual({ error, state: 'state-1' });
  });

  test.each<[string, Changes]>([
    ['50 scopes', { scope: scopes(50) }],
    ['a scope for one resource', { scope: 'data:read:urn:adsk.objects:os.object:a/b.rvt' }],
    ['openid with nonce', { scope: 'openid data:read', nonce: 'n-1' }],
    ['no state', { state: null }],
    ['every character of a state', { state: 'azAZ09,._-' }],
    ['prompt and authoptions', { prompt: 'login', authoptions: '{"id":"x"}' }],
  ])('takes %s', async (_, changes) => {
    expect(codeOf(await start().consent({}, changes))).toMatch(/^sandbox-code-/);
  });
});

describe('the token endpoint', () => {
  test('answers a code as the documents print it', async () => {
    const client = start();
    const answer = await client.exchange(await client.code());
    expect([answer.status, answer.header('content-type')]).toEqual([200, 'application/json']);
    expect(answer.json).toEqual({
      access_token: expect.stringMatching(/^sandbox\./),
      token_type: 'Bearer',
      expires_in: 3_599,
      refresh_token: expect.stringMatching(/^sandbox\./),
    });
  });

  test('an application signs in as itself, and has nothing to refresh', async () => {
    const fields = { grant_type: 'client_credentials', scope: 'data:read' };
    const { json } = await start().post(APS.token, fields, SECRET);
    expect(Object.keys(json)).toEqual(['access_token', 'token_type', 'expires_in']);
  });

  const body = { client_id: null };
  test.each<[string, Changes, Changes, Record<string, string>]>([
    ['a public client with PKCE', {}, {}, {}],
    ['a confidential client with PKCE', {}, body, SECRET],
    ['a secret with a colon', {}, body, basic('plug-in:a:b')],
    ['a confidential client without', NO_CHALLENGE, { ...body, code_verifier: null }, SECRET],
  ])('takes %s', async (_, asked, sent, headers) => {
    const client = start();
    const answer = await client.exchange(codeOf(await client.consent({}, asked)), sent, headers);
    expect(answer.status).toBe(200);
    const again = await client.refresh(answer.json.refresh_token, sent, headers);
    expect(again.status).toBe(200);
  });

  const SERVICE = { grant_type: 'client_credentials', scope: 'data:read', client_id: null };
  // prettier-ignore
  test.each<[string, Changes, Record<string, string>, number, string]>([
    ['an id in header and body',        {},                                SECRET,                          400, 'AUTH-008'],
    ['a secret in header and body',     { ...body, client_secret: 's' },   SECRET,                          400, 'AUTH-008'],
    ['a secret in the body',            { client_secret: 's' },            {},                              401, 'AUTH-003'],
    ['the wrong secret',                body,                              basic('plug-in:wrong'),          401, 'AUTH-003'],
    ['an empty secret',                 body,                              basic('plug-in:'),               401, 'AUTH-003'],
    ['no client',                       body,                              {},                              401, 'AUTH-003'],
    ['a header that is not Basic',      body,                              { authorization: 'Bearer x' },   401, 'AUTH-012'],
    ['an id and no colon',              body,                              basic('plug-in'),                401, 'AUTH-012'],
    ['no code',                         { code: null },                    {},                              400, 'AUTH-008'],
    ['no redirect_uri',                 { redirect_uri: null },            {},                              400, 'AUTH-008'],
    ['a public client without verifier', { code_verifier: null },          {},                              400, 'AUTH-008'],
    ['no grant_type',                   { grant_type: null },              {},                              400, 'AUTH-008'],
    ['code twice',                      { code: ['a', 'b'] },              {},                              400, 'AUTH-008'],
    ['JSON',                            {},               { 'content-type': 'application/json' },           400, 'AUTH-008'],
    ['the device grant',                { grant_type: 'device_code' },     {},                              400, 'unsupported_grant_type'],
    ['an unknown code',                 { code: 'sandbox-code-unknown' },  {},                              400, 'invalid_grant'],
    ['another verifier',                { code_verifier: 'a'.repeat(43) }, {},                              400, 'invalid_grant'],
    ['a short verifier',                { code_verifier: 'a'.repeat(42) }, {},                              400, 'invalid_grant'],
    ['a long verifier',                 { code_verifier: 'a'.repeat(129) }, {},                             400, 'invalid_grant'],
    ['a confidential client without verifier', { ...body, code_verifier: null }, SECRET,                    400, 'invalid_grant'],
    ['another client',                  { client_id: 'other' },            {},                              400, 'invalid_grant'],
    ['another loopback name',           { redirect_uri: 'http://127.0.0.1:8080/callback' }, {},             400, 'invalid_grant'],
    ['a service without secret',        { ...SERVICE, client_id: 'x' },    {},                              401, 'AUTH-003'],
    ['a service with the wrong secret', SERVICE,                           basic('x:wrong'),                401, 'AUTH-003'],
    ['a service without scope',         { ...SERVICE, scope: null },       SECRET,                          400, 'invalid_scope'],
    ['a service with an unknown scope', { ...SERVICE, scope: 'all' },      SECRET,                          400, 'invalid_scope'],
  ])('refuses %s', async (_, changes, headers, status, code) => {
    const client = start();
    const answer = await client.exchange(await client.code(), changes, headers);
    expect(refusalOf(answer)).toEqual([status, code]);
  });

  // RFC 9700 section 4.8.2: nobody takes the challenge off a request unseen.
  test.each<[string, Changes, Record<string, string>]>([
    ['of a public client', {}, {}],
    ['of a confidential client', body, SECRET],
  ])('refuses the verifier %s, where there was no challenge', async (_, sent, headers) => {
    const client = start();
    const code = codeOf(await client.consent({}, NO_CHALLENGE));
    const answer = await client.exchange(code, sent, headers);
    expect(refusalOf(answer)).toEqual([400, 'invalid_grant']);
  });

  test.each([43, 128])('takes a verifier of %i characters', async (length) => {
    const client = start();
    const verifier = VERIFIER.padEnd(length, 'x');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const code = codeOf(await client.consent({}, { code_challenge: challenge }));
    expect((await client.exchange(code, { code_verifier: verifier })).status).toBe(200);
  });

  test('takes a code for 5 minutes, and once', async () => {
    let now = 1_000;
    const client = start({ nowMs: () => now });
    const [first, second] = [await client.code(), await client.code()];
    now += 299_999;
    expect((await client.exchange(first)).status).toBe(200);
    expect(refusalOf(await client.exchange(first))).toEqual([400, 'invalid_grant']);
    now += 1;
    expect(refusalOf(await client.exchange(second))).toEqual([400, 'invalid_grant']);
  });
});

describe('refresh tokens', () => {
  test('are good for one use', async () => {
    const client = start();
    const first = await client.signIn();
    const second = (await client.refresh(first.refresh_token)).json;
    expect(Object.keys(second)).toEqual(Object.keys(first));
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(refusalOf(await client.refresh(first.refresh_token))).toEqual([400, 'invalid_grant']);
  });

  test('live 15 days, each', async () => {
    const day = 86_400_000;
    let now = 0;
    const client = start({ nowMs: () => now });
    const first = await client.signIn();
    now = 15 * day - 1;
    const second = (await client.refresh(first.refresh_token)).json;
    now += 15 * day;
    expect(refusalOf(await client.refresh(second.refresh_token))).toEqual([400, 'invalid_grant']);
  });

  test('give a narrower access token on demand, and rotate all the same', async () => {
    const client = start();
    const { refresh_token } = await client.signIn();
    const narrow = (await client.refresh(refresh_token, { scope: 'data:write' })).json;
    expect((await client.get(HUBS, narrow.access_token)).status).toBe(403);
    expect(refusalOf(await client.refresh(refresh_token))).toEqual([400, 'invalid_grant']);

    const other = await client.signIn();
    const again = (await client.refresh(other.refresh_token, { scope: 'data:write' })).json;
    const whole = (await client.refresh(again.refresh_token)).json;
    expect((await client.get(HUBS, whole.access_token)).status).toBe(200);
  });

  // prettier-ignore
  test.each<[string, Changes, Record<string, string>, number, string]>([
    ['a wider scope',        { scope: 'data:read data:create' }, {},                     400, 'invalid_scope'],
    ['another client',       { client_id: 'other' },             {},                     400, 'invalid_grant'],
    ['no client',            { client_id: null },                {},                     401, 'AUTH-003'],
    ['the wrong secret',     { client_id: null },                basic('plug-in:wrong'), 401, 'AUTH-003'],
    ['no token',             { refresh_token: null },            {},                     400, 'AUTH-008'],
    ['an unknown token',     { refresh_token: 'nonsense' },      {},                     400, 'invalid_grant'],
  ])('are not taken with %s, and stay good', async (_, changes, headers, status, code) => {
    const client = start();
    const { refresh_token } = await client.signIn();
    const answer = await client.refresh(refresh_token, changes, headers);
    expect(refusalOf(answer)).toEqual([status, code]);
    expect((await client.refresh(refresh_token)).status).toBe(200);
  });
});

describe('revocation', () => {
  const hints = { access: 'access_token', refresh: 'refresh_token' };
  const fields = (token: string, hint: string) => ({
    token,
    token_type_hint: hint,
    client_id: 'plug-in',
  });

  test('answers with an empty body; a refresh token takes its access tokens along', async () => {
    const client = start();
    const { access_token, refresh_token } = await client.signIn();
    const answer = await client.post(REVOKE, fields(refresh_token, hints.refresh));
    expect([answer.status, answer.text]).toEqual([200, '']);
    expect((await client.get(HUBS, access_token)).status).toBe(401);
    expect((await client.refresh(refresh_token)).status).toBe(400);
  });

  test('of an access token by a confidential client leaves the refresh token', async () => {
    const client = start();
    const { access_token, refresh_token } = await client.signIn();
    const { client_id: _, ...rest } = fields(access_token, hints.access);
    expect((await client.post(REVOKE, rest, SECRET)).status).toBe(200);
    expect((await client.get(HUBS, access_token)).status).toBe(401);
    expect((await client.refresh(refresh_token)).status).toBe(200);
  });

  // prettier-ignore
  test.each<[string, Changes, Record<string, string>, number]>([
    ['no token',             { token: null },           {},                     400],
    ['no hint',              { token_type_hint: null }, {},                     400],
    ['a hint nobody knows',  { token_type_hint: 'id' }, {},                     400],
    ['an id in both places', {},                        SECRET,                 400],
    ['no client',            { client_id: null },       {},                     401],
    ['the wrong secret',     { client_id: null },       basic('plug-in:wrong'), 401],
    ['another client',       { client_id: 'other' },    {},                     200],
  ])('with %s revokes nothing', async (_, changes, headers, status) => {
    const client = start();
    const { access_token } = await client.signIn();
    const sent = { ...fields(access_token, hints.access), ...changes };
    expect((await client.post(REVOKE, sent, headers)).status).toBe(status);
    expect((await client.get(HUBS, access_token)).status).toBe(200);
  });
});

describe('introspection', () => {
  const PUBLIC = { client_id: 'plug-in' };

  test('tells of a user’s token', async () => {
    const client = start({ nowMs: () => 1_000_000 });
    const { access_token } = await client.signIn();
    const { json } = await client.post(INTROSPECT, { ...PUBLIC, token: access_token });
    expect(json).toEqual({
      active: true,
      scope: 'data:read data:write',
      client_id: 'plug-in',
      exp: 1_000 + 3_599,
      userid: 'SANDBOXUSER1',
    });
  });

  test('names no user for an application’s token', async () => {
    const client = start();
    const token = await serviceToken(client);
    const { json } = await client.post(INTROSPECT, { token }, SECRET);
    expect([json.active, 'userid' in json]).toEqual([true, false]);
  });

  test.each<[string, Changes, number, unknown]>([
    ['another client’s token', { client_id: 'other' }, 200, { active: false }],
    ['an unknown token', { token: 'nonsense' }, 200, { active: false }],
    ['no token', { token: null }, 400, { errorCode: 'AUTH-008' }],
    ['no client', { client_id: null }, 401, { errorCode: 'AUTH-003' }],
  ])('says nothing about %s', async (_, changes, status, json) => {
    const client = start();
    const { access_token } = await client.signIn();
    const answer = await client.post(INTROSPECT, { ...PUBLIC, token: access_token, ...changes });
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject(json as object);
  });
});

describe('logout', () => {
  const logout = (uri?: string) =>
    `${HOST}/authentication/v2/logout${uri ? `?post_logout_redirect_uri=${encodeURIComponent(uri)}` : ''}`;
  const registered = { redirectUris: ['https://plugin.example/bye'] };

  test('leads to an address that is registered', async () => {
    const answer = await start(registered).get(logout('https://plugin.example/bye'));
    expect([answer.status, answer.header('location')]).toEqual([302, 'https://plugin.example/bye']);
  });

  test.each([undefined, 'https://other.example/bye'])('leads nobody to %s', async (uri) => {
    const answer = await start(registered).get(logout(uri));
    expect([answer.status, answer.header('location')]).toEqual([200, undefined]);
    expect(answer.text).toContain('SANDBOX');
  });
});

describe('user info', () => {
  test.each([USERINFO, 'https://api.aps.autodesk.com/userinfo', `${HOST}/userinfo`])(
    'tells at %s who signed in',
    async (url) => {
      const client = start();
      const { access_token } = await client.signIn();
      expect((await client.get(url, access_token)).json).toMatchObject({
        sub: 'SANDBOXUSER1',
        name: 'John Doe',
        given_name: 'John',
        family_name: 'Doe',
        email: 'john.doe@sandbox.example',
        picture: expect.stringMatching(/^https:/),
      });
    },
  );

  test('needs a token of a user', async () => {
    const client = start();
    for (const token of [undefined, 'nonsense', await serviceToken(client)]) {
      expect(refusalOf(await client.get(USERINFO, token))).toEqual([401, 'AUTH-006']);
    }
  });

  test('the other endpoints are not at its host', async () => {
    const url = 'https://api.userprofile.autodesk.com/project/v1/hubs';
    expect((await start().get(url)).status).toBe(404);
  });
});
