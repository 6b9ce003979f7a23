import { readFileSync } from 'node:fs';
import { createSandbox, sandboxEnvironment } from 'mortise/sandbox';
import {
  API_INFO,
  BROWSE,
  createClient,
  nodeUrl,
  ORGANIZATION,
  PREVU3D,
  type Changes,
} from './sandbox-client.js';

const fixture = (name: string) => readFileSync(`${__dirname}/../fixtures/prevu3d/${name}`, 'utf8');

/** Which members, in which order, of which type. */
const shapeOf = (json: object) =>
  Object.entries(json).map(([name, value]) => [name, value === null ? 'null' : typeof value]);

function start(nowMs?: () => number) {
  return createClient(createSandbox({ provider: 'prevu3d', ...(nowMs && { nowMs }) }), PREVU3D);
}

const BASIC = /Basic \S+?(?=Content-Type)/.exec(fixture('service-token-request.txt'))?.[0] ?? '';

describe('the consent page', () => {
  test('is a page for people: says sandbox, names client, scopes and organizations', async () => {
    const client = start();
    const page = await client.get(client.authorizationUrl());
    expect(page.status).toBe(200);
    expect(page.header('content-type')).toContain('text/html');
    for (const text of [
      'SANDBOX',
      'plug-in',
      'read:basic',
      'read:hierarchy',
      'Test Organization',
    ]) {
      expect(page.text).toContain(text);
    }
    expect(page.text).toMatch(/<button [^>]*>Allow<\/button>/);
    expect(page.text).toMatch(/<button [^>]*>Deny<\/button>/);
  });

  test('runs no script, loads nothing, and escapes what it shows', async () => {
    const client = start();
    const evil = '<script>alert("1")</script>';
    const page = await client.get(client.authorizationUrl({ client_id: evil }));
    expect(page.text).not.toContain('<script');
    expect(page.text).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;');
    const policy = page.header('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(policy).not.toContain('form-action');
  });

  test.each<[string, Changes]>([
    ['no response_type', { response_type: null }],
    ['another response_type', { response_type: 'token' }],
    ['no code_challenge_method', { code_challenge_method: null }],
    ['the plain method', { code_challenge_method: 'plain' }],
    ['no client_id', { client_id: null }],
    ['an empty client_id', { client_id: '' }],
    ['client_id twice', { client_id: ['a', 'b'] }],
    ['no redirect_uri', { redirect_uri: null }],
    ['no scopes', { scopes: null }],
    ['scope instead of scopes', { scopes: null, scope: 'read:basic read:hierarchy' }],
    ['all scopes in one parameter', { scopes: 'read:basic read:hierarchy' }],
    ['no code_challenge', { code_challenge: null }],
    ['a challenge that is no SHA-256', { code_challenge: 'short' }],
    ['no state', { state: null }],
    ['an empty state', { state: '' }],
  ])('shows an error about query parameters for %s', async (_, changes) => {
    const client = start();
    const page = await client.get(client.authorizationUrl(changes));
    expect([page.status, page.header('location')]).toEqual([400, undefined]);
    expect(page.text).toContain('Consent page error about query parameters');
    expect(page.text).toContain('SANDBOX');
  });

  test.each([
    'http://localhost',
    'http://localhost/',
    'http://localhost:8765/',
    'http://localhost:8765/callback',
    'http://localhost:8765?x=1',
    'http://localhost:0',
    'http://localhost:08765',
    'http://localhost:70000',
    'http://127.0.0.1:8765',
    'https://localhost:8765',
    'http://localhost.evil.example:8765',
    'https://plugin.example',
  ])('does not accept the redirect URI %s', async (redirectUri) => {
    const client = start();
    const page = await client.get(client.authorizationUrl({ redirect_uri: redirectUri }));
    expect([page.status, page.header('location')]).toEqual([400, undefined]);
    expect(page.text).toContain('Redirect URI domain must be verified when creating the app');
  });

  test('sends the user back as the documents print it', async () => {
    const redirect = await start().consent();
    const printed = fixture('redirect-success.txt');
    expect(redirect.replace(/code=[^&]+/, 'code={authorization_code}')).toBe(
      printed.replace('{state}', 'state-1'),
    );
  });

  test('tells of a denial without state', async () => {
    const redirect = await start().consent({ decision: 'deny' });
    expect(redirect).toBe(`http://localhost:8765/${fixture('redirect-denied.txt')}`);
  });

  test('sends nobody back when the form cannot be read', async () => {
    const client = start();
    const answer = await client.post(client.authorizationUrl(), { decision: 'perhaps' });
    expect([answer.status, answer.header('location')]).toEqual([400, undefined]);
  });

  test('answerConsent tells of the mistake that the page shows', async () => {
    await expect(start().consent({}, { state: null })).rejects.toMatchObject({
      code: 'configuration_error',
      details: { problem: 'Consent page error about query parameters' },
    });
  });
});

describe('the token endpoint', () => {
  test('answers a code as the documents print it', async () => {
    const client = start();
    const answer = await client.exchange(await client.code());
    expect([answer.status, answer.header('content-type')]).toEqual([200, 'application/json']);
    expect(answer.json.expires_in).toBe(86_400);
    expect(shapeOf(answer.json)).toEqual(shapeOf(JSON.parse(fixture('native-token-answer.json'))));
  });

  test('answers client credentials as the documents print it', async () => {
    const client = start();
    const fields = { grant_type: 'client_credentials' };
    const answer = await client.post(PREVU3D.token, fields, { authorization: BASIC });
    expect(answer.json.expiresIn).toBe(3_600);
    expect(shapeOf(answer.json)).toEqual(shapeOf(JSON.parse(fixture('service-token-answer.json'))));
    expect((await client.get(API_INFO, answer.json.accessToken)).status).toBe(200);
  });

  const basic = (text: string) => ({ authorization: `Basic ${btoa(text)}` });
  test.each<[string, Changes, Record<string, string>, number, string]>([
    ['another verifier', { code_verifier: 'a'.repeat(43) }, {}, 400, 'invalid_grant'],
    ['another redirect_uri', { redirect_uri: 'http://localhost:8766' }, {}, 400, 'invalid_grant'],
    [
      'a slash behind redirect_uri',
      { redirect_uri: 'http://localhost:8765/' },
      {},
      400,
      'invalid_grant',
    ],
    ['another client', { client_id: 'other' }, {}, 400, 'invalid_grant'],
    ['an unknown code', { code: 'sandbox-code-unknown' }, {}, 400, 'invalid_grant'],
    ['no verifier', { code_verifier: null }, {}, 400, 'invalid_request'],
    ['no client_id', { client_id: null }, {}, 400, 'invalid_request'],
    ['code twice', { code: ['a', 'b'] }, {}, 400, 'invalid_request'],
    ['JSON', {}, { 'content-type': 'application/json' }, 400, 'invalid_request'],
    ['a secret', { client_secret: 'x' }, {}, 401, 'invalid_client'],
    ['a Basic header', {}, basic('plug-in:x'), 401, 'invalid_client'],
    ['no grant_type', { grant_type: null }, {}, 400, 'invalid_request'],
    ['the password grant', { grant_type: 'password' }, {}, 400, 'unsupported_grant_type'],
    [
      'a grant type that every object has',
      { grant_type: 'constructor' },
      {},
      400,
      'unsupported_grant_type',
    ],
    ['a service without a header', { grant_type: 'client_credentials' }, {}, 401, 'invalid_client'],
    [
      'a service with the wrong secret',
      { grant_type: 'client_credentials' },
      basic('a:wrong'),
      401,
      'invalid_client',
    ],
  ])('refuses %s', async (_, changes, headers, status, error) => {
    const client = start();
    const answer = await client.exchange(await client.code(), changes, headers);
    expect([answer.status, answer.json.error]).toEqual([status, error]);
    expect(Object.keys(answer.json)).toEqual(['error', 'error_description']);
  });

  test('takes a code for 60 seconds', async () => {
    let now = 1_000;
    const client = start(() => now);
    const [first, second] = [await client.code(), await client.code()];
    now += 59_999;
    expect((await client.exchange(first)).status).toBe(200);
    now += 1;
    expect((await client.exchange(second)).json.error).toBe('invalid_grant');
  });

  test('takes a code once; a second try voids the tokens of the first', async () => {
    const client = start();
    const code = await client.code();
    const { access_token, refresh_token } = (await client.exchange(code)).json;
    expect((await client.exchange(code)).json.error).toBe('invalid_grant');
    expect((await client.get(API_INFO, access_token)).status).toBe(401);
    expect((await client.refresh(refresh_token)).json.error).toBe('invalid_grant');
  });

  test('rotates refresh tokens; a spent one voids the family', async () => {
    const client = start();
    const first = await client.signIn();
    const second = (await client.refresh(first.refresh_token)).json;
    const tokens = [first, second].flatMap((each) => [each.access_token, each.refresh_token]);
    expect(new Set(tokens).size).toBe(4);
    expect((await client.refresh(first.refresh_token)).json.error).toBe('invalid_grant');
    expect((await client.refresh(second.refresh_token)).json.error).toBe('invalid_grant');
    expect((await client.get(API_INFO, second.access_token)).status).toBe(401);
  });

  test('needs no client_id for a refresh, but the right one if any', async () => {
    const client = start();
    const { refresh_token } = await client.signIn();
    const wrong = await client.refresh(refresh_token, { client_id: 'other' });
    expect(wrong.json.error).toBe('invalid_grant');
    expect((await client.refresh(refresh_token, { client_id: null })).status).toBe(200);
  });
});

describe('tokens', () => {
  test('stay good when another sandbox takes over, and are never issued twice', async () => {
    const first = await start().signIn();
    const later = start();
    expect((await later.get(API_INFO, first.access_token)).status).toBe(200);
    const second = (await later.refresh(first.refresh_token)).json;
    const third = (await later.refresh(second.refresh_token)).json;
    const all = [first, second, third].map(({ refresh_token }) => refresh_token);
    expect(new Set(all).size).toBe(3);
  });

  test('differ between sandboxes with different seeds', async () => {
    const signIn = (seed: string) =>
      createClient(createSandbox({ provider: 'prevu3d', seed }), PREVU3D).signIn();
    expect((await signIn('a')).access_token).not.toBe((await signIn('b')).access_token);
    expect(await signIn('a')).toEqual(await signIn('a'));
  });

  test('do not look like a JWT', async () => {
    expect((await start().signIn()).access_token).toMatch(/^sandbox\.(?!eyJ)/);
  });

  test('expire', async () => {
    let now = 0;
    const client = start(() => now);
    const { access_token } = await client.signIn();
    now = 86_399_999;
    expect((await client.get(API_INFO, access_token)).status).toBe(200);
    now = 86_400_000;
    expect((await client.get(API_INFO, access_token)).status).toBe(401);
  });
});

describe('the API', () => {
  test('api-info has the printed shape', async () => {
    const client = start(() => Date.UTC(2025, 6, 23, 16, 6, 56, 788));
    const info = (await client.get(API_INFO, (await client.signIn()).access_token)).json;
    expect(JSON.stringify(info)).toBe(
      JSON.stringify(JSON.parse(fixture('older-api-info-answer.json'))),
    );
    expect(info).toMatchObject({ ...JSON.parse(fixture('api-info-answer.json')), user: {} });
  });

  test('the organization is the one the user has chosen', async () => {
    const client = start();
    const { access_token } = await client.signIn({ organization: 'Harbour Engineering' });
    const info = (await client.get(API_INFO, access_token)).json;
    expect(info.organization.name).toBe('Harbour Engineering');
    expect(info.apiUrl).toBe('https://api-ec1.prevu3d.com/realityconnect-api');
    expect((await client.get(BROWSE, access_token)).status).toBe(403);
    expect((await client.get(nodeUrl(info.organization.id), access_token)).status).toBe(200);
  });

  test('browsing leads from the organization over division, site and folder to assets', async () => {
    const client = start();
    const { access_token } = await client.signIn();
    const seen: string[] = [];
    let id = ORGANIZATION;
    for (;;) {
      const { json } = await client.get(nodeUrl(id), access_token);
      if (json.length === 0) break;
      for (const node of json) expect(node.id).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
      seen.push(json[0].type);
      id = json[0].id;
    }
    expect(seen).toEqual(['division', 'site', 'folder', 'asset']);
  });

  test.each<[string, string | undefined]>([
    ['no token', undefined],
    ['a text that is no token', 'nonsense'],
    ['a changed token', 'sandbox.e30.AAAAAAAAAAAA'],
  ])('answers %s with 401 and a challenge', async (_, token) => {
    for (const url of [API_INFO, BROWSE]) {
      const answer = await start().get(url, token);
      expect(answer.status).toBe(401);
      expect(answer.header('www-authenticate')).toBe('Bearer error="invalid_token"');
    }
  });

  test('a refresh token is not an access token', async () => {
    const client = start();
    const { refresh_token } = await client.signIn();
    expect((await client.get(API_INFO, refresh_token)).status).toBe(401);
  });

  test('without read:hierarchy browsing is 403', async () => {
    const client = start();
    const { access_token } = await client.signIn({ scopes: ['read:basic'] });
    const answer = await client.get(BROWSE, access_token);
    expect(answer.status).toBe(403);
    expect(answer.header('www-authenticate')).toContain('insufficient_scope');
  });

  test('an unknown node is 404', async () => {
    const client = start();
    const { access_token } = await client.signIn();
    const unknown = nodeUrl('00000000-0000-4000-8000-000000000000');
    expect((await client.get(unknown, access_token)).status).toBe(404);
  });
});

test.each([
  'https://api-ue1.prevu3d.com.evil.example/realityconnect-api/v1/nodes/x/browse',
  'http://cloud-api.prevu3d.com/oauth/token',
  'https://cloud-api.prevu3d.com:8443/oauth/token',
])('nobody answers at %s', async (url) => {
  await expect(start().get(url)).rejects.toThrow('does not serve this host');
});

test.each<[string, string, number]>([
  ['the token endpoint at the consent host', 'https://cloud.prevu3d.com/oauth/token', 404],
  ['GET at the token endpoint', PREVU3D.token, 405],
])('%s is %s: %i', async (_, url, status) => {
  expect((await start().get(url)).status).toBe(status);
});

test('preproduction has its own hosts', async () => {
  const client = createClient(createSandbox({ provider: 'prevu3d' }), {
    ...PREVU3D,
    authorize: 'https://cloud.preproduction.prevu3d-int.com/oauth',
    token: 'https://cloud-api.preproduction.prevu3d-int.com/oauth/token',
  });
  const { access_token } = await client.signIn();
  const url = 'https://cloud-api.preproduction.prevu3d-int.com/oauth/api-info';
  const { apiUrl } = (await client.get(url, access_token)).json;
  expect((await client.get(`${apiUrl}/v1/nodes/${ORGANIZATION}/browse`, access_token)).status).toBe(
    200,
  );
});

test('a page of another origin may ask', async () => {
  const client = start();
  const preflight = await client.send('OPTIONS', PREVU3D.token, {
    'access-control-request-headers': 'authorization, content-type',
  });
  expect(preflight.status).toBe(204);
  expect(preflight.header('access-control-allow-headers')).toBe('authorization, content-type');
  expect((await client.get(API_INFO)).header('access-control-allow-origin')).toBe('*');
});

test('sandboxEnvironment says where a served sandbox is', () => {
  expect(sandboxEnvironment('prevu3d', 'http://localhost:8080')).toEqual({
    authorizationEndpoint: 'http://localhost:8080/oauth',
    tokenEndpoint: 'http://localhost:8080/oauth/token',
    apiInfoEndpoint: 'http://localhost:8080/oauth/api-info',
    apiHosts: ['localhost'],
  });
});

test.each([
  ['provider', () => createSandbox({ provider: 'toString' as 'oauth' })],
  ['fault', () => createSandbox({ provider: 'oauth', faults: ['no-such' as 'api-403'] })],
])('an unknown %s is a configuration_error', (_, create) => {
  expect(create).toThrow(expect.objectContaining({ code: 'configuration_error' }));
});
